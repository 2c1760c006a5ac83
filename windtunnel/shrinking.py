"""Shrinking a failed run: runs of the simulator behind the predicate that ``windtunnel.shrink`` asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nemesis.errors import ScheduleError
from windtunnel.names import BadInputError
from windtunnel.outcome import signatures
from windtunnel.plan import Workloads
from windtunnel.runner import run_test
from windtunnel.shrink import Case, Shrunk, shrink
from windtunnel.spec import TestSpec
from workloads.registry import WORKLOADS

BUDGET_RUNS = 400


def shrink_run(
    spec: TestSpec,
    *,
    workloads: Workloads = WORKLOADS,
    signature: str | None = None,
    budget: int = BUDGET_RUNS,
    on_run: Callable[[int, Case], None] = lambda runs, smallest: None,
) -> tuple[TestSpec, Shrunk]:
    """The smallest test that fails as ``spec`` does: with one of its anomalies, by the same checker.

    ``signature``, as ``checker: anomaly``, says which one must stay; the workload's name is looked up in
    ``workloads``.

    Raises BadInputError when ``spec`` does not fail, or not in the simulator.
    """
    if spec.backend != "sim":
        raise BadInputError(f"--cluster {spec.backend}: only runs of the simulator can be shrunk.")
    first = run_test(spec, workloads=workloads)
    failed = set(signatures(first.verdict))
    wanted = failed if signature is None else failed & {signature}
    if first.verdict.valid is not False or not wanted:
        how = "" if signature is None else f" by {signature}"
        raise BadInputError(
            f"seed {spec.seed} of {spec.workload} does not fail{how}: nothing to shrink."
        )
    case = Case(
        faults=first.schedule,
        time_limit_s=spec.time_limit_s,
        concurrency=spec.concurrency,
        ops=spec.ops,
    )

    def fails(case: Case) -> bool:
        try:
            verdict = run_test(spec_of(spec, case), workloads=workloads).verdict
        except (ScheduleError, BadInputError):  # simpler than the fault or the workload allows
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
