"""Moments that are no operation of a client and no fault: a leader, a session, what an observer saw.

They come from named processes of the history, and from lines of the nodes' logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from history.history import History
from history.op import NEMESIS, Op
from reports.logs import Log
from reports.text import brief, safe

MAX_MARKS = 2_000
LEADER = "leader"
SESSION = "session"
OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """At ``time_us``; ``kind`` is leader, session or other; ``node`` is None if unknown.

    ``index`` is that of the event, -1 for a line of a log.
    """

    index: int
    time_us: int
    kind: str
    node: str | None
    text: str


def marks(history: History) -> tuple[Mark, ...]:
    """What named processes other than the nemesis recorded, at most ``MAX_MARKS`` of it."""
    codes = [code for code, name in history.process_names.items() if name != NEMESIS]
    rows = np.flatnonzero(np.isin(history.process, codes))[:MAX_MARKS]
    return tuple(_mark(history[int(row)]) for row in rows)


def log_marks(logs: Sequence[Log], patterns: Mapping[str, str]) -> tuple[Mark, ...]:
    """Lines of the logs in which the pattern of a kind is found, at most ``MAX_MARKS``.

    A pattern that is none, as a file may hold it, finds nothing.
    """
    found = [
        Mark(index=-1, time_us=time_us, kind=kind, node=log.node, text=f"{log.node}: {safe(line)}")
        for kind, pattern in _compiled(patterns)
        for log in logs
        for time_us, line in zip(log.times_us, log.lines, strict=True)
        if time_us >= 0 and pattern.search(line)
    ]
    return tuple(sorted(found, key=lambda mark: mark.time_us)[:MAX_MARKS])


def _compiled(patterns: Mapping[str, str]) -> Iterator[tuple[str, re.Pattern[str]]]:
    for kind in (LEADER, SESSION, OTHER):
        with suppress(re.error, TypeError):
            if kind in patterns:
                yield kind, re.compile(patterns[kind])


def _mark(op: Op) -> Mark:
    value = "" if op.value is None else f" {brief(op.value, 120)}"
    return Mark(
        index=op.index,
        time_us=op.time // 1000,
        kind=_kind(op.f),
        node=_node(op),
        text=f"{safe(str(op.process), limit=40)}: {safe(op.f, limit=60)}{value}",
    )


def _kind(f: str) -> str:
    if LEADER in f or "elect" in f:
        return LEADER
    return SESSION if SESSION in f or "expire" in f or "connect" in f else OTHER


def _node(op: Op) -> str | None:
    if op.node is not None:
        return op.node
    named = op.value.get("node") or op.value.get("leader") if isinstance(op.value, Mapping) else None
    return named if isinstance(named, str) else None
