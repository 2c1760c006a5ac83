"""Operations against an order of the state changes that is known: versions, zxids, offsets, tenures.

The changes ("mutators") come in their forced order o_1 .. o_m; position j means "after j of them". An
observer has a set of positions that agree with what it saw. The mutators are in order exactly if
each returns after all before it were called; an observer may stand at j exactly if every mutator
up to j was called before it returned, and every later one returned after it was called. Both bounds
grow with j, so that the positions left are a range. Several observers: each stands at its least
position that is not before that of an observer that precedes it; the least fixpoint exists exactly
if they all fit. With a recorded order this is Gibbons & Korach (1997), section 4.3 ("read-map and
write-order given"); it holds for any sets of positions.

Where precedence is only that of the session, the same bounds taken over each session's own
operations decide sequential consistency and ZooKeeper's order: ``in_sessions``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from history.history import PENDING

Ints: TypeAlias = NDArray[np.int64]
Allowed: TypeAlias = Callable[[NDArray[np.intp], Ints], Ints]
"""``allowed(observers, at_least)``: each one's least allowed position from there, above m if none."""

NEVER_CALLED = -PENDING


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why the order cannot be: either two mutators or an observer without a position.

    Two mutators: ``after`` returned before ``before`` was called, but comes later in the order.
    Otherwise ``observer`` was called after mutator ``after`` returned, or after ``previous``, another
    observer that already stood at least at ``low``, and returned before mutator ``before`` was called:
    of the positions ``low`` to ``high`` that this leaves, none agrees with what it saw. The numbers
    count mutators and observers from 0; -1 stands for none.
    """

    observer: int = -1
    after: int = -1
    before: int = -1
    previous: int = -1
    low: int = 0
    high: int = 0


def exactly(positions: Ints) -> Allowed:
    """Each observer may stand at one position."""
    return lambda rows, at_least: np.where(at_least <= positions[rows], positions[rows], PENDING)


def anything_but(positions: Ints) -> Allowed:
    """Each observer may stand anywhere but at one position (at -1: anywhere)."""
    return lambda rows, at_least: at_least + (at_least == positions[rows])


def parity(odd: NDArray[np.bool_]) -> Allowed:
    """Each observer may stand at all odd or all even positions: a lock is held after an acquire."""
    return lambda rows, at_least: at_least + ((at_least % 2 == 1) != odd[rows])


def listed(starts: Ints, positions: Ints) -> Allowed:
    """Observer x may stand at ``positions[starts[x]:starts[x + 1]]``, ascending."""
    span = int(positions.max(initial=0)) + 2
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    keys = owner * span + positions

    def least(rows: NDArray[np.intp], at_least: Ints) -> Ints:
        wanted = rows * span + np.minimum(at_least, span - 1)
        place = np.searchsorted(keys, wanted)
        inside = place < starts[rows + 1]
        return np.where(inside, positions[np.where(inside, place, 0)] if len(positions) else 0, PENDING)

    return least


def holding(value: Ints, wanted: Ints) -> Allowed:
    """Each observer may stand where the object holds ``wanted``; ``value[j]`` is what it holds at j."""
    span = len(value) + 1
    keys = np.sort(value * span + np.arange(len(value)))

    def least(rows: NDArray[np.intp], at_least: Ints) -> Ints:
        sought = wanted[rows] * span + np.minimum(at_least, len(value))
        found = keys[np.minimum(np.searchsorted(keys, sought), len(keys) - 1)]
        hit = (found >= sought) & (found // span == wanted[rows])
        return np.where(hit, found % span, PENDING)

    return least


def lacking(value: Ints, unwanted: Ints) -> Allowed:
    """Each observer may stand where the object holds anything but ``unwanted``."""
    ends = np.flatnonzero(np.append(np.diff(value) != 0, True)) + 1
    run_end = np.append(ends[np.searchsorted(ends, np.arange(len(value)), side="right")], PENDING)

    def least(rows: NDArray[np.intp], at_least: Ints) -> Ints:
        place = np.minimum(at_least, len(value))
        held = np.append(value, -1)[place] == unwanted[rows]
        return np.where(held, run_end[place], np.where(place < len(value), place, PENDING))

    return least


def either(choice: NDArray[np.bool_], yes: Allowed, no: Allowed) -> Allowed:
    """Each observer's positions are those of ``yes`` where ``choice`` says so, else those of ``no``."""
    return lambda rows, at_least: np.where(choice[rows], yes(rows, at_least), no(rows, at_least))


def misfit(
    call: Ints, ret: Ints, observer_call: Ints, observer_ret: Ints, allowed: Allowed
) -> Misfit | None:
    """The first reason why observers and mutators (in order) do not fit, or None if they do.

    Stamps are on one time axis; an operation that never returned has ``PENDING``, a mutator that was
    there from the start may have any stamp below all others. numpy throughout, O(n log n) for each
    round of the fixpoint, of which there are few: a round only ever raises positions.
    """
    latest = np.maximum.accumulate(np.concatenate(([NEVER_CALLED], call)))
    behind = np.flatnonzero(ret < latest[:-1])
    if behind.size:
        after = int(behind[0])
        return Misfit(after=after, before=int(np.argmax(call[:after])))
    room = _room(call, ret, observer_call, observer_ret)
    unfit = _least_fixpoint(room.low, room.high, allowed, room.preceding)
    if unfit is None:
        return None
    x, position = unfit
    low, high = int(room.low[x]), int(room.high[x])
    floor = max(low, int(room.preceding(position)[x]))
    returned = np.flatnonzero(ret < observer_call[x])
    return Misfit(
        observer=x,
        after=int(returned[-1]) if floor == low and returned.size else -1,
        before=high if high < len(call) else -1,
        previous=room.previous(x, position) if floor > low else -1,
        low=floor,
        high=high,
    )


def seat(
    call: Ints, ret: Ints, observer_call: Ints, observer_ret: Ints, allowed: Allowed
) -> tuple[Ints, NDArray[np.bool_]] | None:
    """A position for every observer that respects real time, and a mask of those that it does not suit.

    For mutators that are in order. An observer none of whose positions is left stands at the least that
    is, and counts as unsuited; None if not even that is possible.
    """
    room = _room(call, ret, observer_call, observer_ret)
    rows = np.arange(len(observer_call))
    unsuited = np.zeros(len(rows), dtype=np.bool_)
    position, floor = np.full(len(rows), -1, dtype=np.int64), room.low
    while True:
        wanted = allowed(rows, floor)
        unsuited |= wanted > room.high
        raised = np.where(unsuited, floor, wanted)
        if (raised > room.high).any():
            return None
        if (raised == position).all():
            return position, unsuited
        position = raised
        floor = np.maximum(room.low, room.preceding(position))


@dataclass(frozen=True, slots=True, eq=False)
class _Room:
    """The positions that the mutators leave to each observer, and which observers precede it."""

    low: Ints
    high: Ints
    by_return: NDArray[np.intp]
    before: NDArray[np.intp]

    def preceding(self, position: Ints) -> Ints:
        """The greatest position of an observer that returned before each was called, -1 if none."""
        reached = np.maximum.accumulate(np.concatenate(([-1], position[self.by_return])))
        return reached[self.before]

    def previous(self, x: int, position: Ints) -> int:
        """The observer that has that position."""
        earlier = self.by_return[: self.before[x]]
        return int(earlier[np.argmax(position[earlier])])


def _room(call: Ints, ret: Ints, observer_call: Ints, observer_ret: Ints) -> _Room:
    latest = np.maximum.accumulate(np.concatenate(([NEVER_CALLED], call)))
    earliest = np.minimum.accumulate(np.append(ret, PENDING + 1)[::-1])[::-1]
    by_return = np.argsort(observer_ret, kind="stable")
    return _Room(
        low=np.searchsorted(earliest, observer_call, side="left").astype(np.int64),
        high=np.searchsorted(latest, observer_ret, side="right").astype(np.int64) - 1,
        by_return=by_return,
        before=np.searchsorted(observer_ret[by_return], observer_call, side="left"),
    )


def misfit_in_sessions(
    session: Ints,
    call: Ints,
    observer_session: Ints,
    observer_call: Ints,
    allowed: Allowed,
) -> Misfit | None:
    """As ``misfit``, but an operation precedes another only if it is earlier in the same session.

    Sessions are numbers; each does one operation at a time, so that calls alone order it. This is
    sequential consistency, and what ZooKeeper promises to a session, for a known order of writes.
    """
    mutators = len(call)
    sessions = np.concatenate((session, observer_session))
    program = np.lexsort((np.concatenate((call, observer_call)), sessions))
    group = np.cumsum(np.diff(sessions[program], prepend=sessions[program][:1]) != 0)
    back = group.max(initial=0) - group[::-1]
    own = np.where(program < mutators, program, -1)
    own_before = _running_max(own, group, mutators)
    behind = np.flatnonzero((own >= 0) & (own_before > own))
    if behind.size:
        return Misfit(after=int(own[behind[0]]), before=int(own_before[behind[0]]))
    place = np.empty_like(program)
    place[program] = np.arange(len(program))
    place = place[mutators:]
    to_go = np.where(own >= 0, mutators - own, -1)
    low = own_before[place] + 1
    high = np.minimum(mutators - _running_max(to_go[::-1], back, mutators)[::-1][place], mutators)

    def preceding(position: Ints) -> Ints:
        values = np.full(len(program), -1, dtype=np.int64)
        values[place] = position
        return _running_max(values, group, mutators)[place]

    unfit = _least_fixpoint(low, high, allowed, preceding)
    if unfit is None:
        return None
    x, position = unfit
    floor = max(int(low[x]), int(preceding(position)[x]))
    earlier = np.flatnonzero(
        (observer_session == observer_session[x]) & (observer_call < observer_call[x])
    )
    return Misfit(
        observer=x,
        after=int(low[x]) - 1 if floor == low[x] else -1,
        before=int(high[x]) if high[x] < mutators else -1,
        previous=int(earlier[np.argmax(position[earlier])]) if floor > low[x] else -1,
        low=floor,
        high=int(high[x]),
    )


def _running_max(values: Ints, group: Ints, greatest: int) -> Ints:
    """Greatest value before each place within its group, -1 if there is none; groups ascend."""
    shift = group * (greatest + 2)
    best = np.maximum.accumulate(np.concatenate(([0], values + 1 + shift)))[:-1]
    return np.maximum(best - shift, 0) - 1


def _least_fixpoint(
    low: Ints, high: Ints, allowed: Allowed, preceding: Callable[[Ints], Ints]
) -> tuple[int, Ints] | None:
    """An observer that finds no position and those of the others then, or None if all find one."""
    rows = np.arange(len(low))
    position, floor = np.full(len(rows), -1, dtype=np.int64), low
    while True:
        raised = allowed(rows, floor)
        beyond = np.flatnonzero(raised > high)
        if beyond.size:
            return int(beyond[0]), position
        if (raised == position).all():
            return None
        position = raised
        floor = np.maximum(low, preceding(position))
