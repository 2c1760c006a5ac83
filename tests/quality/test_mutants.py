"""Bugs that the suite must go on catching: each by the checker meant for it, within the stated seeds."""

from __future__ import annotations

import pytest

from impl.mutants.mutant import Mutant
from impl.mutants.registry import MUTANTS
from tests.quality.known import KNOWN, specs_of
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec


def test_every_mutant_is_in_the_table_with_a_seed_of_its_own() -> None:
    assert set(MUTANTS) == set(KNOWN)
    assert all(1 <= KNOWN[name].seed <= mutant.seeds for name, mutant in MUTANTS.items())


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)
def test_the_checker_meant_for_it_catches_each_mutant_within_its_seeds(mutant: Mutant) -> None:
    for spec in specs_of(mutant):
        verdict = run_test(spec).verdict
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
