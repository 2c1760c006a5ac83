"""Shrinking a failed run: runs of the simulator behind the predicate that ``windtunnel.shrink`` asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nemesis.errors import ScheduleError
from windtunnel.names import BadInputError
from windtunnel.outcome import signatures
from windtunnel.runner import run_test
from windtunnel.shrink import Case, Shrunk, shrink
from windtunnel.spec import TestSpec

BUDGET_RUNS = 400


def shrink_run(
    spec: TestSpec,
    *,
    budget: int = BUDGET_RUNS,
    on_run: Callable[[int, Case], None] = lambda runs, smallest: None,
) -> tuple[TestSpec, Shrunk]:
    """The smallest test that fails as ``spec`` does: with one of its anomalies, by the same checker.

    Raises BadInputError when ``spec`` does not fail, or not in the simulator.
    """
    if spec.backend != "sim":
        raise BadInputError(f"--cluster {spec.backend}: only runs of the simulator can be shrunk.")
    first = run_test(spec)
    wanted = set(signatures(first.verdict))
    if first.verdict.valid is not False:
        raise BadInputError(f"seed {spec.seed} of {spec.workload} does not fail: nothing to shrink.")
    case = Case(
        faults=first.schedule,
        time_limit_s=spec.time_limit_s,
        concurrency=spec.concurrency,
        ops=spec.ops,
    )

    def fails(case: Case) -> bool:
        try:
            verdict = run_test(spec_of(spec, case)).verdict
        except ScheduleError:  # simpler than the kind of fault allows
            return False
        return verdict.valid is False and bool(wanted & set(signatures(verdict)))

    shrunk = shrink(case, fails, budget=budget, on_run=on_run)
    return spec_of(spec, shrunk.case), shrunk


def spec_of(spec: TestSpec, case: Case) -> TestSpec:
    """``spec`` with the faults and the size of ``case``."""
    return replace(
        spec,
        schedule=case.faults,
        time_limit_s=float(case.time_limit_s),
        concurrency=case.concurrency,
        ops=case.ops,
    )
