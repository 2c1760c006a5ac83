"""The smallest test that was found for each mutant of coordination and of the queue, kept and replayed.

They were shrunk from the seed in the table, with two things asked of each smaller test: that the
checker meant for the mutant still finds it, and that the right code is valid under the same schedule.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from impl.mutants.mutant import COORDINATION, QUEUE
from impl.mutants.registry import MUTANTS
from tests.quality.known import KNOWN, killers
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec

SCHEDULES = Path(__file__).parent / "schedules"
KINDS = (COORDINATION, QUEUE)
NAMES = [name for name, mutant in MUTANTS.items() if mutant.kind in KINDS]
_NEXT_SEEDS = 3


def kept(name: str) -> TestSpec:
    """The test in the mutant's file."""
    path = SCHEDULES / f"{name}.json"
    return TestSpec.from_dict(orjson.loads(path.read_bytes()), where=path.name)


def test_there_is_one_for_each_mutant_of_coordination_and_of_the_queue() -> None:
    assert {path.stem for path in SCHEDULES.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_has_no_more_faults_and_operations_than_the_table_says(name: str) -> None:
    spec, known = kept(name), KNOWN[name]
    assert (spec.mutant, spec.workload, spec.seed) == (name, MUTANTS[name].workload, known.seed)
    assert spec.schedule is not None
    assert spec.ops is not None
    assert (len(spec.schedule), spec.ops) == (known.faults, known.ops)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_fault_of_those_that_the_mutant_says_it_takes_and_else_none(name: str) -> None:
    left = {fault["kind"] for fault in kept(name).schedule or ()}
    takes = set(MUTANTS[name].faults)
    assert left & takes if takes else not left


@pytest.mark.parametrize("name", NAMES)
def test_the_checkers_of_the_table_catch_the_mutant_in_it(name: str) -> None:
    """One of the queue may take another seed: what is sent when moves with each change of its code."""
    spec, meant = kept(name), MUTANTS[name].caught_by
    assert meant in KNOWN[name].killed_by
    if MUTANTS[name].kind == COORDINATION:
        assert killers(spec) == KNOWN[name].killed_by
    else:
        seeds = range(spec.seed, spec.seed + 1 + _NEXT_SEEDS)
        assert any(meant in killers(spec.with_seed(seed)) for seed in seeds)


@pytest.mark.parametrize("name", NAMES)
def test_the_right_code_is_valid_under_the_very_same_schedule(name: str) -> None:
    verdict = run_test(replace(kept(name), mutant=None)).verdict
    assert verdict.valid is True, (verdict.anomalies, verdict.reason)
