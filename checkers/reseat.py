"""Failed cas against one order of the values that is known to be possible.

A register's order of values is not forced, so that a failed cas(a) without a place in one order may have
one in another. Where it has none, the order is changed nearby: a window of it is searched for another
linearization of the same operations that begins and ends with the same values, as what lies before
and behind the window does not notice. All windows mended: there is a linearization. Otherwise nothing
is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from checkers import known_order
from checkers.model import UNKNOWN, Action
from checkers.models import CAS_REGISTER
from checkers.search import search
from checkers.transitions import Operation, Problem
from history.history import PENDING

Ints: TypeAlias = NDArray[np.int64]

REACH = 12
"""Positions on either side of a failed cas that are put in question."""

STEPS_PER_OPERATION = 500


@dataclass(frozen=True, slots=True, eq=False)
class Mutators:
    """Writers in a possible order: stamps, value written, and value expected by a cas, else -1."""

    call: Ints
    ret: Ints
    value: Ints
    expected: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Observers:
    """Reads (mask) of ``value``, and failed cas, which found another value than ``value``."""

    call: Ints
    ret: Ints
    value: Ints
    reads: NDArray[np.bool_]


def fits(mutators: Mutators, observers: Observers, position: Ints) -> bool:
    """Whether a linearization was found; ``position[v]`` counts the writers up to that of v, else -1."""
    observed = position[observers.value]
    allowed = known_order.either(
        observers.reads, known_order.exactly(observed), known_order.anything_but(observed)
    )
    seated = known_order.seat(mutators.call, mutators.ret, observers.call, observers.ret, allowed)
    if seated is None:
        return False
    place, unsuited = seated
    if (unsuited & observers.reads).any():
        return False
    by_place = np.argsort(place, kind="stable")
    return all(
        _mended(mutators, observers, low, high, _between(by_place, place, low, high))
        for low, high in _windows(place[unsuited], len(mutators.value))
    )


def _windows(places: Ints, last: int) -> Iterator[tuple[int, int]]:
    """Positions around ``places``, overlapping windows joined."""
    low = high = -1
    for place in np.unique(places).tolist():
        if high >= 0 and place - REACH > high:
            yield low, high
            low = -1
        low = max(1, place - REACH) if low < 0 else low
        high = min(last, place + REACH)
    if high >= 0:
        yield low, high


def _between(by_place: NDArray[np.intp], place: Ints, low: int, high: int) -> list[int]:
    """The observers that stand from ``low`` to ``high``."""
    ends = np.searchsorted(place, [low, high + 1], sorter=by_place)
    found: list[int] = by_place[ends[0] : ends[1]].tolist()
    return found


def _mended(mutators: Mutators, observers: Observers, low: int, high: int, inside: list[int]) -> bool:
    """Whether what happens between positions ``low`` and ``high`` can be linearized in some order."""
    operations = [_mutator(mutators, place) for place in range(low, high)]
    operations += [_observer(observers, x) for x in inside]
    if high < len(mutators.value):
        end = Action("read", None, int(mutators.value[high - 1]))
        operations.append(Operation(2 * PENDING, 2 * PENDING + 1, end, -1))
    problem = Problem(CAS_REGISTER, int(mutators.value[low - 1]), operations)
    return search({None: problem}, max_steps=STEPS_PER_OPERATION * len(problem)).legal is True


def _mutator(mutators: Mutators, place: int) -> Operation:
    value, expected = int(mutators.value[place]), int(mutators.expected[place])
    pending = int(mutators.ret[place]) == PENDING
    action = Action("write", value)
    if expected >= 0:
        action = Action("cas", (expected, value), UNKNOWN if pending else True)
    ret = None if pending else int(mutators.ret[place])
    return Operation(int(mutators.call[place]), ret, action, place)


def _observer(observers: Observers, x: int) -> Operation:
    value = int(observers.value[x])
    action = Action("read", None, value) if observers.reads[x] else Action("cas", (value, -1), False)
    return Operation(int(observers.call[x]), int(observers.ret[x]), action, -1)
