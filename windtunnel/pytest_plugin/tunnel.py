"""The fixture: runs one test from each of its seeds, and fails with what an engineer needs."""

from __future__ import annotations

import gc
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import pytest

from checkers.fault_coverage import NAME as COVERAGE
from cluster.api import System
from cluster.local import namespace
from cluster.real.errors import ClusterError
from history.errors import StoreError
from nemesis.errors import ScheduleError
from windtunnel.names import BadInputError
from windtunnel.own import NODE, MakeWorkload, OwnWorkload
from windtunnel.plan import BACKENDS, Workloads
from windtunnel.pytest_plugin import failure, memory, summary
from windtunnel.pytest_plugin.settings import Settings, repeat_line, settings_of
from windtunnel.runner import Run, run_test
from windtunnel.spec import TestSpec
from workloads.registry import WORKLOADS

BAD_INPUT = (BadInputError, ScheduleError, StoreError, ClusterError)
WARM_UP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What a test that passed was made of.

    ``without_effect`` are the seeds in which no fault landed; ``last`` is the last run.
    """

    seeds: tuple[int, ...]
    without_effect: tuple[int, ...]
    simulated_s: float
    last: Run


class Tunnel:
    """The fixture ``windtunnel``. ``used`` tells whether ``run`` was called."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.used = False
        self._item: Any = request.node

    def run(
        self,
        system: System | MakeWorkload | None = None,
        workload: OwnWorkload | None = None,
        **changes: Any,
    ) -> Passed:
        """Run the test from each of its seeds, and fail it at the first that is not valid.

        Give a system and a workload (``wt.system``, ``wt.workload``), or a function that makes a
        workload, or nothing if the mark names one. ``changes`` take the place of fields of the test's
        ``wt.TestSpec``. A seed in which no fault landed counts for nothing: if that is so in all of them
        the test fails, as nothing was tested.
        """
        __tracebackhide__ = True
        self.used = True
        try:
            settings, workloads = self._prepared(system, workload, changes)
            return self._run_all(settings, workloads)
        except BAD_INPUT as error:
            pytest.fail(f"windtunnel: {error}", pytrace=False)

    def _prepared(
        self, system: Any, workload: OwnWorkload | None, changes: Mapping[str, Any]
    ) -> tuple[Settings, Workloads]:
        settings = settings_of(self._item, re.sub(r"[^\w.-]+", "-", self._item.name).strip("-"))
        make = _made(settings.workload if system is None else system, workload)
        try:
            spec = replace(settings.spec, **changes)
        except TypeError as error:
            raise BadInputError(f"windtunnel.run: {error}; a field of wt.TestSpec is meant.") from None
        workloads = WORKLOADS if make is None else MappingProxyType({spec.workload: make})
        if spec.backend not in ("sim", *BACKENDS):
            raise BadInputError(f"cluster {spec.backend!r} does not exist; take {', '.join(BACKENDS)}.")
        if isinstance(system, System) and spec.backend != "sim":
            _check_command(system, spec.backend)
        if spec.backend == "local" and not namespace.inside():
            raise BadInputError(
                "cluster local: call pytest with --windtunnel-cluster local, which puts it into private"
                " namespaces."
            )
        if spec.backend == "local":  # nodes import what this process can import
            os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        return replace(settings, spec=spec), workloads

    def _run_all(self, settings: Settings, workloads: Workloads) -> Passed:
        _warm_up(settings.spec, workloads)
        started = time.monotonic()
        done: list[int] = []
        idle: list[int] = []
        simulated_s, run = 0.0, None
        for seed in self._in_order(settings):
            if run is not None and settings.for_s and time.monotonic() - started >= settings.for_s:
                break
            run = self._run_one(settings.spec.with_seed(seed), settings, workloads)
            done.append(seed)
            simulated_s += run.ran_s
            if _idle(run):
                idle.append(seed)
            elif run.verdict.valid is not True:
                self._tell(len(done), len(idle))
                self._fail(run, settings, workloads)
            gc.collect()
        assert run is not None
        self._tell(len(done), len(idle))
        if len(idle) == len(done):
            self._fail(run, settings, workloads)
        return Passed(seeds=tuple(done), without_effect=tuple(idle), simulated_s=simulated_s, last=run)

    def _in_order(self, settings: Settings) -> Iterator[int]:
        """The seed that failed last time first, if it is one of them."""
        known = memory.remembered(self._item.config, self._item.nodeid)
        first = [known] if known in settings.seeds else []
        yield from (seed for seed in first if seed is not None)
        yield from (seed for seed in settings.seeds if seed not in first)

    def _run_one(self, spec: TestSpec, settings: Settings, workloads: Workloads) -> Run:
        try:
            run = run_test(spec, workloads=workloads)
        except Exception as error:
            line = repeat_line(self._item, replace(settings, spec=spec), smallest=None)
            error.add_note(f"repeat by {line}")
            raise
        if run.interrupted:
            raise KeyboardInterrupt
        return run

    def _fail(self, run: Run, settings: Settings, workloads: Workloads) -> None:
        __tracebackhide__ = True
        settings = replace(settings, spec=run.spec)
        told = failure.explained(self._item, run, settings, workloads)
        self._property(summary.PAGE, str(told.page))
        self._property(summary.REPEAT, told.repeat)
        self._property("windtunnel_digest", run.digest or "")
        self._property(memory.PROPERTY, run.spec.seed)
        pytest.fail(told.text, pytrace=False)

    def _tell(self, done: int, idle: int) -> None:
        self._property(summary.SEEDS, done)
        self._property(summary.IDLE, idle)

    def _property(self, name: str, value: object) -> None:
        self._item.user_properties.append((name, value))


def _made(first: Any, workload: OwnWorkload | None) -> MakeWorkload | None:
    """What makes the workload; None if it is a registered one."""
    if isinstance(first, System):
        if not isinstance(workload, OwnWorkload):
            raise BadInputError(
                "windtunnel.run(system, workload): make the workload by wt.workload(...)."
            )
        return workload.on(first)
    if workload is not None:
        raise BadInputError("windtunnel.run(system, workload): make the system by wt.system(...).")
    if first is None:
        raise BadInputError(
            "windtunnel.run() needs a workload: name one in the mark, or give a system and a workload."
        )
    if isinstance(first, str):
        return None
    if not callable(first):
        raise BadInputError(f"the workload is {first!r}: give a name, or a function of its options.")
    make: MakeWorkload = first
    return make


def _check_command(system: System, backend: str) -> None:
    """Real machines need a command that starts the node, and the code behind it."""
    if not system.command:
        raise BadInputError(
            f"cluster {backend}: node {system.name!r} is no function at the top of a module;"
            " move it there, or give wt.system(command=...)."
        )
    if backend == "docker" and system.command[: len(NODE)] == NODE:
        raise BadInputError(
            "cluster docker: its image holds windtunnel and not your code; take local, or give"
            " wt.system(command=...) for an image of yours."
        )


_warm: set[str] = set()


def _warm_up(spec: TestSpec, workloads: Workloads) -> None:
    """Fill the caches of libraries: a first run may differ from all later ones."""
    if spec.backend == "sim" and spec.workload not in _warm:
        _warm.add(spec.workload)
        calm = replace(spec, time_limit_s=WARM_UP_S, faults=("none",), schedule=None, ops=None)
        run_test(calm, workloads=workloads)
        gc.collect()


def _idle(run: Run) -> bool:
    """Whether all that keeps the run from being valid is that no fault landed."""
    unsure = [part.checker for part in run.verdict.parts if part.valid is not True]
    return unsure == [COVERAGE]
