"""The operations of a witness as bars along time; of a lock or a leader, how long each held it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from history.history import INVOKE, OK, History
from reports.events import Shown, brief_text
from reports.shapes import Box, Curve, Figure, Shape, Text
from reports.text import duration, safe, seconds

WIDTH = 720.0
MAX_ROWS = 12
_LEFT, _RIGHT, _ROW, _TOP = 196.0, 14.0, 26.0, 14.0

ENDS: Mapping[str, frozenset[str]] = {
    "acquire": frozenset({"release"}),
    "try-acquire": frozenset({"release"}),
    "lock": frozenset({"unlock"}),
    "lead": frozenset({"resign", "step-down", "abdicate"}),
    "elect": frozenset({"resign", "step-down", "abdicate"}),
}
"""What is held from the return of the first to the call of one of the others, by the same process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """From ``start_ns`` to ``end_ns``, None if it never ends; ``op`` is the index it belongs to."""

    label: str
    text: str
    start_ns: int
    end_ns: int | None
    style: str
    op: int


def intervals(
    history: History, ops: Sequence[Shown], details: Mapping[str, Any] = MappingProxyType({})
) -> Figure | None:
    """The bars of ``ops``, one below the other, and what is in all of them when they are tenures.

    Tenures are those that ``details["held"]`` tells, ``[op, from, until]`` in ns each; else they last
    until the same process gave back.
    """
    held = [_believed(ops, *one) for one in beliefs(ops, details)]
    held = held or [tenure for op in ops[:MAX_ROWS] if (tenure := _tenure(history, op)) is not None]
    bars = held if len(held) >= 2 else [_bar(op) for op in ops[:MAX_ROWS]]
    if not bars:
        return None
    overlap = _overlap(bars) if len(held) >= 2 else None
    return _drawn(bars, overlap)


def beliefs(ops: Sequence[Shown], details: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """What ``details["held"]`` says of operations that are shown: op, from and until."""
    told, known = details.get("held"), {op.index for op in ops}
    found = [tuple(one) for one in told or () if len(one) == 3] if isinstance(told, list) else []
    return [one for one in found if one[0] in known]


def _believed(ops: Sequence[Shown], index: int, start_ns: int, end_ns: int) -> Bar:
    op = next(op for op in ops if op.index == index)
    return Bar(
        label=f"process {op.process}",
        text=f"believed to hold it for {duration(end_ns - start_ns)}",
        start_ns=start_ns,
        end_ns=end_ns,
        style="held",
        op=index,
    )


def _bar(op: Shown) -> Bar:
    style = op.type if op.type in ("ok", "fail", "info") else "info"
    return Bar(
        label=f"op {op.index}  process {op.process}" + (f" on {op.node}" if op.node else ""),
        text=op.summary,
        start_ns=op.call_ns,
        end_ns=op.ret_ns,
        style=style,
        op=op.index,
    )


def _tenure(history: History, op: Shown) -> Bar | None:
    if op.f not in ENDS or op.type != "ok" or op.ret_ns is None or op.ret is None:
        return None
    end_ns = _released_ns(history, op)
    return Bar(
        label=f"process {op.process}" + (f" on {op.node}" if op.node else ""),
        text=f"held since op {op.index}" + ("" if end_ns is not None else ", never given back"),
        start_ns=op.ret_ns,
        end_ns=end_ns,
        style="held",
        op=op.index,
    )


def _released_ns(history: History, op: Shown) -> int | None:
    """The call of the first release of the same process and key that succeeded."""
    ends = [code for code, f in enumerate(history.fs) if f in ENDS[op.f]]
    call = int(np.flatnonzero(history.index == op.call)[0])
    rows = np.flatnonzero(
        (history.process == history.process[call]) & np.isin(history.f, ends) & (history.type == INVOKE)
    )
    for row in rows[rows > call].tolist():
        partner = int(history.pair[row])
        if history.key[row] == history.key[call] and partner >= 0 and history.type[partner] == OK:
            return int(history.time[row])
    return None


def _overlap(bars: Sequence[Bar]) -> tuple[int, int | None] | None:
    """The time in which the first two bars both hold."""
    start = max(bar.start_ns for bar in bars[:2])
    ends = [bar.end_ns for bar in bars[:2] if bar.end_ns is not None]
    end = min(ends, default=None)
    return None if end is not None and end <= start else (start, end)


def _drawn(bars: Sequence[Bar], overlap: tuple[int, int | None] | None) -> Figure:
    scale = _Scale(bars)
    bottom = _TOP + _ROW * len(bars)
    shapes: list[Shape] = []
    if overlap is not None:
        shapes += _shaded(scale, overlap, bottom)
    for number, bar in enumerate(bars):
        shapes += _row(scale, bar, _TOP + _ROW * number)
    shapes += _axis(scale, bottom)
    return Figure(
        width=WIDTH,
        height=bottom + 40,
        title="; ".join(f"{bar.label}: {bar.text}, {_when(bar)}" for bar in bars),
        shapes=tuple(shapes),
    )


class _Scale:
    """Times to px; bars that never end run to the right border."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.start_ns = min(bar.start_ns for bar in bars)
        last = max(max(bar.start_ns, bar.end_ns or 0) for bar in bars)
        self.end_ns = max(last, self.start_ns + 1)
        if any(bar.end_ns is None for bar in bars):
            self.end_ns += max((self.end_ns - self.start_ns) // 4, 1000)

    def x(self, time_ns: int) -> float:
        part = (time_ns - self.start_ns) / (self.end_ns - self.start_ns)
        return _LEFT + 4 + part * (WIDTH - _RIGHT - _LEFT - 8)


def _row(scale: _Scale, bar: Bar, y: float) -> list[Shape]:
    x = scale.x(bar.start_ns)
    open_ = bar.end_ns is None
    end = WIDTH - _RIGHT if bar.end_ns is None else scale.x(bar.end_ns)
    width = max(end - x, 6.0)
    style = f"box {bar.style}" + (" open" if open_ else "")
    shapes: list[Shape] = [
        Text(_LEFT - 8, y + 16, brief_text(safe(bar.label), 28), "end"),
        Box(x, y + 3, width, _ROW - 8, (), style, bar.op),
    ]
    room = WIDTH - _RIGHT - x - width
    text = brief_text(bar.text, 40)
    if room > len(text) * 6.7 + 8:
        shapes.append(Text(x + width + 6, y + 16, text, "start", "label quiet"))
    elif x - _LEFT > len(text) * 6.7 + 8:
        shapes.append(Text(x - 6, y + 16, text, "end", "label quiet"))
    elif width > len(text) * 6.7 + 8:
        shapes.append(Text(x + 6, y + 16, text, "start", "label inside"))
    return shapes


def _shaded(scale: _Scale, overlap: tuple[int, int | None], bottom: float) -> list[Shape]:
    start, end = scale.x(overlap[0]), WIDTH - _RIGHT
    label = "both hold it, and neither gives it back"
    if overlap[1] is not None:
        end = scale.x(overlap[1])
        label = f"both hold it for {duration(overlap[1] - overlap[0])}"
    middle = min(max((start + end) / 2, _LEFT + 110), WIDTH - 130)
    return [
        Box(start, 2, max(end - start, 3.0), bottom, (), "overlap"),
        Text(middle, bottom + 32, label, style="label alarm"),
    ]


def _axis(scale: _Scale, bottom: float) -> list[Shape]:
    left, right = _LEFT + 4, WIDTH - _RIGHT - 4
    return [
        Curve(left, bottom + 4, left, bottom + 4, right, bottom + 4, arrow=False, style="axis"),
        Text(left, bottom + 18, seconds(scale.start_ns), "start", "label quiet"),
        Text(right, bottom + 18, seconds(scale.end_ns), "end", "label quiet"),
    ]


def _when(bar: Bar) -> str:
    end = "on" if bar.end_ns is None else f"to {seconds(bar.end_ns)}"
    return f"from {seconds(bar.start_ns)} {end}"
