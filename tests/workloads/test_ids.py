import asyncio
from collections import Counter
from pathlib import Path

import pytest

from cluster.api import Endpoint
from history.op import Op, invoke
from impl.mutants.mutant import QUEUE
from impl.mutants.registry import MUTANTS
from tests.impl.ids.nodes import running
from tests.support.ports import free_port
from workloads.generators import PENDING, start_context
from workloads.ids import NextClient, load
from workloads.registry import WORKLOADS
from workloads.workload import ClientContext, WorkloadOptions


async def ask(endpoints: dict[str, Endpoint], op: Op, *, process: int = 0) -> Op:
    client = NextClient(ClientContext(process=process, endpoints=endpoints, seed=1))
    await client.open()
    try:
        return await client.invoke(op)
    finally:
        await client.close()


def test_a_success_carries_the_ids_and_the_node(tmp_path: Path) -> None:
    async def succeed() -> Op:
        config = {"kind": "autoincrement", "offset": 2, "step": 3, "port": free_port()}
        async with running(tmp_path, config):
            return await ask({"n1": Endpoint("127.0.0.1", config["port"])}, invoke("next", 2))

    done = asyncio.run(succeed())
    assert (done.type, done.value, done.node) == ("ok", [2, 5], "n1")


def test_what_no_node_can_have_done_is_a_fail() -> None:
    done = asyncio.run(ask({"n1": Endpoint("127.0.0.1", free_port())}, invoke("next")))
    assert done.type == "fail"
    assert done.error.startswith("n1: ")


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


def test_what_a_node_may_have_done_is_info() -> None:
    async def lose() -> Op:
        server = await asyncio.start_server(_hang_up, "127.0.0.1", 0)
        try:
            return await ask({"n1": Endpoint(*server.sockets[0].getsockname())}, invoke("next"))
        finally:
            server.close()

    done = asyncio.run(lose())
    assert (done.type, done.node) == ("info", "n1")


def drawn(one_in: int, operations: int = 3000) -> Counter[int]:
    context = start_context(5, seed=3)
    generator = load(10.0, one_in=one_in)
    counts: Counter[int] = Counter()
    while counts.total() < operations:
        step = generator.op(context)
        assert step is not None
        op, generator = step
        assert op is not PENDING
        counts[op.value] += 1
        thread = context.thread_of(op.process)
        context = context.invoked(thread, op.time).completed(thread, op.time, crashed=False)
    return counts


def test_a_load_mixes_few_ids_and_now_and_then_more_than_a_millisecond_has() -> None:
    counts = drawn(one_in=100)
    assert set(counts) == {*range(1, 11), 5000}
    assert 0.5 < counts[1] / counts.total() < 0.7
    assert 10 < counts[5000] < 60
    assert 5000 not in drawn(one_in=0)


@pytest.mark.parametrize("name", ["autoincrement", "snowflake", "uuid"])
def test_each_workload_is_registered_under_its_name(name: str) -> None:
    workload = WORKLOADS[name](WorkloadOptions())
    assert workload.name == name
    assert workload.progress == ("next",)
    assert workload.facts["nodes"] == ("n1", "n2", "n3", "n4", "n5")


def test_the_uuid_workload_takes_a_version_and_no_other_than_4_and_7() -> None:
    assert WORKLOADS["uuid"](WorkloadOptions()).system.name == "ids-uuid4"
    for version in (7, "7"):
        options = WorkloadOptions(settings={"version": version})
        assert WORKLOADS["uuid"](options).system.name == "ids-uuid7"
    with pytest.raises(ValueError, match="no version '5'"):
        WORKLOADS["uuid"](WorkloadOptions(settings={"version": 5}))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_runs_in_the_workload_of_its_kind_and_in_no_other(name: str) -> None:
    mutant, options = MUTANTS[name], WorkloadOptions(mutant=name)
    for workload, make in WORKLOADS.items():
        if mutant.kind.startswith(workload) and mutant.kind != QUEUE:
            assert make(options).system.program is mutant.program
            assert make(options).system.name == f"ids-{mutant.kind}"
        elif workload in ("autoincrement", "snowflake", "uuid"):
            with pytest.raises(ValueError, match=f"workload {workload} has no mutant {name!r}"):
                make(options)


def test_a_setting_that_no_node_knows_is_refused() -> None:
    for name, settings in (("snowflake", {"version": 7}), ("uuid", {"version": 7, "epoch": 3})):
        system = WORKLOADS[name](WorkloadOptions(settings=settings)).system
        with pytest.raises(ValueError, match="unknown key"):
            system.configure("n1", ("n1", "n2"))
