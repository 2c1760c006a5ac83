"""The nemesis against the simulator: real programs, real packets, virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from checkers.fault_coverage import fault_coverage
from cluster.sim.cluster import SimCluster
from history.history import History
from history.jsonl import Recorder
from impl.host import Host
from nemesis.conductor import refuse, run_schedule
from nemesis.fault import Fault, Schedule
from nemesis.kinds import named
from nemesis.schedule import draw
from tests.nemesis.fakes import outcomes
from tests.support.simnodes import PORT, echo, run_nodes

NODES = ("n1", "n2", "n3", "n4", "n5")


async def chatter(host: Host, config: Mapping[str, Any]) -> None:
    """Answers everybody, and asks every other node twenty times a second."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(echo(host, config))
        for peer in config["nodes"]:
            if peer != host.name:
                tasks.create_task(_ask(peer))


async def _ask(peer: str) -> None:
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(peer, PORT)
            while True:
                writer.write(b"ping")
                await reader.readexactly(4)
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)


def play(schedule: Schedule, *, seed: int = 1) -> tuple[History, SimCluster]:
    async def scenario(cluster: SimCluster) -> History:
        refuse(schedule, cluster)
        start_ns = cluster.wall_clock_ns()
        recorder = Recorder(None, lambda: cluster.wall_clock_ns() - start_ns)
        await run_schedule(schedule, cluster, recorder)
        await asyncio.sleep(0.1)
        for node in cluster.nodes:
            state = await cluster.process_state(node)
            assert (state.running, state.paused) == (True, False)
            assert await cluster.clock_offset_s(node) == 0
        return recorder.history()

    return run_nodes(scenario, chatter, nodes=NODES, seed=seed)


@pytest.mark.parametrize("kind", named(["all"]))
def test_every_kind_lands(kind: str) -> None:
    history, _ = play(draw(2, kinds=[kind], nodes=NODES, time_limit_s=5.0))
    assert outcomes(history)[0]["landed"], outcomes(history)


def test_all_faults_of_a_random_schedule_land_and_are_undone() -> None:
    schedule = draw(4, kinds=named(["all"]), nodes=NODES, time_limit_s=60.0, interval_s=5.0)
    history, _ = play(schedule)
    verdict = fault_coverage(every_fault_must_land=True)(history, {"faults_planned": len(schedule)})
    assert verdict.valid is True, verdict.reason


def test_a_schedule_is_played_the_same_way_twice() -> None:
    schedule = draw(5, kinds=named(["all"]), nodes=NODES, time_limit_s=20.0, interval_s=2.0)
    (first, one), (again, other) = play(schedule), play(schedule)
    assert list(first) == list(again)
    assert one.digest() == other.digest()


def test_actions_are_recorded_at_the_times_of_the_schedule() -> None:
    history, _ = play((Fault(1.25, "kill", ("n2",), 2.5),))
    assert [round(op.time / 1e9, 6) for op in history] == [1.25, 1.25, 3.75, 3.75]
    assert outcomes(history)[0]["evidence"] == "process gone: n2, started again: n2"


def test_a_link_that_nobody_uses_is_no_fault() -> None:
    fault = Fault(1, "partition", ("n1",), 2, {"links": [["n1", "client"]]})
    history, _ = play((fault,))
    assert outcomes(history)[0]["evidence"] == "no packets dropped"
    assert fault_coverage()(history, {}).valid == "unknown"
