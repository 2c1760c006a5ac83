"""G0 and G1c: operations that overtake each other, when each has to come before the other.

ww: two messages that stand next to each other in a partition; wr: whoever polled a message comes after
its sender. A cycle of the former alone is G0, of both G1c. Kafka does not isolate what a client sends
at once, and neither do its transactions, so that both are normal and only counted.
"""

from __future__ import annotations

import numpy as np

from checkers.graph import Edges, shortest_cycle
from checkers.queue.messages import Ints, Messages, among
from checkers.queue.promises import Found
from checkers.queue.versions import Versions
from checkers.verdict import Anomaly
from history.history import FAIL


def cycles(messages: Messages, versions: Versions) -> list[Found]:
    """One example of each, if there is any; where no operation takes two steps there is none."""
    if not _may_overtake(messages):
        return []
    ww, wr = _ww(messages, versions), _wr(messages)
    kinds = []
    for name, edges in (("G0", [ww]), ("G1c", [ww, wr])):
        cycle = shortest_cycle(len(messages.operations), edges)
        if cycle is None or (name == "G1c" and "wr" not in cycle.reasons):
            continue
        ops = tuple(map(messages.op, cycle.operations))
        text = " and ".join(f"op {op} ({why})" for op, why in zip(ops, cycle.reasons, strict=True))
        example = Anomaly(name=name, message=f"each comes before the next, in a circle: {text}", ops=ops)
        kinds.append(Found(name, 1, [example]))
    return kinds


def _may_overtake(messages: Messages) -> bool:
    sends, runs = messages.sends, messages.runs
    return bool((np.diff(sends.row) == 0).any() or among(sends.row, runs.row).any())


def _writers(messages: Messages) -> Ints:
    """The operation that sent each message, -1 for none."""
    writer = np.full(len(messages.home), -1, dtype=np.int64)
    sends = messages.sends
    writer[sends.message[sends.outcome != FAIL]] = sends.row[sends.outcome != FAIL]
    return writer


def _ww(messages: Messages, versions: Versions) -> Edges:
    rank, first = np.unique(versions.entry_rank, return_index=True)
    writer = _writers(messages)[versions.entry_message[first]]
    next_to = versions.key[rank[1:]] == versions.key[rank[:-1]]
    return _edges(writer[:-1][next_to], writer[1:][next_to], "ww")


def _wr(messages: Messages) -> Edges:
    return _edges(_writers(messages)[messages.reads.message], messages.reads.row, "wr")


def _edges(source: Ints, target: Ints, reason: str) -> Edges:
    real = (source >= 0) & (target >= 0) & (source != target)
    return Edges(source[real], target[real], reason)
