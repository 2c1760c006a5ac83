"""Whether each consumer polled on from where it stood: poll-skip, nonmonotonic-poll, int- of both.

A consumer stands behind the last message that it polled successfully, or where its position was last
set; of a partition that it is not assigned any more it stands nowhere. ``assign`` and ``subscribe``
keep the partitions that they name, as Jepsen's rules say, so that to be assigned the same one again
moves nothing. A consumer that subscribes may be moved by a rebalance at any time. Jepsen therefore
allows it everything for the whole run; here it is so only as long as its rebalances were not recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from checkers.queue.messages import Ints, Mask, Messages
from checkers.queue.promises import SHOWN, Found, Promises, verdict
from checkers.queue.standing import Moments, last_said
from checkers.queue.versions import Versions
from checkers.verdict import Anomaly, Verdict
from history.history import FAIL, OK

_UNKNOWN = -1
_MOVES = ("assigned", "revoked")
_NAMES = {
    (True, True): "int-poll-skip",
    (True, False): "int-nonmonotonic-poll",
    (False, True): "poll-skip",
    (False, False): "nonmonotonic-poll",
}


def polls(messages: Messages, versions: Versions, promises: Promises) -> Verdict:
    """The verdict on all consumers. Unknown when nobody polled twice in a row."""
    within, between = _inside(messages, versions), _between(messages, versions)
    free = _free(messages)
    kinds = [
        *_found(messages, versions, within, free),
        *_found(messages, versions, between, free),
    ]
    compared = len(within.after) + len(between.after)
    return verdict(
        "polls",
        kinds,
        allowed=promises.allowed(),
        counts={"compared-count": compared, "run-count": len(messages.runs.row)},
        nothing=None if compared else "no consumer polled on from anywhere",
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """``after`` is a row of the reads, ``expected`` the rank it should have.

    ``before`` is the operation that put the consumer there, ``wrong`` whether it does not stand there.
    """

    after: Ints
    expected: Ints
    before: Ints


def _inside(messages: Messages, versions: Versions) -> _Steps:
    """Within one list of messages each stands behind the one before it."""
    reads = messages.reads
    after = np.flatnonzero(reads.run[1:] == reads.run[:-1]) + 1
    return _Steps(after, versions.of_read[after - 1] + 1, reads.row[after])


def _between(messages: Messages, versions: Versions) -> _Steps:
    """A list begins where its consumer stands, if that is known."""
    reads, runs, operations = messages.reads, messages.runs, messages.operations
    begin = np.searchsorted(reads.run, np.arange(len(runs.row)))
    end = np.searchsorted(reads.run, np.arange(len(runs.row)), side="right") - 1
    where = operations.process[runs.row]
    polled = Moments(where, runs.row, runs.place, runs.key)
    row, place, key, moved = _moved(messages, versions)
    said = Moments(
        np.concatenate((where, operations.process[row])),
        np.concatenate((runs.row, row)),
        np.concatenate((runs.place, place)),
        np.concatenate((runs.key, key)),
    )
    stand = np.concatenate((versions.of_read[end] + 1, moved))
    counts = np.concatenate((operations.outcome[runs.row] == OK, np.ones(len(row), np.bool_)))
    before = last_said(said, counts, polled)
    known = np.flatnonzero(before >= 0)
    known = known[stand[before[known]] != _UNKNOWN]
    return _Steps(begin[known], stand[before[known]], said.row[before[known]])


def _moved(messages: Messages, versions: Versions) -> tuple[Ints, Ints, Ints, Ints]:
    """Operation, place in it, partition, and the rank where its consumer stands from then on."""
    found = [
        (step.row, step.place, key, _UNKNOWN if offset is None else versions.rank(key, int(offset)))
        for step in messages.steps
        if step.name in ("position", *_MOVES)
        for key, offset in step.content.items()
    ]
    found += _dropped(messages)
    table = np.array(found, dtype=np.int64).reshape(-1, 4)
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3]


def _dropped(messages: Messages) -> list[tuple[int, int, int, int]]:
    """Partitions that ``assign`` and ``subscribe`` do not name, of those the process ever polled."""
    operations, runs = messages.operations, messages.runs
    rows = operations.where("assign", "subscribe")
    rows = rows[operations.outcome[rows] != FAIL]
    polled: dict[int, set[int]] = {}
    for process, key in set(zip(operations.process[runs.row].tolist(), runs.key.tolist(), strict=True)):
        polled.setdefault(process, set()).add(key)
    return [
        (row, -1, key, _UNKNOWN)
        for row in rows.tolist()
        for key in sorted(polled.get(int(operations.process[row]), set()) - _named(messages, row))
    ]


def _named(messages: Messages, row: int) -> set[int]:
    """The partitions in the list that is the operation's value or its argument."""
    listed = messages.operations.argument[row]
    codes = {str(name): code for code, name in enumerate(messages.keys)}
    return {codes[str(one)] for one in listed or () if str(one) in codes}


def _free(messages: Messages) -> Mask:
    """Processes, by operation, that subscribed and whose rebalances nobody recorded."""
    operations = messages.operations
    if any(step.name in _MOVES for step in messages.steps):
        return np.zeros(len(operations), dtype=np.bool_)
    return np.isin(operations.process, operations.process[operations.where("subscribe")])


def _found(messages: Messages, versions: Versions, steps: _Steps, free: Mask) -> list[Found]:
    rank = versions.of_read[steps.after]
    row = messages.reads.row[steps.after]
    inside = row == steps.before
    wrong = (rank != steps.expected) & (inside | ~free[row])
    return [
        _kind(messages, versions, steps, np.flatnonzero(chosen), name)
        for (internal, skips), name in _NAMES.items()
        if (chosen := wrong & (inside == internal) & ((rank > steps.expected) == skips)).any()
    ]


def _kind(messages: Messages, versions: Versions, steps: _Steps, at: Ints, name: str) -> Found:
    examples = []
    for one in at[:SHOWN].tolist():
        read, expected = int(steps.after[one]), int(steps.expected[one])
        before, after = messages.op(int(steps.before[one])), messages.op(int(messages.reads.row[read]))
        key = messages.keys[int(messages.reads.key[read])]
        got = int(messages.reads.offset[read])
        process = int(messages.operations.process[messages.reads.row[read]])
        wanted = (
            f"offset {versions.offset[expected]}"
            if expected < len(versions.key) and versions.key[expected] == messages.reads.key[read]
            else "the end"
        )
        text = (
            f"process {process} stood at {wanted} of {key} (op {before}) and polled"
            f" {messages.named(int(messages.reads.message[read]))} at offset {got} (op {after})"
        )
        ops = (after,) if before == after else (before, after)
        details = {"key": key, "offset": got}
        examples.append(Anomaly(name=name, message=text, ops=ops, details=details))
    return Found(name, len(at), examples)
