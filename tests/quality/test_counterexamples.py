"""How small the counterexample of each known bug gets, and which checkers kill which bug.

The tables are promises: a change that makes a counterexample larger, or a checker blind, breaks them.
"""

from __future__ import annotations

import pytest

from impl.mutants.mutant import COORDINATION, QUEUE
from impl.mutants.registry import MUTANTS
from tests.quality.known import KNOWN, first_caught, killers, spec_of
from windtunnel.shrinking import shrink_run

ID_MUTANTS = [name for name, mutant in MUTANTS.items() if mutant.kind not in (COORDINATION, QUEUE)]
QUEUE_SHRUNK = ("queue-commits-go-back", "queue-reset-to-end", "queue-handed-over-early")
"""Quick ones: each run of the queue takes a second or two."""

_QUEUE_BUDGET = 25


@pytest.mark.slow
@pytest.mark.parametrize("name", ID_MUTANTS)
def test_the_counterexample_of_each_mutant_shrinks_to_what_it_takes(name: str) -> None:
    spec, known = first_caught(name), KNOWN[name]
    smallest, shrunk = shrink_run(spec)
    assert shrunk.complete
    assert len(shrunk.case.faults) <= min(known.faults, 3)
    assert shrunk.case.ops is not None
    assert shrunk.case.ops <= known.ops
    assert killers(smallest) & killers(spec)


@pytest.mark.slow
@pytest.mark.parametrize("name", ID_MUTANTS)
def test_each_mutant_is_killed_by_the_checkers_that_should_see_it(name: str) -> None:
    missing = set(KNOWN[name].killed_by)
    for seed in range(1, 31):
        missing -= killers(spec_of(MUTANTS[name], seed))
        if not missing:
            return
    pytest.fail(f"{name} was not seen by {missing} within 30 seeds")


@pytest.mark.slow
@pytest.mark.parametrize("name", QUEUE_SHRUNK)
def test_the_counterexample_of_a_mutant_of_the_queue_shrinks_to_what_it_takes(name: str) -> None:
    spec, most = first_caught(name), KNOWN[name].faults
    smallest, shrunk = shrink_run(spec, budget=_QUEUE_BUDGET)
    assert len(shrunk.case.faults) <= most
    assert killers(smallest) & killers(spec)


def test_every_checker_of_ids_is_the_one_that_some_mutant_is_meant_for() -> None:
    meant = {MUTANTS[name].caught_by for name in ID_MUTANTS}
    assert meant == {"unique-ids", "monotonic", "snowflake", "autoincrement"}
