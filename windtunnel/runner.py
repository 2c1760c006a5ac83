"""One run: refuse what is impossible, run the workload under faults, heal, ask for progress, judge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from checkers.verdict import Verdict
from cluster.api import Endpoint
from cluster.sim.cluster import SimCluster
from cluster.sim.traffic import Observe
from history.history import History
from history.jsonl import Recorder
from nemesis.conductor import run_schedule
from nemesis.schedule_file import to_json
from windtunnel.interpreter import run_generator
from windtunnel.judge import judge
from windtunnel.plan import Plan, Workloads, prepare
from windtunnel.spec import TestSpec
from workloads.generators import Source, limit, time_limit
from workloads.registry import WORKLOADS

OnFacts: TypeAlias = Callable[[Mapping[str, Any]], None]

NS_PER_S = 1_000_000_000
READY_WITHIN_S = 60.0
LATE_WITHIN_S = 30.0
READY_EVERY_S = 0.1
_CLOCK_READINGS = 5


class NotServingError(Exception):
    """The cluster did not come up, so there is nothing to test; says what the nodes said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of a run.

    ``schedule`` holds the faults that were to be thrown, as in a schedule file; ``facts`` what the
    checkers were told beside the history; ``digest`` is over all events of a simulation, None on other
    backends; ``ran_s`` is in the cluster's time, ``cpu_s`` in this process's.
    """

    spec: TestSpec
    verdict: Verdict
    history: History
    schedule: tuple[dict[str, Any], ...]
    facts: Mapping[str, Any]
    digest: str | None
    ran_s: float
    cpu_s: float
    interrupted: bool
    logs: Mapping[str, str] = field(default_factory=dict)


def run_test(
    spec: TestSpec,
    *,
    workloads: Workloads = WORKLOADS,
    history_path: Path | None = None,
    on_facts: OnFacts = lambda facts: None,
    observe: Observe | None = None,
) -> Run:
    """Run ``spec`` from beginning to end and judge it.

    The workload's name is looked up in ``workloads``. The history is written to ``history_path`` while
    the run goes on, kept in memory only without it; ``on_facts`` is told what the checkers will be
    told, each time that is more; ``observe`` is told of every packet of a simulated run.
    Ctrl-C heals and judges what there is. Raises BadInputError or ScheduleError, before anything
    starts, for what cannot be run; NotServingError when the nodes do not start.
    """
    plan = prepare(spec, workloads)
    if observe is not None and isinstance(plan.cluster, SimCluster):
        plan.cluster.world.observe = observe
    cpu_started = time.process_time()
    stage = _Stage(plan, history_path, on_facts)
    with stage.recorder:
        try:
            plan.cluster.run(stage.perform)
        except (TimeoutError, OSError) as error:
            raise NotServingError(_why_not_serving(plan, error)) from error
    history = stage.recorder.history()
    return Run(
        spec=spec,
        verdict=judge(plan.workload.checker, history, stage.facts),
        history=history,
        schedule=tuple(to_json(fault) for fault in plan.schedule),
        facts=stage.facts,
        digest=plan.cluster.digest() if isinstance(plan.cluster, SimCluster) else None,
        ran_s=stage.ran_s,
        cpu_s=time.process_time() - cpu_started,
        interrupted=stage.interrupted,
        logs=plan.cluster.logs(),
    )


class _Stage:
    """The harness's own coroutine, and what it learns on the way."""

    def __init__(self, plan: Plan, history_path: Path | None, on_facts: OnFacts) -> None:
        self.plan = plan
        self._on_facts = on_facts
        self.recorder = Recorder(history_path, self._elapsed_ns)
        self.facts: dict[str, Any] = {
            **plan.workload.facts,
            "nodes": plan.spec.nodes,
            "faults_planned": len(plan.schedule),
            "faults_proven": plan.spec.backend != "sim",
            "marks": dict(plan.workload.system.marks),
        }
        self.interrupted = False
        self.ran_s = 0.0
        self._start_s = 0.0
        self._next_process = 0

    async def perform(self) -> None:
        """Start, hurt, heal, ask for progress, stop."""
        await self.plan.cluster.start()
        clock = asyncio.get_running_loop().time
        self._start_s, wall_ns = read_together(clock, self.plan.cluster.wall_clock_ns)
        self._learn(start_loop_ns=round(self._start_s * NS_PER_S), start_wall_ns=wall_ns)
        try:
            await self._main_phase()
            await self._final_phase()
        except asyncio.CancelledError:
            self.interrupted = True
            _go_on_after_cancellation()
        self.ran_s = self._elapsed_ns() / NS_PER_S
        await self.plan.cluster.stop()

    async def _main_phase(self) -> None:
        """The workload beside the schedule; whatever the nemesis did is undone when it ends."""
        spec, plan = self.plan.spec, self.plan
        generator: Source = time_limit(spec.time_limit_s, plan.workload.generator)
        if spec.ops is not None:
            generator = limit(spec.ops, generator)
        nemesis = asyncio.create_task(run_schedule(plan.schedule, plan.cluster, self.recorder))
        try:
            await self._run(generator)
            if spec.backend != "sim":
                await self._late_ends(nemesis)
        finally:
            nemesis.cancel()
            with suppress(asyncio.CancelledError):
                await nemesis

    async def _late_ends(self, nemesis: asyncio.Task[None]) -> None:
        """On real kernels actions take time: ends that are due by now are still done, and measured."""
        last_s = max((fault.end_s for fault in self.plan.schedule), default=0.0)
        if last_s <= self._elapsed_ns() / NS_PER_S:
            await asyncio.wait({nemesis}, timeout=LATE_WITHIN_S)

    async def _final_phase(self) -> None:
        """All is healed: wait for every node, then for the workload's last operations."""
        await asyncio.gather(*(self._ready(node) for node in self.plan.spec.nodes))
        self._learn(final_index=len(self.recorder))
        stop = asyncio.Event()
        alarm = asyncio.get_running_loop().call_later(self.plan.workload.recovery_s, stop.set)
        await self._run(self.plan.workload.final, stop)
        alarm.cancel()

    async def _run(self, generator: Source, stop: asyncio.Event | None = None) -> None:
        spec, plan = self.plan.spec, self.plan
        self._next_process = await run_generator(
            generator,
            client=plan.workload.client,
            endpoints=self._endpoints(),
            concurrency=spec.concurrency,
            recorder=self.recorder,
            seed=spec.seed,
            op_timeout_s=spec.op_timeout_s,
            stop=stop,
            first_process=self._next_process,
            ports={port: self._endpoints(port) for port in plan.workload.system.ports},
        )

    def _endpoints(self, port: str | None = None) -> dict[str, Endpoint]:
        return {node: self.plan.cluster.endpoint(node, port) for node in self.plan.spec.nodes}

    async def _ready(self, node: str) -> None:
        """Wait for a node, but not for ever: one that stays away is for the progress checker."""
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN_S):
                while not await self._is_ready(node):
                    await asyncio.sleep(READY_EVERY_S)

    async def _is_ready(self, node: str) -> bool:
        try:
            await self.plan.workload.system.ready(self.plan.cluster.endpoint(node))
        except (OSError, TimeoutError):
            return False
        return True

    def _learn(self, **facts: int) -> None:
        self.facts |= facts
        self._on_facts(self.facts)

    def _elapsed_ns(self) -> int:
        """Since all nodes were ready, by the running loop's clock."""
        return round((asyncio.get_running_loop().time() - self._start_s) * NS_PER_S)


def read_together(clock: Callable[[], float], wall_ns: Callable[[], int]) -> tuple[float, int]:
    """The running loop's clock, in seconds, and the wall clock at the same moment.

    What lies between the two readings would be an error of every time that is computed from them: of
    several pairs it is the one that was read the fastest.
    """
    pairs = []
    for _ in range(_CLOCK_READINGS):
        before_s = clock()
        wall = wall_ns()
        pairs.append((clock() - before_s, before_s, wall))
    _, start_s, wall = min(pairs)
    return start_s, wall


def _why_not_serving(plan: Plan, error: Exception) -> str:
    last = [
        f"{node}: {log.strip().splitlines()[-1]}" for node, log in plan.cluster.logs().items() if log
    ]
    return f"the nodes did not start ({type(error).__name__}); their logs end with {last or 'nothing'}"


def _go_on_after_cancellation() -> None:
    """Ctrl-C cancelled this task to wake it; what is left to do is to be done undisturbed."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
