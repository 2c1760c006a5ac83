"""Mutual exclusion: locks that know their owner, with fencing tokens, and locks that do not.

An owner's acquire and its next release make a tenure, a unit for ``checkers.zones`` that is always
forward: from the acquire's return to the release's call the lock is held for certain. Tenures sorted
by start must not overlap, and that is their order in any linearization; what observes the lock
(a ``try-acquire`` that failed) is judged against it by ``checkers.known_order``, and fencing tokens
must grow along it (Kleppmann, "How to do distributed locking", 2016).

An anonymous mutex, which anyone may release, is judged by a greedy sweep: whatever must be scheduled
now takes, where the lock is in the wrong state, the open operation of the other kind that is due first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise
from typing import Any

import numpy as np

from checkers import known_order
from checkers.contradiction import HOLDS, UNDECIDED, Contradiction, Finding
from checkers.model import HELD, State, refused
from checkers.rows import call, name
from history.history import FAIL, INFO, OK, PENDING, Operations


@dataclass(frozen=True, slots=True)
class Tenure:
    """One owner's time with the lock: rows of the outermost acquire and its release, -1 if none.

    The lock is held from ``start`` to ``end`` for certain, ``PENDING`` if it was never released.
    """

    acquire: int
    release: int
    start: int
    end: int


def decide_owned(operations: Operations, initial: State = None) -> Finding:
    """Whether one lock, free at the start, was held by one owner at a time; the owner is the process.

    Operations are acquire, release (of what one holds) and try-acquire; a try-acquire that failed
    with the error ``held`` says that somebody held the lock, any other failure says nothing.
    """
    return UNDECIDED if initial is not None else mutual_exclusion(operations)


def mutual_exclusion(
    operations: Operations,
    *,
    reentrant: bool = False,
    tokens: Sequence[Any] | None = None,
    owners: Sequence[Any] | None = None,
) -> Finding:
    """Whether one lock was held by one owner at a time.

    ``reentrant``: an owner may acquire again what it holds, and must release as often. ``tokens``: the
    fencing token of each operation, None where it has none. ``owners``: the owner of each operation, the
    process if not given; an owner must do one operation at a time. Exact; O(n log n).
    """
    found = tenures(operations, reentrant=reentrant, owners=owners)
    if isinstance(found, Contradiction):
        return found
    return (
        _overlap(operations, found)
        or _unfenced(operations, found, tokens)
        or _denied(operations, found)
        or HOLDS
    )


def tenures(
    operations: Operations, *, reentrant: bool = False, owners: Sequence[Any] | None = None
) -> list[Tenure] | Contradiction:
    """Every tenure by start, or the operation of one owner that contradicts its own earlier ones."""
    held: dict[Any, list[int]] = {}
    found: list[Tenure] = []
    owner_of = operations.process.tolist() if owners is None else owners
    for row in range(len(operations)):
        function, outcome, owner = name(operations, row), int(operations.outcome[row]), owner_of[row]
        stack = held.setdefault(owner, [])
        if outcome == FAIL or (function != "release" and outcome == INFO):
            continue
        if function == "release":
            if stack:
                acquire = stack.pop()
                if not stack:
                    found.append(_tenure(operations, acquire, row))
            elif outcome == OK:
                return Contradiction(f"{_text(operations, row)} succeeded, but it held nothing", (row,))
        elif stack and not reentrant:
            rows = (stack[0], row)
            texts = " and then ".join(_text(operations, one) for one in rows)
            return Contradiction(f"{texts} both succeeded without a release between them", rows)
        else:
            stack.append(row)
    found += [_tenure(operations, stack[0], -1) for stack in held.values() if stack]
    return sorted(found, key=lambda tenure: tenure.start)


def _tenure(operations: Operations, acquire: int, release: int) -> Tenure:
    end = PENDING if release < 0 else int(operations.call[release])
    return Tenure(acquire, release, int(operations.ret[acquire]), end)


def _overlap(operations: Operations, found: Sequence[Tenure]) -> Contradiction | None:
    for one, other in pairwise(found):
        if one.end > other.start:
            rows = [one.acquire, other.acquire] + [one.release] * (one.release >= 0)
            texts = [_text(operations, row) for row in rows]
            until = f"{texts[2]} was called" if one.release >= 0 else "any release of the first"
            return Contradiction(
                f"two holders at once: {texts[0]} and {texts[1]} had both succeeded before {until}",
                tuple(rows),
            )
    return None


def _unfenced(
    operations: Operations, found: Sequence[Tenure], tokens: Sequence[Any] | None
) -> Contradiction | None:
    """A fencing token that did not grow from one tenure to a later one."""
    greatest: int | None = None
    for tenure in found:
        if tokens is None or tokens[tenure.acquire] is None:
            continue
        if greatest is not None and tokens[tenure.acquire] <= tokens[greatest]:
            rows = (greatest, tenure.acquire)
            first, second = (f"{_text(operations, row)} with token {tokens[row]!r}" for row in rows)
            return Contradiction(f"{second} came after {first}: tokens must grow", rows)
        greatest = tenure.acquire
    return None


def _denied(operations: Operations, found: Sequence[Tenure]) -> Contradiction | None:
    """A try-acquire that found the lock held when nobody can have held it.

    Of the pending acquires at most one can matter: the earliest called, as the last tenure, without end.
    """
    denied = [
        row
        for row in operations.where("try-acquire", outcome=FAIL).tolist()
        if refused(call(operations, row), error=HELD)
    ]
    if not denied:
        return None
    rows = [row for tenure in found for row in (tenure.acquire, tenure.release) if row >= 0]
    misfit = _unseated(operations, rows, denied)
    waiting = operations.where("acquire", "try-acquire", outcome=INFO)
    if misfit is not None and waiting.size and not (found and found[-1].end == PENDING):
        misfit = _unseated(operations, [*rows, int(waiting[0])], denied)
    if misfit is None:
        return None
    around = [rows[place] for place in (misfit.after, misfit.before) if 0 <= place < len(rows)]
    return Contradiction(
        f"{_text(operations, denied[misfit.observer])} found the lock held, but nobody held it then",
        (denied[misfit.observer], *around),
    )


def _unseated(
    operations: Operations, mutators: Sequence[int], denied: Sequence[int]
) -> known_order.Misfit | None:
    changes, observers = np.array(mutators, dtype=np.intp), np.array(denied, dtype=np.intp)
    return known_order.misfit(
        operations.call[changes],
        operations.ret[changes],
        operations.call[observers],
        operations.ret[observers],
        known_order.parity(np.ones(len(observers), dtype=np.bool_)),
    )


def decide_anonymous(operations: Operations, initial: State = False) -> Finding:
    """Whether one mutex, which anyone may release, is linearizable; ``initial`` says if it is held.

    Operations are acquire and release; failed ones say nothing, pending ones are used only at need.
    O(n log n).
    """
    held, last = bool(initial), -1
    open_: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    scheduled: set[int] = set()
    for returns, row in _events(operations):
        acquires = name(operations, row) != "release"
        if not returns:
            heappush(open_[acquires], (int(operations.ret[row]), row))
        elif row not in scheduled:
            if held == acquires:
                other = _due_first(open_[not acquires], scheduled)
                if other is None:
                    return _blocked(operations, row, last, held)
                last = other
            scheduled.add(row)
            held, last = acquires, row
    return HOLDS


def _events(operations: Operations) -> list[tuple[bool, int]]:
    """(returns, row) of what may have happened, in order of time."""
    happened = np.flatnonzero(operations.outcome != FAIL)
    returned = np.flatnonzero(operations.outcome == OK)
    events = [(2 * int(operations.call[row]), int(row)) for row in happened]
    events += [(2 * int(operations.ret[row]) + 1, int(row)) for row in returned]
    return [(bool(stamp & 1), row) for stamp, row in sorted(events)]


def _due_first(open_: list[tuple[int, int]], scheduled: set[int]) -> int | None:
    """Schedule the open operation that must return first."""
    while open_:
        _, row = heappop(open_)
        if row not in scheduled:
            scheduled.add(row)
            return row
    return None


def _blocked(operations: Operations, row: int, last: int, held: bool) -> Contradiction:
    since = "from the start" if last < 0 else f"since {_text(operations, last)}"
    wanted = "release" if held else "acquire"
    return Contradiction(
        f"{_text(operations, row)} succeeded, but the mutex was {'held' if held else 'free'} {since},"
        f" and no {wanted} was open that could have come between",
        (last, row) if last >= 0 else (row,),
    )


def _text(operations: Operations, row: int) -> str:
    return f"{name(operations, row)} by process {operations.process[row]}"
