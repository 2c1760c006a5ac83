"""Bugs that the suite must go on catching: each by the checker meant for it, within the stated seeds."""

from __future__ import annotations

import pytest

from impl.mutants.mutant import Mutant
from impl.mutants.registry import MUTANTS
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec

WORKLOAD_OF_KIND = {
    "uuid4": "uuid",
    "uuid7": "uuid",
    "autoincrement": "autoincrement",
    "snowflake": "snowflake",
}
ID_MUTANTS = [mutant for mutant in MUTANTS.values() if mutant.kind in WORKLOAD_OF_KIND]


@pytest.mark.parametrize("mutant", ID_MUTANTS, ids=lambda mutant: mutant.name)
def test_the_checker_meant_for_it_catches_each_mutant_within_its_seeds(mutant: Mutant) -> None:
    spec = TestSpec(workload=WORKLOAD_OF_KIND[mutant.kind], mutant=mutant.name)
    for seed in range(1, mutant.seeds + 1):
        verdict = run_test(spec.with_seed(seed)).verdict
        caught = [part for part in verdict.parts if part.checker == mutant.caught_by]
        if any(part.valid is False for part in caught):
            assert verdict.valid is False
            assert all(0 < len(anomaly.ops) <= 4 for part in caught for anomaly in part.anomalies)
            return
    pytest.fail(f"{mutant.name} was not caught by {mutant.caught_by} within {mutant.seeds} seeds")


@pytest.mark.parametrize(
    ("workload", "options"),
    [("snowflake", {}), ("autoincrement", {}), ("uuid", {}), ("uuid", {"version": 7})],
)
def test_the_right_nodes_pass_where_the_mutants_fail(workload: str, options: dict[str, int]) -> None:
    spec = TestSpec(workload=workload, options=options)
    for seed in range(1, 16):
        run = run_test(spec.with_seed(seed))
        assert run.verdict.valid is True, (seed, run.verdict.anomalies, run.verdict.reason)
