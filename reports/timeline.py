"""What the page's timeline is drawn from, in two parcels: first what is seen, then what is told.

``geometry`` holds lanes, faults, marks, anomalies and the numbers of the operations; ``texts`` their
values, and the logs. The page draws as soon as it has the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from checkers.verdict import Anomaly
from history.history import PENDING, History
from reports.clocks import Clock
from reports.faults import Fault
from reports.logs import Log
from reports.marks import Mark
from reports.optable import OpTable, columns, op_table, processes, text_columns
from reports.packing import packed
from reports.text import safe
from reports.windows import Span, kept_rows

BUDGET_BYTES = 10_000_000
MAX_ANOMALIES = 200
_BESIDE_THE_OPERATIONS_BYTES = 400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """``geometry`` and ``texts`` are base64; ``kept`` of ``operations`` are in them.

    ``spans`` (µs) are the windows that were kept, empty if everything was.
    """

    geometry: str
    texts: str
    operations: int
    kept: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that is drawn beside the operations; ``concurrency`` is that of the clients."""

    nodes: tuple[str, ...]
    concurrency: int | None
    faults: tuple[Fault, ...]
    anomalies: tuple[Anomaly, ...]
    marks: tuple[Mark, ...]
    clocks: tuple[Clock, ...]
    logs: tuple[Log, ...]


def timeline(history: History, scene: Scene, *, budget_bytes: int | None = BUDGET_BYTES) -> Timeline:
    """The parcels; of a history that is too large for ``budget_bytes`` what lies around the trouble."""
    whole = len(history.operations())
    table = op_table(history, scene.nodes)
    made = _parcels(history, table, scene, ())
    room = None if budget_bytes is None else budget_bytes - _BESIDE_THE_OPERATIONS_BYTES
    spans: tuple[Span, ...] = ()
    most = whole
    while room is not None and sum(map(len, made)) > room and most > 1:
        most = max(int(most * room / sum(map(len, made)) * 0.95), 1)
        rows, spans = kept_rows(*_times_us(history), _moments_us(history, scene), most)
        table = op_table(history, scene.nodes, rows)
        made = _parcels(history, table, scene, spans)
    return Timeline(geometry=made[0], texts=made[1], operations=whole, kept=len(table), spans=spans)


def end_ns(history: History) -> int:
    """When the last event was, at least 1."""
    return max(int(history.time.max(initial=1)), 1)


def _parcels(history: History, table: OpTable, scene: Scene, spans: Sequence[Span]) -> tuple[str, str]:
    header = {
        "end": end_ns(history) // 1000 + 1,
        "nodes": table.nodes,
        "fs": table.fs,
        "concurrency": scene.concurrency,
        "processes": processes(table).tolist(),
        "faults": [_fault(fault) for fault in scene.faults],
        "anomalies": [
            {"name": safe(one.name), "ops": one.ops} for one in scene.anomalies[:MAX_ANOMALIES]
        ],
        "marks": [asdict(mark) for mark in scene.marks],
        "clocks": [asdict(clock) for clock in scene.clocks],
        "spans": spans,
    }
    codes, tail = text_columns(table)
    logs = [asdict(log) for log in scene.logs]
    return packed(header, columns(table)), packed({"logs": logs}, codes, tail)


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "number": fault.number,
        "kind": safe(fault.kind),
        "family": fault.family,
        "nodes": [safe(node) for node in fault.nodes],
        "arguments": fault.arguments,
        "begin": fault.begin_ns // 1000,
        "end": None if fault.end_ns is None else fault.end_ns // 1000,
        "landed": fault.landed,
        "evidence": safe(fault.evidence, limit=300),
        "ops": fault.ops,
    }


def _times_us(history: History) -> tuple[Any, Any]:
    operations = history.operations()
    end = np.where(operations.ret_time == PENDING, operations.call_time, operations.ret_time)
    return operations.call_time // 1000, end // 1000


def _moments_us(history: History, scene: Scene) -> list[int]:
    """Beginnings and ends of faults, and the operations of the first anomalies."""
    wanted = [op for anomaly in scene.anomalies[:MAX_ANOMALIES] for op in anomaly.ops]
    rows = np.flatnonzero(np.isin(history.index, wanted))
    moments = {int(history.time[row]) // 1000 for row in rows}
    for fault in scene.faults:
        moments.add(fault.begin_ns // 1000)
        if fault.end_ns is not None:
            moments.add(fault.end_ns // 1000)
    return sorted(moments)
