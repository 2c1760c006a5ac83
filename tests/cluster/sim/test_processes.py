"""Kill, pause, restart, terminate, clocks: what a node program lives through."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time

import pytest

from cluster.sim.world import SimError
from tests.support.simnodes import echo, run_nodes


def journal():
    """A program that writes down what it lives through, and the list it writes into."""
    events = []

    async def program(host, config):
        events.append(("start", host.name, time.monotonic()))
        try:
            while True:
                await asyncio.sleep(1)
                events.append(("tick", host.name, time.monotonic()))
        finally:
            events.append(("finally", host.name, time.monotonic()))

    return events, program


def test_no_finally_runs_at_a_kill():
    events, program = journal()

    async def scenario(cluster):
        await asyncio.sleep(3.5)
        await cluster.kill("n1")
        await asyncio.sleep(3)
        return list(events)

    seen, cluster = run_nodes(scenario, program, wait=False)
    assert [kind for kind, node, _ in seen if node == "n1"] == ["start", "tick", "tick", "tick"]
    assert not cluster.machine("n1").state().running


def test_a_restart_is_a_new_incarnation():
    _, program = journal()

    async def scenario(cluster):
        await cluster.kill("n1")
        await cluster.restart("n1")
        await cluster.restart("n1")
        await asyncio.sleep(0.1)
        return await cluster.process_state("n1")

    state, _ = run_nodes(scenario, program, wait=False)
    assert (state.running, state.incarnation) == (True, 2)


def test_timers_that_were_due_during_a_pause_fire_at_the_resume():
    events, program = journal()

    async def scenario(cluster):
        await asyncio.sleep(1.5)
        await cluster.pause("n1")
        assert (await cluster.process_state("n1")).paused
        await asyncio.sleep(10)
        before = sum(1 for kind, node, _ in events if node == "n1")
        await cluster.resume("n1")
        await asyncio.sleep(0.001)
        return before, sum(1 for kind, node, _ in events if node == "n1")

    assert run_nodes(scenario, program, wait=False)[0] == (2, 3)


def test_a_paused_node_can_be_killed_and_resume_does_nothing_then():
    async def scenario(cluster):
        await cluster.pause("n1")
        await cluster.kill("n1")
        await cluster.resume("n1")
        await cluster.pause("n1")
        return await cluster.process_state("n1")

    state, _ = run_nodes(scenario)
    assert (state.running, state.paused) == (False, False)


def test_sigterm_calls_the_handler_or_ends_the_process():
    ended = []

    async def graceful(host, config):
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        await asyncio.sleep(1)
        ended.append(host.name)

    async def scenario(cluster):
        await asyncio.sleep(0.1)
        await cluster.terminate("n1")
        await asyncio.sleep(0.5)
        running = (await cluster.process_state("n1")).running
        await asyncio.sleep(1)
        return running, (await cluster.process_state("n1")).running

    assert run_nodes(scenario, graceful, wait=False)[0] == (True, False)
    assert ended == ["n1"]
    assert run_nodes(scenario, wait=True)[0] == (False, False)


def test_a_crash_and_an_exit_end_the_process_and_are_in_its_log():
    async def crash(host, config):
        await asyncio.sleep(1)
        if host.name == "n1":
            raise ValueError("the disk is on fire")
        sys.exit(3)

    async def scenario(cluster):
        await asyncio.sleep(2)
        return [(await cluster.process_state(node)).running for node in cluster.nodes]

    states, cluster = run_nodes(scenario, crash, wait=False)
    assert states == [False, False]
    assert "the disk is on fire" in cluster.logs()["n1"]


def test_nothing_runs_after_an_exit_and_what_never_ran_is_no_warning(recwarn):
    ran, tasks = [], []

    async def given():
        ran.append("given")

    async def task(work):
        ran.append("task")
        await work

    async def program(host, config):
        await asyncio.sleep(1)
        ran.append(host.name)
        tasks.append(asyncio.create_task(task(given())))
        sys.exit(3)

    async def scenario(cluster):
        await asyncio.sleep(2)

    run_nodes(scenario, program, nodes=("n1",), wait=False)
    assert ran == ["n1"]
    assert [str(each.message) for each in recwarn] == []


def test_what_a_living_program_forgets_to_await_is_a_warning():
    async def forgotten():
        pass

    async def scenario(cluster):
        forgotten()

    with pytest.warns(RuntimeWarning, match="forgotten' was never awaited"):
        run_nodes(scenario)


def test_what_a_node_logs_is_in_its_own_log_with_the_time():
    async def program(host, config):
        await asyncio.sleep(2)
        logging.getLogger("app").info("hello from %s", host.name)
        await asyncio.Event().wait()

    async def scenario(cluster):
        await asyncio.sleep(3)

    _, cluster = run_nodes(scenario, program, wait=False)
    assert "2.000000 INFO app: hello from n1\n" in cluster.logs()["n1"]
    assert "n2" not in cluster.logs()["n1"]


def test_a_skewed_clock_shifts_and_drifts_the_wall_clock_only():
    async def program(host, config):
        await asyncio.Event().wait()

    async def scenario(cluster):
        await cluster.skew("n1", -30.0, 2.0)
        await asyncio.sleep(10)
        assert await cluster.clock_offset_s("n1") == pytest.approx(-20)
        assert await cluster.clock_offset_s("n2") == 0
        await cluster.skew("n1", 0)
        await asyncio.sleep(10)
        assert await cluster.clock_offset_s("n1") == 0
        assert time.time_ns() == cluster.wall_clock_ns()

    run_nodes(scenario, program, wait=False)


def test_wall_clocks_of_nodes_reach_both_time_and_host():
    seen = {}

    async def program(host, config):
        await asyncio.sleep(1)
        seen[host.name] = (time.time_ns(), host.wall_clock_ns(), time.monotonic())
        await asyncio.Event().wait()

    async def scenario(cluster):
        await cluster.skew("n1", 3600)
        await asyncio.sleep(2)

    run_nodes(scenario, program, wait=False)
    assert seen["n1"][0] == seen["n1"][1] == seen["n2"][0] + 3600 * 10**9
    assert seen["n1"][2] == seen["n2"][2]


def test_sharing_a_lock_between_nodes_by_accident_raises():
    shared = asyncio.Lock()

    async def program(host, config):
        while True:
            async with shared:
                await asyncio.sleep(1)

    async def scenario(cluster):
        await asyncio.sleep(5)

    _, cluster = run_nodes(scenario, program, wait=False)
    assert "different event loop" in "".join(cluster.logs().values())


def test_a_busy_loop_in_virtual_time_is_an_error():
    async def scenario(cluster):
        while True:
            await asyncio.sleep(0)

    with pytest.raises(SimError, match="without letting time pass"):
        run_nodes(scenario)


def test_a_run_in_which_nothing_can_happen_any_more_is_an_error():
    async def program(host, config):
        await asyncio.Event().wait()

    async def scenario(cluster):
        await asyncio.Event().wait()

    with pytest.raises(SimError, match="stuck"):
        run_nodes(scenario, program, wait=False)


def test_an_interrupt_lets_the_harness_clean_up_before_it_raises():
    cleaned = []

    async def scenario(cluster):
        try:
            while True:
                await asyncio.sleep(1)
                if asyncio.get_running_loop().time() > 3610:
                    cluster.world.interrupt()
        finally:
            await asyncio.sleep(5)
            cleaned.append(await cluster.process_state("n1"))

    with pytest.raises(KeyboardInterrupt):
        run_nodes(scenario, echo)
    assert cleaned[0].running
