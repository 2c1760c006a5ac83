"""Numbers handed out in order: monotone ids, and a dense counter that is incremented and read.

The values are the order (``checkers.known_order``): an operation that returned before another was called
must have the smaller one. Of a dense counter no value is missing, so that a hole is the work of an
increment that never returned; holes by value are given to the pending increments by call, which is
best because a hole's deadline, the first return of any larger value, grows with the value.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from checkers import known_order
from checkers.contradiction import HOLDS, Contradiction, Finding
from history.history import INFO, OK, PENDING, Operations

Ints: TypeAlias = NDArray[np.int64]


def inversion(value: Ints, call: Ints, ret: Ints) -> tuple[int, int] | None:
    """Two operations (earlier, later) of which the later one, in real time, has no larger value.

    All arrays have one entry per operation. O(n log n), O(n) where the values are nearly sorted.
    """
    by_value = np.lexsort((-call, value))  # of equal values the later one must be found behind
    misfit = known_order.misfit(call[by_value], ret[by_value], *_nobody())
    if misfit is None:
        return None
    return int(by_value[misfit.after]), int(by_value[misfit.before])


def fetch_and_add(operations: Operations) -> Finding:
    """Whether one counter, 0 at the start, is linearizable.

    Operations are increment, which gives the value after it, and read. Failed operations did nothing.
    """
    rows = operations.where("increment", outcome=OK)
    reads = operations.where("read", outcome=OK)
    value = np.array([operations.value[row] for row in rows.tolist()], dtype=np.int64)
    read = np.array([operations.value[row] for row in reads.tolist()], dtype=np.int64)
    found = _twice(operations, rows, value) or _negative(operations, rows, value, reads, read)
    if found:
        return found
    top = int(max(value.max(initial=0), read.max(initial=0)))
    pending = operations.where("increment", outcome=INFO)
    missing = top - len(rows)
    if missing > len(pending):
        return _too_few(operations, rows, value, reads, read, len(rows) + len(pending))
    mutators = np.empty(top, dtype=np.intp)
    taken = np.zeros(top, dtype=np.bool_)
    mutators[value - 1], taken[value - 1] = rows, True
    mutators[~taken] = pending[:missing]  # rows ascend by call
    misfit = known_order.misfit(
        operations.call[mutators],
        operations.ret[mutators],
        operations.call[reads],
        operations.ret[reads],
        known_order.exactly(read),
    )
    return HOLDS if misfit is None else _explained(operations, misfit, mutators, reads)


def _nobody() -> tuple[Ints, Ints, known_order.Allowed]:
    none = np.empty(0, dtype=np.int64)
    return none, none, known_order.exactly(none)


def _twice(operations: Operations, rows: NDArray[np.intp], value: Ints) -> Contradiction | None:
    order = np.argsort(value, kind="stable")
    same = np.flatnonzero(np.diff(value[order]) == 0)
    if not same.size:
        return None
    pair = rows[order[same[0] : same[0] + 2]].tolist()
    texts = " and ".join(_text(operations, row) for row in pair)
    return Contradiction(f"{texts} were given the same value", tuple(pair))


def _negative(
    operations: Operations, rows: NDArray[np.intp], value: Ints, reads: NDArray[np.intp], read: Ints
) -> Contradiction | None:
    low = np.concatenate((rows[value < 1], reads[read < 0]))
    if not low.size:
        return None
    return Contradiction(f"{_text(operations, int(low[0]))}: less than it can ever be", (int(low[0]),))


def _too_few(
    operations: Operations,
    rows: NDArray[np.intp],
    value: Ints,
    reads: NDArray[np.intp],
    read: Ints,
    most: int,
) -> Contradiction:
    beyond = np.concatenate((rows[value > most], reads[read > most]))
    row = int(beyond.min())
    return Contradiction(
        f"{_text(operations, row)}, but at most {most} increments can have happened", (row,)
    )


def _explained(
    operations: Operations,
    misfit: known_order.Misfit,
    mutators: NDArray[np.intp],
    reads: NDArray[np.intp],
) -> Contradiction:
    after, before = (
        int(mutators[place]) if place >= 0 else -1 for place in (misfit.after, misfit.before)
    )
    if misfit.observer < 0:
        return Contradiction(
            f"{_text(operations, after)} returned before {_text(operations, before)} was called,"
            f" which has place {misfit.before + 1} before its {misfit.after + 1}",
            (after, before),
        )
    row = int(reads[misfit.observer])
    previous = int(reads[misfit.previous]) if misfit.previous >= 0 else -1
    return Contradiction(
        f"{_text(operations, row)}, but the counter stood between {misfit.low} and {misfit.high}",
        tuple(one for one in (previous, after, row, before) if one >= 0),
    )


def _text(operations: Operations, row: int) -> str:
    name = operations.fs[operations.f[row]]
    what = name if operations.ret[row] == PENDING else f"{name} to {operations.value[row]!r}"
    what = what.replace("read to", "read of")
    return f"{what} (process {operations.process[row]})"
