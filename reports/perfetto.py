"""A run as a trace in the Chrome JSON format, for ui.perfetto.dev and its relatives."""

from __future__ import annotations

from typing import Any

import orjson

from history.history import History
from reports.faults import Fault, faults
from reports.material import Material
from reports.optable import op_table
from reports.text import safe

_CLIENTS, _NODES = 1, 2
_OUTCOMES = ("no completion", "ok", "fail", "info")


def perfetto(run: Material) -> bytes:
    """One track per process with its operations, one per node with its faults, anomalies as instants.

    Times are in µs, as the format has it. An operation without a completion lasts to the end.
    """
    thrown = faults(run.history)
    events = [
        *_names(run),
        *_operations(run),
        *(event for fault in thrown for event in _fault(fault, run)),
        *_anomalies(run),
    ]
    return orjson.dumps(
        {
            "traceEvents": events,
            "displayTimeUnit": "ms",
            "otherData": {"run": run.name, "title": safe(run.title), "repeat": run.repeat},
        }
    )


def _names(run: Material) -> list[dict[str, Any]]:
    named = [(_CLIENTS, 0, "process_name", "clients"), (_NODES, 0, "process_name", "nodes")]
    processes = sorted({int(process) for process in run.history.process if process >= 0})
    named += [(_CLIENTS, process, "thread_name", f"process {process}") for process in processes]
    named += [(_NODES, number, "thread_name", safe(node)) for number, node in enumerate(run.nodes)]
    return [
        {"ph": "M", "pid": pid, "tid": tid, "name": name, "args": {"name": text}}
        for pid, tid, name, text in named
    ]


def _operations(run: Material) -> list[dict[str, Any]]:
    table = op_table(run.history, run.nodes)
    end_us = _end_us(run.history)
    columns = (table.call, table.end, table.outcome, table.process, table.f, table.node, table.index)
    texts = (table.key, table.argument, table.value, table.error)
    events = []
    for call, end, outcome, process, f, node, index, key, argument, value, error in zip(
        *(column.tolist() for column in (*columns, *texts)), strict=True
    ):
        told = {
            "op": index,
            "outcome": _OUTCOMES[outcome],
            "node": table.nodes[node],
            "key": table.texts[key],
            "argument": table.texts[argument],
            "value": table.texts[value],
            "error": table.texts[error],
        }
        events.append(
            {
                "ph": "X",
                "pid": _CLIENTS,
                "tid": process,
                "ts": call,
                "dur": (end if outcome else end_us) - call,
                "name": table.fs[f],
                "cat": _OUTCOMES[outcome],
                "args": {name: text for name, text in told.items() if text != ""},
            }
        )
    return events


def _fault(fault: Fault, run: Material) -> list[dict[str, Any]]:
    """Faults overlap, which slices of one track must not: they are asynchronous."""
    end_us = _end_us(run.history) if fault.end_ns is None else fault.end_ns // 1000
    common = {"cat": "fault", "name": safe(fault.kind), "id": fault.number, "pid": _NODES, "tid": 0}
    told = {"nodes": list(fault.nodes), "landed": fault.landed, "evidence": safe(fault.evidence)}
    return [
        {**common, "ph": "b", "ts": fault.begin_ns // 1000, "args": told},
        {**common, "ph": "e", "ts": end_us},
    ]


def _anomalies(run: Material) -> list[dict[str, Any]]:
    time_us = dict(zip(run.history.index.tolist(), (run.history.time // 1000).tolist(), strict=True))
    return [
        {
            "ph": "i",
            "s": "g",
            "pid": _CLIENTS,
            "tid": 0,
            "ts": time_us[anomaly.ops[-1]],
            "name": safe(anomaly.name),
            "args": {"message": safe(anomaly.message), "ops": list(anomaly.ops)},
        }
        for anomaly in run.verdict.anomalies
        if anomaly.ops and anomaly.ops[-1] in time_us
    ]


def _end_us(history: History) -> int:
    return int(history.time.max(initial=0)) // 1000
