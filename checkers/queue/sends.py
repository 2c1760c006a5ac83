"""Whether messages stand in the order in which they were sent: by one client, and in real time.

nonmonotonic-send and its int- kind, and int-send-skip, are Jepsen's. send-inversion is not: of two
messages of a partition, the one that was acknowledged before the other was sent comes first.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from checkers import counter
from checkers.queue.messages import Ints, Messages
from checkers.queue.promises import SHOWN, Found, Promises, verdict
from checkers.queue.versions import Versions
from checkers.verdict import Anomaly, Verdict
from history.history import FAIL, OK


def sends(messages: Messages, versions: Versions, promises: Promises) -> Verdict:
    """The verdict on all producers. Unknown when nobody sent two messages to one partition."""
    earlier, later = _successive(messages, versions)
    kinds = [*_orders(messages, versions, earlier, later), _inverted(messages, versions)]
    return verdict(
        "sends",
        kinds,
        allowed=promises.allowed(),
        counts={"compared-count": len(earlier)},
        nothing=None if len(earlier) else "nobody sent two messages to one partition",
    )


def _successive(messages: Messages, versions: Versions) -> tuple[Ints, Ints]:
    """Pairs of sends, one right after the other, by one process to one partition, both placed."""
    sent, operations = messages.sends, messages.operations
    placed = np.flatnonzero((_ranks(messages, versions, last=False) >= 0) & (sent.outcome != FAIL))
    process, key = operations.process[sent.row[placed]], sent.key[placed]
    order = placed[np.lexsort((placed, key, process))]
    same = (operations.process[sent.row[order[1:]]] == operations.process[sent.row[order[:-1]]]) & (
        sent.key[order[1:]] == sent.key[order[:-1]]
    )
    return order[:-1][same], order[1:][same]


def _ranks(messages: Messages, versions: Versions, *, last: bool) -> Ints:
    """Where each send went: as acknowledged, else where its message was seen first or last."""
    seen = (versions.last if last else versions.first)[messages.sends.message]
    return np.where(versions.of_send >= 0, versions.of_send, seen)


def _orders(messages: Messages, versions: Versions, earlier: Ints, later: Ints) -> list[Found]:
    """A message that stands at several offsets gets the benefit of the doubt."""
    first = _ranks(messages, versions, last=False)[earlier]
    second = _ranks(messages, versions, last=True)[later]
    inside = messages.sends.row[earlier] == messages.sends.row[later]
    back = second <= first
    skips = inside & (second > first + 1)
    kind = partial(_kind, messages, versions, earlier, later)
    return [
        kind(np.flatnonzero(back & ~inside), "nonmonotonic-send"),
        kind(np.flatnonzero(back & inside), "int-nonmonotonic-send"),
        Found("int-send-skip", int(skips.sum()), ()),
    ]


def _kind(
    messages: Messages, versions: Versions, earlier: Ints, later: Ints, at: Ints, name: str
) -> Found:
    examples = [
        _pair(messages, versions, int(earlier[one]), int(later[one]), name, "sent")
        for one in at[:SHOWN].tolist()
    ]
    return Found(name, len(at), examples)


def _inverted(messages: Messages, versions: Versions) -> Found:
    """At most one pair of each partition."""
    sent, operations = messages.sends, messages.operations
    acked = np.flatnonzero((sent.outcome == OK) & (versions.of_send >= 0))
    acked = acked[np.argsort(sent.key[acked], kind="stable")]
    examples = []
    for rows in np.split(acked, np.flatnonzero(np.diff(sent.key[acked])) + 1):
        row = sent.row[rows]
        found = counter.inversion(versions.of_send[rows], operations.call[row], operations.ret[row])
        if found is not None:
            before, after = (int(rows[one]) for one in found)
            examples.append(_pair(messages, versions, before, after, "send-inversion", "acknowledged"))
    return Found("send-inversion", len(examples), examples[:SHOWN])


def _pair(
    messages: Messages, versions: Versions, before: int, after: int, name: str, done: str
) -> Anomaly:
    sent = messages.sends
    ops = messages.op(int(sent.row[before])), messages.op(int(sent.row[after]))
    ranks = (
        int(_ranks(messages, versions, last=False)[before]),
        int(_ranks(messages, versions, last=True)[after]),
    )
    one, other = (
        f"{messages.named(int(sent.message[send]))} at offset {versions.offset[rank]} (op {op})"
        for send, rank, op in zip((before, after), ranks, ops, strict=True)
    )
    return Anomaly(
        name=name,
        message=f"{one} was {done} before {other} was sent, and stands behind it",
        ops=ops if ops[0] != ops[1] else ops[:1],
        details={"key": messages.keys[int(sent.key[before])]},
    )
