"""A schedule of faults as bars along time, and the moment at which the run failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.events import brief_text
from reports.faults import family
from reports.shapes import CHARACTER, Box, Curve, Figure, Shape, Text
from reports.text import safe

WIDTH = 720.0
_LEFT, _ROW, _TOP = 196.0, 20.0, 6.0


def drawn(schedule: Sequence[Mapping[str, Any]], *, failed_at_s: float | None = None) -> Figure | None:
    """The faults of a schedule file, one below the other; None if there are none."""
    if not schedule:
        return None
    end_s = max(*(fault["at_s"] + fault["duration_s"] for fault in schedule), failed_at_s or 0.0, 0.001)
    bottom = _TOP + _ROW * len(schedule)
    shapes: list[Shape] = []
    for number, fault in enumerate(schedule):
        shapes += _row(fault, _TOP + _ROW * number, end_s)
    shapes.append(Curve(_LEFT, bottom + 3, _LEFT, bottom + 3, WIDTH, bottom + 3, False, "axis"))
    shapes.append(Text(_LEFT, bottom + 17, "0 s", "start", "label quiet"))
    shapes.append(Text(WIDTH, bottom + 17, f"{end_s:.1f} s", "end", "label quiet"))
    if failed_at_s is not None:
        x = _x(failed_at_s, end_s)
        shapes.append(Curve(x, 0, x, bottom / 2, x, bottom + 3, False, "edge clash"))
        middle = min(max(x, _LEFT + 90), WIDTH - 100)
        shapes.append(Text(middle, bottom + 17, f"failed at {failed_at_s:.3f} s", style="label alarm"))
    told = "; ".join(f"{_name(fault)} at {fault['at_s']:g} s" for fault in schedule)
    return Figure(width=WIDTH, height=bottom + 24, title=told, shapes=tuple(shapes))


def _row(fault: Mapping[str, Any], y: float, end_s: float) -> list[Shape]:
    start = _x(fault["at_s"], end_s)
    width = max(_x(fault["at_s"] + fault["duration_s"], end_s) - start, 4.0)
    most = int((_LEFT - 10) / CHARACTER)
    return [
        Text(_LEFT - 8, y + 14, brief_text(_name(fault), most), "end"),
        Box(start, y + 3, width, _ROW - 7, (), f"fault {family(str(fault['kind']))}"),
    ]


def _name(fault: Mapping[str, Any]) -> str:
    return safe(f"{fault['kind']} {' '.join(map(str, fault.get('nodes', ())))}", limit=100)


def _x(at_s: float, end_s: float) -> float:
    return _LEFT + (WIDTH - _LEFT) * at_s / end_s
