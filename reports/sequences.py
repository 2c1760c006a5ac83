"""Figures in which things stand in a row: what could be ordered and what not, offsets around a loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.events import Shown, brief_text
from reports.shapes import Box, Curve, Figure, Shape, Text
from reports.text import brief

WIDTH = 720.0
PREFIX_SHOWN = 3
OFFSETS_SHOWN = 24
_STATES = frozenset({"ok", "lost", "duplicated", "conflicting", "read", "unread"})
_AT_ONE_OFFSET = 3
"""How many messages that stand at one offset are named in its cell."""


def prefix(order: Sequence[Shown], ordered: int, states: Sequence[str], culprit: Shown) -> Figure:
    """The last operations of the longest order that was found, and what could not come next.

    ``order`` are the operations that end it, ``ordered`` is how many it has; ``states`` are what the
    object may have held then.
    """
    last = list(order[-PREFIX_SHOWN:])
    width = (WIDTH - 28 * len(last) - 4) / (len(last) + 1)
    shapes: list[Shape] = []
    for place, op in enumerate((*last, culprit)):
        x = 2 + place * (width + 28)
        shapes.append(_step(op, x, width, bad=op is culprit))
        if place:
            style = "edge clash" if op is culprit else "edge"
            shapes.append(Curve(x - 27, 55, x - 14, 55, x - 2, 55, style=style))
    before = ordered - len(last)
    told = f"… after {before} others" if before > 0 else "from the start"
    state = brief_text(" or ".join(states), 60) or "unknown"
    shapes.append(Text(4, 18, told, "start", "label quiet"))
    shapes.append(Text(WIDTH - 4, 18, "cannot come next", "end", "label alarm"))
    shapes.append(Text(4, 108, f"by then it is {state}", "start"))
    return Figure(
        width=WIDTH,
        height=120,
        title=f"{ordered} operations have an order, up to {state}; op {culprit.index} cannot follow",
        shapes=tuple(shapes),
    )


def _step(op: Shown, x: float, width: float, *, bad: bool) -> Box:
    most = int(width / 6.9)
    lines = (brief_text(f"op {op.index}  process {op.process}", most), brief_text(op.summary, most))
    return Box(x, 32, width, 46, lines, "box bad" if bad else f"box {op.type}", op.index)


def offsets(details: Mapping[str, Any]) -> Figure | None:
    """``details["log"]``, a list of ``[offset, state, text]``, as cells; None if there is no such list.

    The state is ok, read, unread, lost, duplicated or conflicting; a text that is a list names several
    messages at one offset.
    """
    cells = [one for one in _listed(details.get("log")) if len(_listed(one)) == 3][:OFFSETS_SHOWN]
    if not cells:
        return None
    width = min((WIDTH - 4) / len(cells), 90.0)
    most = max(int(width / 8), 2)
    told = [_cell(text, state, most) for _, state, text in cells]
    height = 14 + 16.0 * max(map(len, told))
    shapes: list[Shape] = []
    for place, ((offset, state, _), lines) in enumerate(zip(cells, told, strict=True)):
        x = 2 + place * width
        style = f"cell {state}" if state in _STATES else "cell"
        shapes.append(Box(x, 26, width - 2, height, lines, style))
        shapes.append(Text(x + width / 2, 18, brief(offset, most), style="label quiet"))
    return Figure(
        width=WIDTH,
        height=38 + height,
        title="; ".join(f"offset {brief(one[0])}: {brief(one[2])}, {brief(one[1])}" for one in cells),
        shapes=tuple(shapes),
    )


def _cell(text: Any, state: Any, most: int) -> tuple[str, ...]:
    """The lines of a cell: what stands there, a line for each message, and what became of it."""
    named = _listed(text)[:_AT_ONE_OFFSET] or (text,)
    return (*(brief(one, most) for one in named), brief(state, most))


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
