"""How small the counterexample of each known bug gets, and which checkers kill which bug.

The tables are promises: a change that makes a counterexample larger, or a checker blind, breaks them.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from impl.mutants.registry import MUTANTS
from tests.quality.test_id_mutants import ID_MUTANTS, WORKLOAD_OF_KIND
from windtunnel.outcome import signatures
from windtunnel.runner import run_test
from windtunnel.shrinking import shrink_run
from windtunnel.spec import TestSpec


class Known(NamedTuple):
    """At most so many faults and operations once shrunk; the checkers that see it within 30 seeds."""

    faults: int
    ops: int
    killed_by: set[str]


KNOWN = {
    "snowflake-no-clock-guard": Known(1, 32, {"monotonic", "unique-ids"}),
    "snowflake-guard-in-memory": Known(2, 64, {"monotonic"}),
    "snowflake-two-nodes-of-one-id": Known(0, 2, {"snowflake", "unique-ids"}),
    "snowflake-sequence-not-reset": Known(0, 128, {"snowflake", "monotonic"}),
    "snowflake-sequence-not-masked": Known(0, 128, {"snowflake", "monotonic"}),
    "snowflake-seconds-for-milliseconds": Known(0, 2, {"snowflake", "monotonic", "unique-ids"}),
    "autoincrement-recomputed-after-restart": Known(1, 32, {"unique-ids", "monotonic"}),
    "autoincrement-fsync-after-answer": Known(1, 64, {"unique-ids", "monotonic"}),
    "autoincrement-same-offset": Known(0, 2, {"autoincrement", "unique-ids"}),
    "uuid7-random-within-ms": Known(0, 2, {"monotonic"}),
    "uuid7-follows-clock-back": Known(1, 32, {"monotonic"}),
    "uuid4-seeded-by-pid": Known(0, 2, {"unique-ids"}),
    "uuid4-same-stream-after-restart": Known(1, 32, {"unique-ids"}),
}


def spec_of(name: str, seed: int) -> TestSpec:
    return TestSpec(workload=WORKLOAD_OF_KIND[MUTANTS[name].kind], mutant=name, seed=seed)


def killers(spec: TestSpec) -> set[str]:
    return {signature.partition(":")[0] for signature in signatures(run_test(spec).verdict)}


def first_caught(name: str) -> TestSpec:
    mutant = MUTANTS[name]
    specs = (spec_of(name, seed) for seed in range(1, mutant.seeds + 1))
    return next(spec for spec in specs if mutant.caught_by in killers(spec))


def test_every_id_mutant_is_in_the_table() -> None:
    assert {mutant.name for mutant in ID_MUTANTS} == set(KNOWN)


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_the_counterexample_of_each_mutant_shrinks_to_what_it_takes(name: str) -> None:
    spec = first_caught(name)
    smallest, shrunk = shrink_run(spec)
    assert shrunk.complete
    assert len(shrunk.case.faults) <= min(KNOWN[name].faults, 3)
    assert shrunk.case.ops is not None
    assert shrunk.case.ops <= KNOWN[name].ops
    assert killers(smallest) & killers(spec)


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_each_mutant_is_killed_by_the_checkers_that_should_see_it(name: str) -> None:
    missing = set(KNOWN[name].killed_by)
    for seed in range(1, 31):
        missing -= killers(spec_of(name, seed))
        if not missing:
            return
    pytest.fail(f"{name} was not seen by {missing} within 30 seeds")


def test_every_checker_of_ids_is_the_one_that_some_mutant_is_meant_for() -> None:
    meant = {mutant.caught_by for mutant in ID_MUTANTS}
    assert meant == {"unique-ids", "monotonic", "snowflake", "autoincrement"}
