"""What small figures are made of: boxes, lines and texts with coordinates, rendered by a template.

Lengths are in px of an SVG that scales; ``style`` is a class of the page's style sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

CHARACTER = 6.7
"""About how wide a character is."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with one line of text per entry; a link to the operation ``op`` if there is one."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...] = ()
    style: str = "box"
    op: int | None = None
    kind: str = "box"


@dataclass(frozen=True, slots=True)
class Curve:
    """From (x1, y1) to (x2, y2), bent towards (cx, cy); with an arrowhead at its end if ``arrow``.

    ``told`` is what it says when the pointer is on it.
    """

    x1: float
    y1: float
    cx: float
    cy: float
    x2: float
    y2: float
    arrow: bool = True
    style: str = "edge"
    kind: str = "curve"
    told: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """One line; ``anchor`` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "middle"
    style: str = "label"
    kind: str = "text"


Shape: TypeAlias = Box | Curve | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture; ``title`` says in a sentence what is to be seen."""

    width: float
    height: float
    title: str
    shapes: tuple[Shape, ...]


def wrapped(text: str, limit: int, lines: int = 2) -> list[str]:
    """``text`` in at most ``lines`` lines of about ``limit`` characters, broken at spaces."""
    found: list[str] = []
    for word in text.split(" "):
        if found and len(found[-1]) + 1 + len(word) <= limit:
            found[-1] += f" {word}"
        else:
            found.append(word)
    kept = [line if len(line) <= limit else f"{line[: limit - 1]}…" for line in found[:lines]]
    return kept if len(found) <= lines else [*kept[:-1], f"{kept[-1][: limit - 1]}…"]
