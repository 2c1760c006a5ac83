"""One-shot watches: no event is lost, none comes before its cause, none after the new data was seen.

A watcher reads something and leaves a watch, then goes on reading. What it saw and what it was told
stands in one log, in the order in which it reached the client: the first read, then reads and events. A
read has a ``mark``, which changes whenever what is watched does: the mzxid of data, the pzxid of
children, 0 for a znode that is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from checkers.accesses import hexed
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import OK, History

Entry: TypeAlias = Mapping[str, Any]
_SHOWN = 8


def watches(f: str = "watch") -> Checker:
    """``ok`` of ``f`` carries ``kind`` and ``log``: entries with ``mark``, or with ``event``.

    Each has the number of its ``connection``: an event tells what will be seen on the same one.
    Anomalies: ``lost-event`` (new data, and never a word), ``event-after-data`` (the word came later
    than the data), ``event-without-cause`` (after the word the old data), ``event-twice``. Unknown when
    no watch was ever called.
    """

    def check(history: History, options: Options) -> Verdict:
        operations = history.clients().operations()
        rows = operations.where(f, outcome=OK).tolist()
        logs = [(int(operations.ret_index[row]), operations.value[row]) for row in rows]
        events = sum("event" in entry for _, value in logs for entry in value["log"])
        moved = sum(_connections(value["log"]) > 1 for _, value in logs)
        counts = {"watch-count": len(logs), "event-count": events, "reconnected-count": moved}
        if not events:
            reason = f"none of {len(logs)} watches was called, so nothing was tested"
            return Verdict(checker="watches", valid="unknown", counts=counts, reason=reason)
        found = [anomaly for index, value in logs for anomaly in _judge(index, value)]
        return Verdict(
            checker="watches", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _connections(log: Sequence[Entry]) -> int:
    return len({entry["connection"] for entry in log})


def _judge(index: int, value: Mapping[str, Any]) -> Iterable[Anomaly]:
    log: Sequence[Entry] = value["log"]
    mark = log[0]["mark"]
    events = [place for place, entry in enumerate(log) if "event" in entry]
    changed = [place for place, entry in enumerate(log) if entry.get("mark", mark) != mark]
    what = f"the watch on the {value['kind']} of {value['key']} (op {index})"
    told = events[0] if events else len(log)
    if changed and changed[0] < told:
        seen = f"{what} was set at {_shown(mark)}, and {_shown(log[changed[0]]['mark'])} was read"
        if events:
            yield _anomaly("event-after-data", f"{seen} before it was called", index, log)
        else:
            yield _anomaly("lost-event", f"{seen}, but it was never called", index, log)
    if len(events) > 1:
        yield _anomaly("event-twice", f"{what} was called {len(events)} times", index, log)
    after = _next_read(log, told)
    if after is not None and mark and after["mark"] == mark:
        text = f"{what} was told {log[told]['event']!r}, but then {_shown(mark)} was read as before"
        yield _anomaly("event-without-cause", text, index, log)


def _next_read(log: Sequence[Entry], told: int) -> Entry | None:
    """The first read after the event, if it was on the same connection."""
    for entry in log[told + 1 :]:
        if "mark" in entry:
            return entry if entry["connection"] == log[told]["connection"] else None
    return None


def _shown(mark: int) -> str:
    return f"zxid {hexed(mark)}" if mark else "no znode"


def _anomaly(name: str, message: str, index: int, log: Sequence[Entry]) -> Anomaly:
    return Anomaly(name=name, message=message, ops=(index,), details={"log": list(log)})
