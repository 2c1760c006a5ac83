"""Units that must be contiguous: can they be put in one order that respects real time?

A unit is a set of operations that no other may come between in any linearization: a value's writer
and its readers, a tenure of a lock. Its zone spans its first return ``f`` and its last call ``s``.
Unit U must come before V exactly if f_U < s_V, and a total order exists exactly if no two units must
come before each other: Gibbons & Korach, "Testing shared memories" (1997), theorem 4.2, for any unit.
A longer cycle of units always contains a shorter one, so a witness is always two units.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]


def conflict(first_return: Ints, last_call: Ints) -> tuple[int, int] | None:
    """Two units that must come before each other, or None if there is an order; O(n log n).

    Both arrays have one entry per unit: the least return and the greatest call of its operations, on
    one time axis. The operations of a unit are taken to be in order among themselves.
    """
    forward = np.flatnonzero(first_return < last_call)
    forward = forward[np.argsort(first_return[forward], kind="stable")]
    starts, ends = first_return[forward], last_call[forward]
    overlap = np.flatnonzero(ends[:-1] > starts[1:])
    if overlap.size:
        return int(forward[overlap[0]]), int(forward[overlap[0] + 1])
    backward = np.flatnonzero(first_return >= last_call)
    if not backward.size or not forward.size:
        return None
    around = np.searchsorted(starts, last_call[backward], side="left") - 1
    inside = np.flatnonzero((around >= 0) & (ends[around] > first_return[backward]))
    if inside.size:
        return int(forward[around[inside[0]]]), int(backward[inside[0]])
    return None


def order(first_return: Ints, last_call: Ints) -> NDArray[np.intp]:
    """The units in an order that respects real time, where ``conflict`` found none.

    Forward zones stand by their start; the others by their own, behind a forward zone that covers it.
    """
    forward = first_return < last_call
    starts = np.sort(first_return[forward])
    ends = np.sort(last_call[forward])
    place = np.where(forward, first_return, last_call)
    if starts.size:
        around = np.searchsorted(starts, last_call, side="left") - 1
        covered = ~forward & (around >= 0) & (ends[around] > last_call)
        place = np.where(covered, ends[around], place)
    return np.lexsort((last_call, forward, place))
