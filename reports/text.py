"""Values of a history as text that cannot pretend to be something else."""

from __future__ import annotations

import re
from typing import Any

import orjson

MAX_CHARACTERS = 2_000
"""Longer texts are cut on the page, and say how long they were."""

# Controls, marks that turn the direction of text round, and what takes no room: shown by their number.
_DISGUISES = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def shown(value: Any, *, limit: int = MAX_CHARACTERS) -> str:
    """``value`` as JSON, in at most about ``limit`` characters; what is no JSON by its ``repr``."""
    return safe(_json(value), limit=limit)


def safe(text: str, *, limit: int = MAX_CHARACTERS) -> str:
    """``text`` with its disguises opened, cut after ``limit`` characters."""
    cut = text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"
    return cut if cut.isascii() and cut.isprintable() else _DISGUISES.sub(_number, cut)


def brief(value: Any, limit: int = 48) -> str:
    """``value`` for a line of a table."""
    text = safe(value, limit=limit * 4) if isinstance(value, str) else shown(value, limit=limit * 4)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def seconds(time_ns: float) -> str:
    """A time of the run, in seconds to the millisecond."""
    return f"{time_ns / 1e9:,.3f} s"


def duration(time_ns: float) -> str:
    """How long something took, in the unit that fits."""
    for unit, ns in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(time_ns) >= ns:
            number = time_ns / ns
            return f"{number:,.3g} {unit}" if abs(number) < 1000 else f"{number:,.0f} {unit}"
    return f"{time_ns:.0f} ns"


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return repr(value)


def _number(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
