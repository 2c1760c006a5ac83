"""Committed offsets: kept, not gone back on, and never ahead of what the group has polled.

Anomalies: ``committed-offset-went-back`` (what was read as committed is older than a commit that had
been acknowledged, and no commit under way explains it); ``commit-went-back`` (a consumer committed
less than before, or less than where it began, without having been moved); ``unprocessed`` (a message
below what a group committed, that none of its members polled).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from checkers.queue.messages import Messages, Step
from checkers.queue.promises import SHOWN, Found, found, verdict
from checkers.queue.versions import Versions
from checkers.verdict import Anomaly, Verdict
from history.history import OK, PENDING


@dataclass(frozen=True, slots=True)
class _Commit:
    """An offset that was committed, or read as committed (None: there was none).

    ``call`` and ``ret`` are times of the clients' common clock if all steps tell it, else rows;
    ``sure`` is false if it may not have happened.
    """

    group: str
    key: int
    offset: int | None
    row: int
    index: int
    call: int
    ret: int
    sure: bool


def offsets(messages: Messages, versions: Versions) -> Verdict:
    """The verdict on all groups' offsets. Unknown when none was committed, or none read back."""
    commits, reads = list(_of(messages, "commit")), list(_of(messages, "committed"))
    acked = [one for one in commits if one.sure]
    kinds = [
        found("committed-offset-went-back", _back(messages, commits, acked, reads)),
        found("commit-went-back", _less(messages)),
        _unprocessed(messages, versions, acked),
    ]
    missing = "committed" if not acked else "read back" if not reads else None
    return verdict(
        "offsets",
        kinds,
        allowed=frozenset(),
        counts={"commit-count": len(acked), "committed-read-count": len(reads)},
        nothing=f"no offset was {missing}" if missing else None,
    )


def _of(messages: Messages, name: str) -> Iterator[_Commit]:
    operations = messages.operations
    both = [step for step in messages.steps if step.name in ("commit", "committed")]
    timed = all("from_ns" in step.about for step in both)
    for step in both:
        if step.name != name:
            continue
        about, sure = step.about, operations.outcome[step.row] == OK and "type" not in step.about
        call = int(about["from_ns"] if timed else operations.call[step.row])
        ret = int(about["until_ns"] if timed else operations.ret[step.row])
        for key, offset in step.content.items():
            yield _Commit(
                group=str(about.get("group", "")),
                key=key,
                offset=offset,
                row=step.row,
                index=messages.op(step.row),
                call=call,
                ret=ret if sure else PENDING,
                sure=sure,
            )


def _back(
    messages: Messages, commits: Sequence[_Commit], acked: Sequence[_Commit], reads: Sequence[_Commit]
) -> Iterator[Anomaly]:
    """Offsets are a register: what is read was written by a commit that may be the last one."""
    for read in reads:
        if not read.sure:
            continue
        before = [one for one in acked if _same(one, read) and one.ret < read.call]
        if not before:
            continue
        newest = max(before, key=lambda one: one.call)
        may_be_last = any(
            one.offset == read.offset and one.ret > newest.call and one.call < read.ret
            for one in commits
            if _same(one, read)
        )
        if not may_be_last:
            was = "nothing" if read.offset is None else read.offset
            text = (
                f"{read.group or 'a group'} committed {newest.offset} of {messages.keys[read.key]}"
                f" (op {newest.index}), and after that {was} was read as committed (op {read.index})"
            )
            yield Anomaly(
                name="committed-offset-went-back",
                message=text,
                ops=(newest.index, read.index),
                details={"key": messages.keys[read.key], "group": read.group},
            )


def _same(one: _Commit, other: _Commit) -> bool:
    return one.group == other.group and one.key == other.key


def _less(messages: Messages) -> Iterator[Anomaly]:
    """By process: a commit below the last one, or below where its partition was taken up."""
    stands: dict[tuple[int, int], tuple[int, Step]] = {}
    for step in messages.steps:
        process = int(messages.operations.process[step.row])
        for key, offset in step.content.items():
            if step.name in ("position", "assigned", "revoked"):
                stands.pop((process, key), None)
            if step.name in ("position", "commit") and offset is not None and "type" not in step.about:
                last = stands.get((process, key))
                if last is not None and offset < last[0]:
                    yield _less_one(messages, last[1], step, key)
                stands[process, key] = offset, step


def _less_one(messages: Messages, before: Step, after: Step, key: int) -> Anomaly:
    one, other = messages.op(before.row), messages.op(after.row)
    did = "committed" if before.name == "commit" else "stood at"
    text = (
        f"process {messages.operations.process[after.row]} {did} {before.content[key]} of"
        f" {messages.keys[key]} (op {one}) and then committed {after.content[key]} (op {other})"
    )
    ops = tuple(dict.fromkeys((one, other)))
    return Anomaly(name="commit-went-back", message=text, ops=ops)


def _unprocessed(messages: Messages, versions: Versions, acked: Sequence[_Commit]) -> Found:
    """Of each group and partition, the known offsets below the highest commit that no member polled."""
    highest: dict[tuple[str, int], _Commit] = {}
    for one in acked:
        last = highest.get((one.group, one.key))
        if last is None or _offset(one) > _offset(last):
            highest[one.group, one.key] = one
    members, outside = _members(messages), messages.full_readings()
    examples: list[Anomaly] = []
    count = 0
    for (group, key), commit in highest.items():
        low, high = versions.rank(key, 0), versions.rank(key, _offset(commit))
        reader = (np.isin(messages.operations.process, members[group]) & ~outside)[messages.reads.row]
        missed = np.setdiff1d(np.arange(low, high), versions.of_read[reader])
        count += len(missed)
        for rank in missed[: SHOWN - len(examples)].tolist():
            offset = int(versions.offset[rank])
            text = (
                f"{group or 'a group'} committed {commit.offset} of {messages.keys[key]}"
                f" (op {commit.index}), but none of its members polled offset {offset}"
            )
            details = {"key": messages.keys[key], "offset": offset, "group": group}
            examples.append(
                Anomaly(name="unprocessed", message=text, ops=(commit.index,), details=details)
            )
    return Found("unprocessed", count, examples)


def _offset(commit: _Commit) -> int:
    return -1 if commit.offset is None else commit.offset


def _members(messages: Messages) -> Mapping[str, list[int]]:
    """Processes by group, as their commits and assignments say."""
    members: dict[str, dict[int, Any]] = {}
    for step in messages.steps:
        if step.name in ("commit", "assigned", "committed"):
            process = int(messages.operations.process[step.row])
            members.setdefault(str(step.about.get("group", "")), {})[process] = None
    return {group: list(processes) for group, processes in members.items()}
