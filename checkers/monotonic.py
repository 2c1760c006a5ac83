"""A node's IDs grow: within an answer, and from one answer to any that was asked for later."""

from __future__ import annotations

import numpy as np

from checkers.handed_out import HandedOut, Ints, handed_out, nodes_of, ranks
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import History

_SHOWN = 8


def monotonic(f: str = "next") -> Checker:
    """Per node, when ``f`` has completed before another ``f`` is invoked, all its IDs are smaller.

    Concurrent operations may come in any order. An operation that got a list must have got it in
    ascending order. Strings compare as text, so UUIDs as numbers. Unknown when no ID was received;
    raises ValueError when an answer does not say which node gave it.
    """

    def check(history: History, options: Options) -> Verdict:
        ids = handed_out(history, f)
        if not len(ids.row):
            reason = f"no operation {f!r} succeeded, so there is nothing to order"
            return Verdict(checker="monotonic", valid="unknown", reason=reason)
        node, names = nodes_of(history, ids.row)
        rank = ranks(ids.flat)
        found = [*_within(history, ids, rank)]
        low, high = extremes(ids, rank)
        for code, _ in enumerate(names):
            of_node = np.flatnonzero(node == code)
            found += _between(history, ids, of_node, low[of_node], high[of_node])
        return Verdict(
            checker="monotonic",
            valid=not found,
            anomalies=tuple(found[:_SHOWN]),
            counts={"node-count": len(names), "non-monotonic-count": len(found)},
        )

    return check


def extremes(ids: HandedOut, rank: Ints) -> tuple[Ints, Ints]:
    """The least and the greatest of ``rank``, one number per ID, of each operation."""
    first = ids.first()
    return np.minimum.reduceat(rank, first), np.maximum.reduceat(rank, first)


def inversions(row: Ints, call: Ints, low: Ints, high: Ints) -> list[tuple[int, int]]:
    """Pairs (a, b) where a completed before b was called although ``high[a] >= low[b]``.

    Operations stand in the order of their completions ``row``. One pair for each such b, with the a
    that has the greatest ``high``. O(n log n).
    """
    before = np.searchsorted(row, call)
    greatest = np.maximum.accumulate(high)
    late = np.flatnonzero((before > 0) & (greatest[before - 1] >= low))
    return [(int(np.argmax(high[: before[b]])), int(b)) for b in late.tolist()]


def _within(history: History, ids: HandedOut, rank: Ints) -> list[Anomaly]:
    starts = np.zeros(len(rank), dtype=np.bool_)
    starts[ids.first()] = True
    falls = np.flatnonzero((rank[1:] <= rank[:-1]) & ~starts[1:])
    op_of_id = ids.op_of_id()
    _, one_each = np.unique(op_of_id[falls], return_index=True)
    return [_fall(history, ids, int(op_of_id[place]), int(place)) for place in falls[one_each].tolist()]


def _fall(history: History, ids: HandedOut, op: int, place: int) -> Anomaly:
    row = int(ids.row[op])
    index, node = int(history.index[row]), history.node[row]
    first, second = ids.flat[place], ids.flat[place + 1]
    return Anomaly(
        name="non-monotonic",
        message=f"{node} gave {first} before {second} within one answer (op {index})",
        ops=(index,),
        details={"node": node, "ids": [first, second]},
    )


def _between(history: History, ids: HandedOut, of_node: Ints, low: Ints, high: Ints) -> list[Anomaly]:
    row, call = ids.row[of_node], ids.call[of_node]
    first = ids.first()
    found = []
    for a, b in inversions(row, call, low, high):
        ends = [ids.flat[first[op] : first[op] + ids.count[op]] for op in (of_node[a], of_node[b])]
        found.append(_inversion(history, int(row[a]), int(row[b]), max(ends[0]), min(ends[1])))
    return found


def _inversion(history: History, row_a: int, row_b: int, id_a: object, id_b: object) -> Anomaly:
    a, b = int(history.index[row_a]), int(history.index[row_b])
    node = history.node[row_a]
    return Anomaly(
        name="non-monotonic",
        message=f"{node} gave {id_a} (op {a}) and then, asked after that, {id_b} (op {b})",
        ops=(a, b),
        details={"node": node, "ids": [id_a, id_b]},
    )
