"""Snowflake IDs say who made them, and when, and both are true.

The order of IDs of different nodes is only as good as their clocks: it is bounded by the skew that the
nemesis put between them, as it was read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from checkers.clocks import bounds, offsets
from checkers.handed_out import HandedOut, Ints, handed_out, nodes_of
from checkers.monotonic import extremes, inversions
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import History

_MS = 1_000_000
_SHOWN = 8


def snowflake(f: str = "next") -> Checker:
    """The fields of every ID in ``f`` agree with its node and with that node's clock.

    Options: ``node_ids`` by node and ``epoch_ms`` are needed; ``start_wall_ns`` is the true time at
    the start of the run, without which timestamps cannot be judged; ``clock_tolerance_ms``, 10 unless
    given, is how exactly clocks are read back. Unknown when no ID was received; raises ValueError for
    a node that is not in ``node_ids``, and for nemesis events that do not say what clocks showed.
    """

    def check(history: History, options: Options) -> Verdict:
        ids = handed_out(history, f)
        if not len(ids.row):
            return _unknown(f"no operation {f!r} succeeded, so no ID can be judged")
        view = _view(history, ids, options)
        found = {
            "wrong-node-id": _wrong_node_ids(view),
            "timestamp-off-clock": _off_clock(view) if view.start_wall_ns is not None else [],
            "order-beyond-skew": _out_of_order(view),
        }
        anomalies = tuple(anomaly for some in found.values() for anomaly in some[:_SHOWN])
        counts = {f"{name}-count": len(some) for name, some in found.items()}
        counts |= {"id-count": len(ids.flat)}
        if view.start_wall_ns is None and not anomalies:
            return _unknown("option 'start_wall_ns' is missing, so timestamps cannot be judged", counts)
        return Verdict(checker="snowflake", valid=not anomalies, anomalies=anomalies, counts=counts)

    return check


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _View:
    """The IDs taken apart, and the offsets that each operation's node may have had meanwhile, in ns."""

    history: History
    ids: HandedOut
    op: Ints
    timestamp_ns: Ints
    node_id: Ints
    expected_id: Ints
    low_ns: Ints
    high_ns: Ints
    tolerance_ns: int
    epoch_ms: int
    start_wall_ns: int | None


def _view(history: History, ids: HandedOut, options: Options) -> _View:
    node, names = nodes_of(history, ids.row)
    expected = np.array([_node_id(options, name) for name in names])[node]
    number = np.array(ids.flat, dtype=np.int64)
    op = ids.op_of_id()
    low, high = _skew(history, ids, node, names)
    start = options.get("start_wall_ns")
    return _View(
        history=history,
        ids=ids,
        op=op,
        timestamp_ns=((number >> 22) + int(options["epoch_ms"])) * _MS,
        node_id=number >> 12 & 1023,
        expected_id=expected[op],
        low_ns=low,
        high_ns=high,
        tolerance_ns=round(options.get("clock_tolerance_ms", 10) * _MS),
        epoch_ms=int(options["epoch_ms"]),
        start_wall_ns=None if start is None else int(start),
    )


def _node_id(options: Options, node: str) -> int:
    node_ids: Mapping[str, Any] = options["node_ids"]
    if node not in node_ids:
        raise ValueError(f"option 'node_ids' does not name node {node!r}; it must name each node")
    return int(node_ids[node])


def _skew(history: History, ids: HandedOut, node: Ints, names: list[str]) -> tuple[Ints, Ints]:
    """The least and the greatest offset of its node's clock during each operation."""
    clocks = offsets(history, names)
    low, high = np.empty(len(node), dtype=np.int64), np.empty(len(node), dtype=np.int64)
    called, returned = history.time[ids.call], history.time[ids.row]
    for code, name in enumerate(names):
        of_node = node == code
        low[of_node], high[of_node] = bounds(clocks[name], called[of_node], returned[of_node])
    return low, high


def _wrong_node_ids(view: _View) -> list[Anomaly]:
    return [
        _anomaly(
            view,
            place,
            "wrong-node-id",
            f"says it is of node id {view.node_id[place]}, not {view.expected_id[place]}",
        )
        for place in _one_per_op(view, view.node_id != view.expected_id)
    ]


def _off_clock(view: _View) -> list[Anomaly]:
    assert view.start_wall_ns is not None
    times = view.history.time
    earliest = view.start_wall_ns + times[view.ids.call] + view.low_ns - view.tolerance_ns - _MS
    latest = view.start_wall_ns + times[view.ids.row] + view.high_ns + view.tolerance_ns
    early = earliest[view.op] - view.timestamp_ns
    late = view.timestamp_ns - latest[view.op]
    return [
        _anomaly(
            view,
            place,
            "timestamp-off-clock",
            f"is stamped {max(early[place], late[place]) / _MS:.3f} ms "
            f"{'before' if early[place] > 0 else 'after'} anything that node's clock showed meanwhile",
        )
        for place in _one_per_op(view, (early > 0) | (late > 0))
    ]


def _out_of_order(view: _View) -> list[Anomaly]:
    """When a completed before b was invoked, a is younger by no more than its clock was ahead of b's."""
    least, greatest = extremes(view.ids, view.timestamp_ns)
    slack = 2 * view.tolerance_ns + _MS
    high, low = greatest - view.high_ns, least - view.low_ns + slack
    return [_inverted(view, a, b) for a, b in inversions(view.ids.row, view.ids.call, low, high)]


def _one_per_op(view: _View, wrong: NDArray[np.bool_]) -> Iterable[int]:
    places = np.flatnonzero(wrong)
    _, one_each = np.unique(view.op[places], return_index=True)
    return [int(place) for place in places[one_each]]


def _anomaly(view: _View, place: int, name: str, what: str) -> Anomaly:
    row = int(view.ids.row[view.op[place]])
    one, node = view.ids.flat[place], view.history.node[row]
    index = int(view.history.index[row])
    return Anomaly(
        name=name,
        message=f"ID {one} of {node} (op {index}) {what}",
        ops=(index,),
        details={
            "id": one,
            "node": node,
            "timestamp-ms": (one >> 22) + view.epoch_ms,
            "node-id": one >> 12 & 1023,
            "sequence": one & 4095,
        },
    )


def _inverted(view: _View, a: int, b: int) -> Anomaly:
    row_a, row_b = int(view.ids.row[a]), int(view.ids.row[b])
    index_a, index_b = int(view.history.index[row_a]), int(view.history.index[row_b])
    skew_ms = int(view.high_ns[a] - view.low_ns[b]) / _MS
    return Anomaly(
        name="order-beyond-skew",
        message=f"{view.history.node[row_b]} was asked (op {index_b}) after "
        f"{view.history.node[row_a]} had answered (op {index_a}), but its ID is older by more than "
        f"the {skew_ms:.3f} ms that lay between their clocks",
        ops=(index_a, index_b),
        details={"skew-ms": skew_ms},
    )


def _unknown(reason: str, counts: Mapping[str, Any] | None = None) -> Verdict:
    return Verdict(checker="snowflake", valid="unknown", reason=reason, counts=counts or {})
