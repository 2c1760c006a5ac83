"""Which operations a page keeps when it cannot hold all: those around anomalies and faults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Span: TypeAlias = tuple[int, int]

_STEPS = 40


def kept_rows(
    call: Ints, end: Ints, moments: Sequence[int], most: int
) -> tuple[NDArray[np.intp], tuple[Span, ...]]:
    """Rows of at most about ``most`` operations, those nearest to ``moments``, and the spans they fill.

    All times have one unit. The windows around the moments have one width, as large as fits. Without
    moments the beginning of the run is kept.
    """
    if len(call) <= most:
        return np.arange(len(call)), ((int(call.min(initial=0)), int(end.max(initial=0))),)
    moments = sorted(moments) or [int(call[0])]
    low, high = 0, int(end.max()) + 1
    for _ in range(_STEPS):
        middle = (low + high) // 2
        if np.count_nonzero(_inside(call, end, _merged(moments, middle))) <= most:
            low = middle
        else:
            high = middle
        if high - low <= 1:
            break
    spans = _merged(moments, low)
    rows = np.flatnonzero(_inside(call, end, spans))
    return (rows[:most], spans) if len(rows) > most else (rows, spans)


def _merged(moments: Sequence[int], width: int) -> tuple[Span, ...]:
    """The windows of ``width`` to both sides of each moment, where they overlap as one."""
    spans: list[Span] = []
    for moment in moments:
        start, stop = max(moment - width, 0), moment + width
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(stop, spans[-1][1]))
        else:
            spans.append((start, stop))
    return tuple(spans)


def _inside(call: Ints, end: Ints, spans: Sequence[Span]) -> NDArray[np.bool_]:
    """Which operations touch a span; the spans are sorted and apart."""
    starts = np.array([start for start, _ in spans])
    stops = np.array([stop for _, stop in spans])
    return np.asarray(np.searchsorted(stops, call) < np.searchsorted(starts, end, side="right"))
