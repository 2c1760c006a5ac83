"""What is reproducible in a simulation, and what is not: the leak table of docs/simulation.md.

Each probe puts something into the bytes that nodes exchange, so that the digest shows it. A probe behind
a guard must give one digest for one seed; without the guard it must not (or the test proves nothing).
What no guard covers is tested too: it leaks, and the docs say so.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import random
import secrets
import subprocess
import sys
import threading
import time
import uuid
from contextlib import nullcontext
from time import time as aliased_time

import pytest

import cluster.sim.cluster
from cluster.sim.world import SimEscape
from tests.support.simnodes import run_nodes

GUARDED = {
    "time.time": lambda: time.time(),
    "time.time_ns": lambda: time.time_ns(),
    "time.monotonic": lambda: time.monotonic(),
    "time.perf_counter": lambda: time.perf_counter(),
    "time.perf_counter_ns": lambda: time.perf_counter_ns(),
    "uuid4": lambda: uuid.uuid4(),
    "os.urandom": lambda: os.urandom(8),
    "secrets": lambda: secrets.token_hex(8),
    "random.random": lambda: random.random(),
    "random.shuffle": lambda: random.sample(range(1000), 5),
    "SystemRandom": lambda: random.SystemRandom().random(),
    "Random() without a seed": lambda: random.Random().random(),
}
NOT_GUARDED = {
    "from time import time": lambda: aliased_time(),
    "datetime.now": lambda: datetime.datetime.now().isoformat(),
}


def digest_of(probe, seed=1):
    async def program(host, config):
        async def serve(reader, writer):
            writer.write(repr(probe()).encode())
            writer.close()

        await asyncio.start_server(serve, host.name, 7000)
        await asyncio.Event().wait()

    async def scenario(cluster):
        for node in cluster.nodes:
            reader, writer = await asyncio.open_connection(node, 7000)
            await reader.read()
            writer.close()

    return run_nodes(scenario, program, seed=seed)[1].digest()


@pytest.mark.parametrize("name", GUARDED)
def test_a_guarded_source_gives_one_digest_per_seed(name):
    assert digest_of(GUARDED[name]) == digest_of(GUARDED[name])


@pytest.mark.parametrize("name", [name for name in GUARDED if not name.startswith("Random")])
def test_the_same_source_leaks_without_its_guard(name, monkeypatch):
    monkeypatch.setattr(cluster.sim.cluster, "guarded", lambda world, network: nullcontext())
    assert digest_of(GUARDED[name]) != digest_of(GUARDED[name])


@pytest.mark.parametrize("name", ["from time import time", "datetime.now"])
def test_what_no_guard_covers_leaks_as_documented(name):
    assert digest_of(NOT_GUARDED[name]) != digest_of(NOT_GUARDED[name])


def test_seeds_differ():
    assert digest_of(lambda: 0, seed=1) != digest_of(lambda: 0, seed=2)


def test_payload_bytes_count_in_the_digest():
    assert digest_of(lambda: 10) != digest_of(lambda: 20)


def test_each_node_and_incarnation_has_its_own_entropy():
    drawn = []

    async def program(host, config):
        drawn.append((random.random(), os.urandom(8), host.random.random()))
        async with asyncio.timeout(None):
            await asyncio.Event().wait()

    async def scenario(cluster):
        await asyncio.sleep(1)
        await cluster.kill("n1")
        await cluster.restart("n1")
        await asyncio.sleep(1)

    run_nodes(scenario, program, wait=False)
    assert len(drawn) == 3
    for column in zip(*drawn, strict=True):
        assert len(set(column)) == 3


def test_sets_of_tasks_iterate_alike_in_every_run():
    async def scenario(cluster):
        async def nap(number):
            await asyncio.sleep(1)
            return number

        tasks = [asyncio.create_task(nap(number)) for number in range(100)]
        done, _ = await asyncio.wait(tasks)
        return [task.result() for task in done]

    first, ballast = run_nodes(scenario)[0], [object() for _ in range(1000)]
    assert all(run_nodes(scenario)[0] == first for _ in ballast[:5])


def test_to_thread_runs_inline():
    async def scenario(cluster):
        return await asyncio.to_thread(threading.get_ident)

    assert run_nodes(scenario)[0] == threading.get_ident()


def test_foreign_task_names_do_not_depend_on_what_ran_before():
    async def scenario(cluster):
        async def noop():
            pass

        return asyncio.create_task(noop()).get_name()

    assert run_nodes(scenario)[0] == run_nodes(scenario)[0]


ESCAPES = {
    "thread": lambda: threading.Thread(target=print).start(),
    "time.sleep": lambda: time.sleep(0.01),
    "process": lambda: subprocess.run(["true"], check=False),
    "os.system": lambda: os.system("true"),
    "uuid1": lambda: uuid.uuid1(),
}


@pytest.mark.parametrize("name", ESCAPES)
def test_a_way_out_raises_and_fails_the_run_even_when_swallowed(name):
    async def program(host, config):
        try:
            ESCAPES[name]()
        except SimEscape:
            pass
        await asyncio.Event().wait()

    async def scenario(cluster):
        await asyncio.sleep(1)

    with pytest.raises(SimEscape, match="n1: "):
        run_nodes(scenario, program, wait=False)


def test_everything_is_put_back_after_a_run():
    before = (time.time, os.urandom, random.random, random.Random, threading.Thread.start)
    digest_of(lambda: 1)
    assert before == (time.time, os.urandom, random.random, random.Random, threading.Thread.start)
    assert time.time() > 1_700_000_000


SET_OF_STRINGS = """
import asyncio
from tests.support.simnodes import run_nodes

async def program(host, config):
    async def serve(reader, writer):
        writer.write("".join({f"key-{n}" for n in range(50)}).encode() if LEAK else b"steady")
        writer.close()
    await asyncio.start_server(serve, host.name, 7000)
    await asyncio.Event().wait()

async def scenario(cluster):
    reader, writer = await asyncio.open_connection("n1", 7000)
    await reader.read()

print(run_nodes(scenario, program)[1].digest())
"""


def digests_by_hash_seed(leak):
    digests = []
    for hash_seed in ("0", "1", "42", "random"):
        program = SET_OF_STRINGS.replace("LEAK", str(leak))
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        digests.append(done.stdout.strip())
    return digests


def test_one_digest_in_four_processes_with_different_hash_seeds():
    assert len(set(digests_by_hash_seed(leak=False))) == 1


def test_the_order_of_a_set_of_strings_leaks_the_hash_seed_as_documented():
    assert len(set(digests_by_hash_seed(leak=True))) > 1
