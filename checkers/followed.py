"""Watches that stay: each change is told once, before the changed znode is read, until they are removed.

A follower adds a persistent or a recursive watch and then goes on reading one znode. What it read and
what its server told it stands in one log, in the order in which it reached the client. The znode's
``version`` counts the changes of its data and its ``cversion`` those of its children, so between two
reads on one connection exactly as many events are due. Between connections nothing is: the real
server does not make up for what happened meanwhile either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import OK, History

Entry: TypeAlias = Mapping[str, Any]
_SHOWN = 8
_COUNTED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("persistent", "version"): ("data_changed",),
    ("persistent", "cversion"): ("children_changed",),
    ("recursive", "version"): ("data_changed",),
    ("recursive", "cversion"): ("created", "deleted"),
}
"""By the kind of watch and the counter that is read: the events that tell of it."""


def followed(f: str = "follow") -> Checker:
    """``ok`` of ``f`` carries ``kind`` (``persistent`` or ``recursive``), ``key`` (the znode that is
    read) and ``log``: entries with ``version`` and ``cversion``, with ``event`` and ``path``, or with
    ``removed``, false if the server knew of no watch. Each has the number of its ``connection``.

    Anomalies: ``lost-event`` (a change was read and never told), ``event-after-data`` (it was told after
    it was read), ``event-without-cause`` (more was told than changed), ``children-told`` (a recursive
    watch told that children changed; each child speaks for itself), ``event-after-removal``,
    ``watch-gone``. Unknown when nothing was told.
    """

    def check(history: History, options: Options) -> Verdict:
        operations = history.clients().operations()
        rows = operations.where(f, outcome=OK).tolist()
        logs = [(int(operations.ret_index[row]), operations.value[row]) for row in rows]
        counts = {
            "followed-count": len(logs),
            "followed-event-count": sum("event" in entry for _, value in logs for entry in value["log"]),
            "removed-count": sum(bool(entry.get("removed")) for _, v in logs for entry in v["log"]),
        }
        if not counts["followed-event-count"]:
            reason = f"none of {len(logs)} watches that stay was called, so they were not tested"
            return Verdict(checker="followed", valid="unknown", counts=counts, reason=reason)
        found = [anomaly for index, value in logs for anomaly in _judge(index, value)]
        return Verdict(
            checker="followed", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _judge(index: int, value: Mapping[str, Any]) -> Iterator[Anomaly]:
    log: Sequence[Entry] = value["log"]
    what = f"the {value['kind']} watch of {value['key']} (op {index})"
    removed = next((place for place, entry in enumerate(log) if "removed" in entry), len(log))
    if removed < len(log) and not log[removed]["removed"]:
        yield _anomaly("watch-gone", f"{what} was not known to the server any more", index, log)
    if after := [entry for entry in log[removed:] if "event" in entry]:
        text = f"{what} was removed, and then called for {after[0]['event']!r}"
        yield _anomaly("event-after-removal", text, index, log)
    if value["kind"] == "recursive" and any(e.get("event") == "children_changed" for e in log):
        yield _anomaly("children-told", f"{what} told that children changed", index, log)
    for connection, entries in groupby(log[:removed], key=lambda entry: entry["connection"]):
        part = list(entries)
        for counter in ("version", "cversion"):
            for name, text in _compare(part, value["key"], value["kind"], counter):
                yield _anomaly(name, f"{what} on connection {connection} {text}", index, log)


def _compare(part: Sequence[Entry], key: str, kind: str, counter: str) -> Iterator[tuple[str, str]]:
    """What was told against what changed, on one connection, from the first read on."""
    sums = list(_sums(part, key, _COUNTED[kind, counter], counter))
    behind = [(told, changed) for told, changed in sums if told < changed]
    if behind:
        told, changed = behind[0]
        in_time = f"had told of {told} changes of the {counter} when {changed} were read"
        yield ("event-after-data" if sums[-1][0] >= changed else "lost-event"), in_time
    ahead = [(told, changed) for told, changed in sums if told > changed]
    if ahead:
        told, changed = ahead[0]
        yield "event-without-cause", f"told of {told} changes of the {counter}, and {changed} were read"


def _sums(
    part: Sequence[Entry], key: str, events: Sequence[str], counter: str
) -> Iterator[tuple[int, int]]:
    """At each read how many changes had been told since the first one, and how many there were."""
    first, told = None, 0
    for entry in part:
        if counter in entry:
            first = entry[counter] if first is None else first
            yield told, entry[counter] - first
        elif first is not None and "event" in entry:
            told += entry["event"] in events and _concerns(entry, key)


def _concerns(entry: Entry, key: str) -> bool:
    """Whether an event tells of the znode itself, or of a child of it if it is one of a child."""
    path: str = entry["path"]
    by_itself = entry["event"] in ("data_changed", "children_changed")
    return path == key if by_itself else path.rpartition("/")[0] == key


def _anomaly(name: str, message: str, index: int, log: Sequence[Entry]) -> Anomaly:
    return Anomaly(name=name, message=message, ops=(index,), details={"log": list(log)})
