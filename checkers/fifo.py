"""A FIFO queue whose enqueued values are all different.

Henzinger, Sezgin & Vafeiadis, "Aspect-oriented linearizability proofs" (2013): a history is that of a
queue exactly if four kinds of violation are absent. VFresh: a dequeue that returned before its value
was enqueued. VRepet: a value dequeued twice. VOrd: of two values enqueued one after the other, the
later was dequeued before the earlier, or the earlier never. VWit: a dequeue found the queue empty
while it cannot have been. A pending dequeue may have taken any one value; with answers "empty" in the
same history that is left undecided, as are values enqueued twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from checkers.contradiction import HOLDS, UNDECIDED, Contradiction, Finding
from checkers.factorize import factorize
from checkers.model import EMPTY, State, refused
from checkers.models import FIFO_QUEUE
from checkers.rows import call, called, text
from history.history import FAIL, INFO, OK, PENDING, Operations

Ints: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Queue:
    """Per value: rows of its enqueue and its dequeue (-1: none) and their stamps; and the others.

    A value never dequeued has both stamps of its dequeue at PENDING.
    """

    operations: Operations
    enqueue: Ints
    dequeue: Ints
    enqueue_call: Ints
    enqueue_ret: Ints
    dequeue_call: Ints
    dequeue_ret: Ints
    empty: Rows
    pending: Rows


def decide(operations: Operations, initial: State = ()) -> Finding:
    """Whether one queue, empty at the start, is linearizable; it may be undecided.

    Operations are enqueue value and dequeue, which gives the value, or None if the queue was empty; a
    dequeue that failed with the error ``empty`` says the same. O(n log n), numpy throughout.
    """
    if initial:
        return UNDECIDED
    enqueues = np.flatnonzero(called(operations, "enqueue") & (operations.outcome != FAIL))
    dequeues, empty, pending = _dequeues(operations)
    flat = [operations.argument[row] for row in enqueues.tolist()]
    flat += [operations.value[row] for row in dequeues.tolist()]
    if not flat:
        return HOLDS
    numbers, count = factorize(flat)
    into, out = numbers[: len(enqueues)], numbers[len(enqueues) :]
    if (np.bincount(into, minlength=count) > 1).any():
        return UNDECIDED
    twice = np.flatnonzero(np.bincount(out, minlength=count) > 1)
    if twice.size:
        first, second = dequeues[out == twice[0]][:2].tolist()
        texts = f"{_text(operations, first)} and {_text(operations, second)}"
        return Contradiction(f"{texts} took the same value out", (first, second))
    enqueue, dequeue = np.full((2, count), -1, dtype=np.int64)
    enqueue[into], dequeue[out] = enqueues, dequeues
    return _never_enqueued(operations, enqueue, dequeue) or _judge(
        _queue(operations, enqueue, dequeue, empty, pending)
    )


def _dequeues(operations: Operations) -> tuple[Rows, Rows, Rows]:
    """Rows of the dequeues that gave a value, that found nothing, and that are pending."""
    rows = np.flatnonzero(called(operations, "dequeue"))
    outcome = operations.outcome[rows]
    nothing = np.array([operations.value[row] is None for row in rows.tolist()], dtype=np.bool_)
    empty = nothing & (outcome == OK)
    for place in np.flatnonzero(outcome == FAIL).tolist():
        empty[place] = refused(call(operations, int(rows[place])), error=EMPTY)
    return rows[(outcome == OK) & ~nothing], rows[empty], rows[outcome == INFO]


def _never_enqueued(operations: Operations, enqueue: Ints, dequeue: Ints) -> Contradiction | None:
    strange = dequeue[(dequeue >= 0) & (enqueue < 0)]
    if not strange.size:
        return None
    row = int(strange.min())
    return Contradiction(f"{_text(operations, row)} gave a value that nobody enqueued", (row,))


def _queue(operations: Operations, enqueue: Ints, dequeue: Ints, empty: Rows, pending: Rows) -> _Queue:
    """The values that were in the queue for certain; a pending enqueue was if its value came out."""
    there = np.flatnonzero((enqueue >= 0) & ((operations.ret[enqueue] != PENDING) | (dequeue >= 0)))
    enqueue, dequeue = enqueue[there], dequeue[there]
    taken = dequeue >= 0
    return _Queue(
        operations=operations,
        enqueue=enqueue,
        dequeue=dequeue,
        enqueue_call=operations.call[enqueue],
        enqueue_ret=operations.ret[enqueue],
        dequeue_call=np.where(taken, operations.call[dequeue], PENDING),
        dequeue_ret=np.where(taken, operations.ret[dequeue], PENDING),
        empty=empty,
        pending=pending,
    )


def _judge(queue: _Queue) -> Finding:
    certain = _not_fresh(queue)
    if certain is not None:
        return certain
    found = _out_of_order(queue) or _not_empty(queue)
    if found is None:
        return HOLDS
    if not queue.pending.size:
        return found
    if queue.empty.size:
        return UNDECIDED
    return _out_of_order(_with_pending(queue)) or HOLDS


def _not_fresh(queue: _Queue) -> Contradiction | None:
    """VFresh."""
    early = np.flatnonzero(queue.dequeue_ret < queue.enqueue_call)
    if not early.size:
        return None
    rows = (int(queue.dequeue[early[0]]), int(queue.enqueue[early[0]]))
    first, second = (_text(queue.operations, row) for row in rows)
    return Contradiction(f"{first} returned before {second} was called", rows)


def _out_of_order(queue: _Queue) -> Contradiction | None:
    """VOrd: for each value, the latest dequeue among the values surely enqueued before it.

    Pairs suffice: both relations are interval orders, in which a longer cycle has a shorter one.
    """
    by_return = np.argsort(queue.enqueue_ret, kind="stable")
    before = np.searchsorted(queue.enqueue_ret[by_return], queue.enqueue_call, side="left")
    latest = np.maximum.accumulate(np.concatenate(([-1], queue.dequeue_call[by_return])))
    wrong = np.flatnonzero(queue.dequeue_ret < latest[before])
    if not wrong.size:
        return None
    later = int(wrong[0])
    earlier = by_return[: before[later]]
    first = int(earlier[np.argmax(queue.dequeue_call[earlier])])
    rows = (queue.enqueue[first], queue.enqueue[later], queue.dequeue[later], queue.dequeue[first])
    texts = [_text(queue.operations, int(row)) for row in rows[:3]]
    fate = "was never dequeued" if rows[3] < 0 else "was dequeued only after that"
    return Contradiction(
        f"{texts[0]} returned before {texts[1]} was called, but {texts[2]} came out first:"
        f" the older value {fate}",
        tuple(int(row) for row in rows if row >= 0),
    )


def _not_empty(queue: _Queue) -> Contradiction | None:
    """VWit: a dequeue that found nothing, all of whose time some value was surely in the queue."""
    present = np.flatnonzero(queue.enqueue_ret < queue.dequeue_call)
    if not present.size or not queue.empty.size:
        return None
    present = present[np.argsort(queue.enqueue_ret[present], kind="stable")]
    starts = queue.enqueue_ret[present]
    ends = np.maximum.accumulate(queue.dequeue_call[present])
    fresh = np.flatnonzero(np.append(True, starts[1:] >= ends[:-1]))
    union_ends = ends[np.append(fresh[1:], len(ends)) - 1]
    begun, ret = queue.operations.call[queue.empty], queue.operations.ret[queue.empty]
    around = np.searchsorted(starts[fresh], begun, side="left") - 1
    wrong = np.flatnonzero((around >= 0) & (ret < union_ends[around]))
    if not wrong.size:
        return None
    row = int(queue.empty[wrong[0]])
    cover = _cover(queue, present, int(begun[wrong[0]]), int(ret[wrong[0]]))
    values = " and then ".join(_text(queue.operations, int(queue.enqueue[value])) for value in cover)
    return Contradiction(
        f"{_text(queue.operations, row)}, but the queue held the value of {values} all the while",
        (*(int(queue.enqueue[value]) for value in cover), row),
    )


def _cover(queue: _Queue, present: Rows, begun: int, ret: int) -> list[int]:
    """Few values whose stays overlap and together cover the time from ``begun`` to ``ret``."""
    cover: list[int] = []
    covered = begun
    while covered <= ret:
        reaching = present[queue.enqueue_ret[present] < covered]
        best = int(reaching[np.argmax(queue.dequeue_call[reaching])])
        cover.append(best)
        covered = int(queue.dequeue_call[best])
    return cover


def _with_pending(queue: _Queue) -> _Queue:
    """Let pending dequeues take the values that are missing, the earliest deadlines first.

    A value is due when a younger one has surely come out. Values that nobody misses stay.
    """
    by_call = np.argsort(queue.enqueue_call, kind="stable")
    least = np.minimum.accumulate(np.append(queue.dequeue_ret[by_call], PENDING)[::-1])[::-1]
    younger = np.searchsorted(queue.enqueue_call[by_call], queue.enqueue_ret, side="right")
    due = np.where(queue.dequeue < 0, least[younger], PENDING)
    missing = np.argsort(due, kind="stable")[: np.count_nonzero(due < PENDING)][: len(queue.pending)]
    taken = np.sort(queue.operations.call[queue.pending])[: len(missing)]
    dequeue_call = queue.dequeue_call.copy()
    dequeue_call[missing] = taken
    return _Queue(
        operations=queue.operations,
        enqueue=queue.enqueue,
        dequeue=queue.dequeue,
        enqueue_call=queue.enqueue_call,
        enqueue_ret=queue.enqueue_ret,
        dequeue_call=dequeue_call,
        dequeue_ret=queue.dequeue_ret,
        empty=queue.empty,
        pending=queue.pending,
    )


def _text(operations: Operations, row: int) -> str:
    return text(FIFO_QUEUE, operations, row)
