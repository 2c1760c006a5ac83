"""Moments that are no operation of a client and no fault: a leader, a session, what an observer saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from history.history import History
from history.op import NEMESIS, Op
from reports.text import brief, safe

MAX_MARKS = 2_000
LEADER = "leader"
SESSION = "session"
OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """At ``time_us``; ``kind`` is leader, session or other; ``node`` is None if unknown."""

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
