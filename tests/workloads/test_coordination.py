"""The coordination workloads measure what they are to measure, on a healthy ensemble."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from history.history import OK, History
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec
from workloads.registry import WORKLOADS
from workloads.workload import WorkloadOptions


def counts(workload: str, checker: str) -> dict[str, Any]:
    verdict = run_test(TestSpec(workload=workload, seed=1, time_limit_s=15, faults=("none",))).verdict
    assert verdict.valid is True
    return {part.checker: dict(part.counts) for part in verdict.parts}[checker]


@pytest.mark.parametrize(
    ("workload", "most"), [("election-chain", 1), ("election-sequence", 5), ("election-herd", 5)]
)
def test_a_failover_wakes_one_of_a_chain_and_all_of_a_herd(workload: str, most: int) -> None:
    told = counts(workload, "wakes")
    assert told["failover-count"] > 5
    assert told["woken-most"] == most


def test_a_watch_is_called_for_every_kind_of_change() -> None:
    run = run_test(TestSpec(workload="watch", seed=1, faults=("none",)))
    operations = run.history.clients().operations()
    told = {
        (value["kind"], entry["event"])
        for f in ("watch", "follow")
        for value in (operations.value[row] for row in operations.where(f, outcome=OK).tolist())
        for entry in value["log"]
        if "event" in entry
    }
    assert told == {
        ("data", "data_changed"),
        ("existence", "created"),
        ("existence", "deleted"),
        ("children", "children_changed"),
        ("persistent", "data_changed"),
        ("persistent", "children_changed"),
        ("recursive", "data_changed"),
        ("recursive", "created"),
        ("recursive", "deleted"),
    }
    assert counts("watch", "watches")["event-count"] > 10
    assert counts("watch", "followed")["followed-event-count"] > 10


def test_sessions_move() -> None:
    assert counts("session", "sessions")["move-count"] > 5


def test_sessions_end_both_ways() -> None:
    told = counts("ephemeral", "ephemerals")
    assert told["closed-count"] > 3
    assert told["crashed-count"] > 3


def test_members_come_and_go() -> None:
    told = counts("membership", "members")
    assert told["member-count"] > told["alive-count"] == 5


COORDINATION = [
    name for name, make in WORKLOADS.items() if make(WorkloadOptions()).system.name == "coordination"
]


@pytest.mark.parametrize("name", COORDINATION)
def test_no_checker_calls_a_history_valid_in_which_nothing_happened(name: str) -> None:
    workload = WORKLOADS[name](WorkloadOptions())
    verdict = workload.checker(History.from_ops([]), {**workload.facts, "final_index": 0})
    assert verdict.parts
    assert {part.checker: part.valid for part in verdict.parts} == {
        part.checker: "unknown" for part in verdict.parts
    }
    assert all(part.reason and "Error" not in part.reason for part in verdict.parts)


@pytest.mark.parametrize("name", COORDINATION)
def test_no_checker_calls_a_history_valid_in_which_everything_failed(name: str) -> None:
    run = run_test(TestSpec(workload=name, seed=1, time_limit_s=3, faults=("none",)))
    ops = [
        replace(op, type="fail", value=None, error="x") if op.type != "invoke" else op
        for op in run.history.clients()
    ]
    verdict = WORKLOADS[name](WorkloadOptions()).checker(History.from_ops(ops), run.facts)
    assert all(part.valid is not True for part in verdict.parts), verdict
