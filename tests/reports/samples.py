"""Runs to report on: small histories written by hand, whose every number is known."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from checkers.verdict import Anomaly
from history.history import History
from history.op import Op, OpType
from reports.material import Material

Row = tuple[float, int | str, OpType, str, Any, Any, Any, str | None]
NODES = ("n1", "n2", "n3", "n4", "n5")


def row(
    time_s: float,
    process: int | str,
    type_: OpType,
    f: str,
    value: Any = None,
    *,
    key: Any = None,
    error: Any = None,
    node: str | None = None,
) -> Row:
    """One event, at a time in seconds."""
    return (time_s, process, type_, f, key, value, error, node)


def history(rows: Iterable[Row]) -> History:
    """The rows in order of time, numbered."""
    ordered = sorted(rows, key=lambda one: one[0])
    return History.from_ops(
        Op(index, round(time_s * 1e9), process, type_, f, key, value, error, node)
        for index, (time_s, process, type_, f, key, value, error, node) in enumerate(ordered)
    )


def fault(
    number: int,
    begin_s: float,
    end_s: float | None,
    kind: str = "partition",
    *nodes: str,
    landed: bool = True,
) -> list[Row]:
    """A fault as the conductor records it: each action when it begins and when it is done."""
    begun = {"fault": number, "phase": "start", "nodes": list(nodes), "duration_s": 1, "args": {"a": 1}}
    measured = {
        **begun,
        "effect": {"dropped": [0, 0]},
        "landed": False,
        "evidence": "no packets dropped",
    }
    rows = [
        row(begin_s, "nemesis", "info", kind, begun),
        row(begin_s, "nemesis", "info", kind, measured),
    ]
    if end_s is not None:
        over = {"fault": number, "phase": "end", "nodes": list(nodes)}
        done = {**over, "effect": {"dropped": [0, 7]}, "landed": landed, "evidence": "7 packets dropped"}
        rows += [row(end_s, "nemesis", "info", kind, over), row(end_s, "nemesis", "info", kind, done)]
    return rows


def material(
    events: History,
    *anomalies: Anomaly,
    logs: Mapping[str, str] | None = None,
    messages: tuple[Mapping[str, Any], ...] = (),
    **results: Any,
) -> Material:
    """A run of workload ``lock`` that is invalid if there are anomalies."""
    valid = not anomalies
    judged = {"valid?": valid, "hold-count": 3, "anomalies": [asdict(one) for one in anomalies]}
    return Material(
        name="20260101T000000.000Z",
        test={
            "spec": {
                "workload": "lock",
                "seed": 7,
                "concurrency": 5,
                "nodes": list(NODES),
                "backend": "sim",
            },
            "versions": {"python": "3.11.7"},
            "facts": {"start_wall_ns": 1_767_225_600_000_000_000},
        },
        results={
            "valid?": valid,
            "mutual-exclusion": judged,
            "repeat": "windtunnel run lock --seed 7",
            "digest": "abc",
            **results,
        },
        history=events,
        logs=dict(logs or {}),
        messages=messages,
    )


def lock_rows() -> list[Row]:
    """Two hold one lock from 13.1 s to 14 s, under a partition that is healed at 16 s."""
    rows: list[Row] = []
    for number in range(10):
        begin, process, node = number * 1.1 + 0.1, number % 5, NODES[number % 5]
        rows += [
            row(begin, process, "invoke", "acquire", key="door"),
            row(begin + 0.2, process, "ok", "acquire", {"token": number}, key="door", node=node),
            row(begin + 0.6, process, "invoke", "release", key="door"),
            row(begin + 0.7, process, "ok", "release", key="door", node=node),
        ]
    return [
        *rows,
        row(12.0, 0, "invoke", "acquire", key="door"),
        row(12.05, 0, "ok", "acquire", {"token": 25}, key="door", node="n1"),
        row(12.2, 3, "invoke", "acquire", key="door"),
        row(13.1, 3, "ok", "acquire", {"token": 25}, key="door", node="n4"),
        row(13.3, 1, "invoke", "acquire", key="door"),
        row(14.9, 1, "fail", "acquire", key="door", error="timed out", node="n2"),
        row(13.4, 2, "invoke", "acquire", key="door"),
        row(18.4, 2, "info", "acquire", key="door", error="connection lost"),
        row(14.0, 0, "invoke", "release", key="door"),
        row(14.3, 0, "ok", "release", key="door", node="n1"),
        row(15.0, 3, "invoke", "release", key="door"),
        row(15.1, 3, "ok", "release", key="door", node="n4"),
        row(12.4, "ensemble", "info", "leader", {"node": "n4", "epoch": 8}, node="n4"),
        *fault(0, 11.9, 16.0, "partition", "n1", "n2"),
    ]


def two_holders(events: History) -> Anomaly:
    """The anomaly in ``lock_rows``."""
    ops = [op.index for op in events if op.type == "ok" and op.value == {"token": 25}]
    return Anomaly(
        name="two-holders",
        message=f"door was held by process 0 (op {ops[0]}) and process 3 (op {ops[1]}) at once",
        ops=tuple(ops),
        details={"key": "door"},
    )


SENT = tuple(
    {
        "sent": 12_010_000_000 + n * 1_000_000,
        "arrived": None if n == 3 else 12_010_400_000 + n * 1_000_000,
        "from": source,
        "to": destination,
        "port": "quorum",
        "bytes": 13,
        "text": f"Commit zxid={n}",
    }
    for n, (source, destination) in enumerate([("client", "n1"), ("n1", "n2"), ("n2", "n1")] * 2)
)


def failing_lock() -> Material:
    """The run whose page most tests look at."""
    events = history(lock_rows())
    logs = {"n1": "12.0 lost contact\n", "n4": "12.4 elected, epoch 8\n  by n3 and n5\n"}
    return material(events, two_holders(events), logs=logs, messages=SENT)


def many(count: int, processes: int = 50, every_us: int = 200) -> History:
    """Reads, writes and cas of ``count`` operations, 5000 a second unless told otherwise.

    Starts, latencies, keys, values and outcomes are independent of each other, as the worst case for
    the size of a page.
    """
    stream = random.Random(count)
    events: list[tuple[int, int, int]] = []
    free = [0] * processes
    for number in range(count):
        start = max(free[number % processes], number * every_us * 1000) + stream.randrange(200_000)
        end = start + round(4e6 * stream.lognormvariate(0, 0.6))
        free[number % processes] = end + 1
        events += [(start, 0, number), (end, 1, number)]
    events.sort()
    asked = [
        (stream.choice(("read", "write", "cas")), stream.randrange(20), stream.randrange(100_000))
        for _ in range(count)
    ]
    failed = [stream.random() < 0.1 for _ in range(count)]
    return History.from_ops(
        _event(place, time_ns, number % processes, asked[number], failed[number] if ends else None)
        for place, (time_ns, ends, number) in enumerate(events)
    )


def _event(
    place: int, time_ns: int, process: int, asked: tuple[str, int, int], failed: bool | None
) -> Op:
    """An invocation if it is not known yet whether it failed."""
    f, key, value = asked
    if failed is None:
        return Op(place, time_ns, process, "invoke", f, key, None if f == "read" else value)
    type_: OpType = "fail" if failed else "ok"
    return Op(place, time_ns, process, type_, f, key, value, None, NODES[(key + value) % 5])
