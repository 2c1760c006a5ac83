"""Runs keep their promises: same seed same digest, heal before the end, memory only unless told."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from history import jsonl
from nemesis.errors import ScheduleError
from windtunnel.names import BadInputError
from windtunnel.outcome import signatures
from windtunnel.runner import read_together, run_test
from windtunnel.spec import TestSpec

SPEC = TestSpec(workload="snowflake", seed=1)
PRINT_DIGESTS = """
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec
for workload in ("snowflake", "autoincrement", "uuid"):
    for seed in (1, 2):
        print(workload, seed, run_test(TestSpec(workload=workload, seed=seed)).digest)
"""


def digests_in_a_fresh_process(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", PRINT_DIGESTS]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_four_processes_with_different_hash_seeds_have_the_same_digests() -> None:
    digests = {digests_in_a_fresh_process(seed) for seed in ("0", "1", "42", "random")}
    assert len(digests) == 1
    assert len(set(digests.pop().splitlines())) == 6


def test_the_second_run_in_a_process_has_the_digest_of_the_first() -> None:
    assert run_test(SPEC).digest == run_test(SPEC).digest


def test_another_seed_is_another_run() -> None:
    assert run_test(SPEC).digest != run_test(SPEC.with_seed(2)).digest


def test_the_drawn_schedule_given_explicitly_is_the_same_run() -> None:
    drawn = run_test(SPEC)
    assert run_test(replace(SPEC, schedule=drawn.schedule)).digest == drawn.digest


def test_taking_a_fault_away_changes_nothing_before_it() -> None:
    whole = run_test(SPEC)
    fewer = run_test(replace(SPEC, schedule=whole.schedule[:-1]))
    begun_ns = whole.schedule[-1]["at_s"] * 1e9
    before = [op for op in whole.history if op.time < begun_ns]
    assert len(before) > 100
    assert [op for op in fewer.history if op.time < begun_ns] == before


def test_the_history_on_disk_is_the_history_in_memory(tmp_path: Path) -> None:
    run = run_test(SPEC, history_path=tmp_path / "history.jsonl")
    assert list(jsonl.read(tmp_path / "history.jsonl")) == list(run.history)


def test_the_final_phase_begins_when_everything_is_healed_and_every_client_succeeds() -> None:
    run = run_test(SPEC)
    final = [op for op in run.history if op.index >= run.facts["final_index"]]
    assert "nemesis" not in {op.process for op in final}
    assert sum(op.type == "ok" for op in final) == SPEC.concurrency


def test_the_checkers_are_told_where_the_run_started_and_what_was_planned() -> None:
    run = run_test(SPEC)
    assert run.facts["start_wall_ns"] > 10**18
    assert run.facts["faults_planned"] == len(run.schedule) > 0
    assert run.facts["nodes"] == SPEC.nodes


def test_both_clocks_of_the_start_are_read_before_anybody_is_told() -> None:
    """Writing it down takes time: an error of every wall clock time, by which right IDs looked early."""
    told: list[set[str]] = []
    run_test(replace(SPEC, ops=1), on_facts=lambda facts: told.append(set(facts)))
    assert {"start_loop_ns", "start_wall_ns"} <= told[0]


def test_two_clocks_are_read_together_by_the_fastest_of_several_pairs() -> None:
    now_s, delays_s = 0.0, iter([0.02, 0.001, 0.03, 0.0, 0.05])

    def clock() -> float:
        return now_s

    def wall_ns() -> int:
        nonlocal now_s
        now_s += next(delays_s)
        return round((now_s + 1000) * 1e9)

    start_s, wall = read_together(clock, wall_ns)
    assert wall == round((start_s + 1000) * 1e9)


def test_no_more_operations_are_invoked_than_asked_for() -> None:
    run = run_test(replace(SPEC, ops=7, faults=("none",)))
    main = run.history.index < run.facts["final_index"]
    assert int(main.sum()) == 14


def test_operations_fail_while_every_node_is_down_and_succeed_once_all_is_healed() -> None:
    everybody = [{"at_s": 0.0, "kind": "kill", "nodes": list(SPEC.nodes), "duration_s": 3.0, "args": {}}]
    run = run_test(replace(SPEC, time_limit_s=2.0, schedule=tuple(everybody)))
    main = [op for op in run.history if op.index < run.facts["final_index"]]
    assert "fail" in {op.type for op in main}
    assert run.verdict.valid is True


def test_faults_that_do_not_land_leave_the_verdict_unknown() -> None:
    late = ({"at_s": 99.0, "kind": "kill", "nodes": ["n1"], "duration_s": 1.0, "args": {}},)
    run = run_test(replace(SPEC, time_limit_s=2.0, schedule=late))
    assert run.verdict.valid == "unknown"
    assert signatures(run.verdict) == (
        "fault-coverage: none of the 1 planned faults took effect: none of them began",
    )


@pytest.mark.parametrize(
    "changes",
    [{"workload": "snow"}, {"mutant": "snow"}, {"backend": "moon"}, {"options": {"colour": "red"}}],
)
def test_a_name_that_does_not_exist_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadInputError):
        run_test(replace(SPEC, **changes))


def test_a_fault_on_a_node_that_does_not_exist_is_refused() -> None:
    nowhere = ({"at_s": 0.0, "kind": "kill", "nodes": ["n9"], "duration_s": 1.0, "args": {}},)
    with pytest.raises(ScheduleError, match="n9"):
        run_test(replace(SPEC, schedule=nowhere))
