"""Replicas that move: the rules by properties, and what becomes of data and directories."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.sim.cluster import SimCluster
from cluster.systems.queue import queue_cluster
from impl.queue.metadata import moves
from impl.queue.metadata.image import NO_LEADER, Move, PartitionState
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.protocol.keys import ApiKey
from tests.impl.queue.simulated import ask, contents, leader, produce, until_taken

NODES = ("n1", "n2", "n3", "n4")
SETTINGS = {
    "num.partitions": 1,
    "default.replication.factor": 2,
    "replica.lag.time.max.ms": 1000,
    "replica.socket.timeout.ms": 1000,
    "auto.leader.rebalance.enable": "false",
}
MANY = settings(max_examples=300, deadline=None, derandomize=True)
brokers = st.lists(st.integers(1, 6), min_size=1, max_size=4, unique=True).map(tuple)


@st.composite
def states(draw: Any) -> PartitionState:
    replicas = draw(brokers)
    isr = tuple(each for each in replicas if draw(st.booleans())) or replicas[:1]
    leader = draw(st.sampled_from((*isr, NO_LEADER)))
    return PartitionState(
        leader=leader, leader_epoch=3, replicas=replicas, isr=isr, isr_epochs=(7,) * len(isr)
    )


@given(states(), brokers, st.sets(st.integers(1, 6)))
@MANY
def test_what_holds_after_every_step(
    before: PartitionState, target: tuple[int, ...], up: set[int]
) -> None:
    during, move = moves.begun(before, None, target)
    assert during.isr == tuple(each for each in during.replicas if each in before.isr)
    assert (during.leader, during.leader_epoch) == (before.leader, before.leader_epoch)
    if move is None:
        assert target == before.replicas == during.replicas
        return
    assert set(during.replicas) == set(target) | set(before.replicas)
    assert during.replicas[: len(target)] == target
    caught_up = tuple(each for each in during.replicas if each in before.isr or each in up)
    grown = PartitionState(
        leader=during.leader,
        leader_epoch=3,
        replicas=during.replicas,
        isr=caught_up,
        isr_epochs=(7,) * len(caught_up),
    )
    after = moves.done(grown, move)
    assert (after is None) == (not set(target) <= set(caught_up))
    if after is not None:
        assert after.replicas == after.isr == target
        assert after.leader in (*target, NO_LEADER)
        assert (after.leader == grown.leader) == (after.leader_epoch == 3)
    back, over = moves.begun(grown, move, None)
    assert over is None
    assert back.replicas == before.replicas
    assert set(back.isr) == set(caught_up) & set(before.replicas)


def state(replicas: tuple[int, ...], isr: tuple[int, ...]) -> PartitionState:
    return PartitionState(
        leader=isr[0], leader_epoch=3, replicas=replicas, isr=isr, isr_epochs=(7,) * len(isr)
    )


def test_a_move_is_called_off_only_if_somebody_of_before_is_in_sync() -> None:
    move = Move(target=(3,), origin=(1, 2))
    with pytest.raises(ApiError) as refused:
        moves.begun(state((3, 1, 2), (3,)), move, None)
    assert refused.value.code is Code.invalid_replica_assignment
    with pytest.raises(ApiError) as refused:
        moves.begun(state((1, 2), (1,)), None, None)
    assert refused.value.code is Code.no_reassignment_in_progress


def test_who_is_about_to_stop_leads_only_what_nobody_else_can() -> None:
    during = state((3, 4, 1), (1, 3, 4))
    move = Move(target=(3, 4), origin=(1,))
    assert [moves.done(during, move, leaving).leader for leaving in ((), (3,), (3, 4))] == [3, 4, 3]


def test_another_move_begins_from_where_the_replicas_were_at_first() -> None:
    first, move = moves.begun(state((1, 2), (1, 2)), None, (3, 2))
    second, move = moves.begun(first, move, (4,))
    assert move == Move(target=(4,), origin=(1, 2))
    assert second.replicas == (4, 1, 2)


# --- in the simulator ---------------------------------------------------------------------------------


async def move(target: tuple[int, ...] | None, name: str = "t", number: int = 0) -> Code:
    parts = [{"partition_index": number, "replicas": target}]
    asked = {"timeout": 5000, "topics": [{"name": name, "partitions": parts}]}
    answer = await ask("n1", ApiKey.ALTER_PARTITION_REASSIGNMENTS, 0, asked)
    return answer.responses[0].partitions[0].error_code


async def under_way(*numbers: int) -> list[tuple[Any, ...]]:
    topics = [{"name": "t", "partition_indexes": numbers}] if numbers else None
    asked = {"timeout": 5000, "topics": topics}
    answer = await ask("n2", ApiKey.LIST_PARTITION_REASSIGNMENTS, 0, asked)
    return [
        (topic.name, each.partition_index, each.replicas, each.adding_replicas, each.removing_replicas)
        for topic in answer.topics
        for each in topic.partitions
    ]


async def seen() -> Any:
    asked = {"topics": [{"name": "t"}], "allow_auto_topic_creation": True}
    (topic,) = (await ask("n1", ApiKey.METADATA, 7, asked)).topics
    return topic.partitions[0]


async def until(fits: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(30):
        while not fits(found := await seen()):
            await asyncio.sleep(0.1)
    return found


def simulated(main: Callable[[SimCluster], Awaitable[Any]]) -> tuple[Any, SimCluster]:
    cluster = SimCluster(queue_cluster(nodes=NODES, settings=SETTINGS), nodes=NODES, seed=1)
    found: list[Any] = []

    async def whole() -> None:
        await cluster.start()
        await leader(NODES)
        found.append(await main(cluster))

    cluster.run(whole)
    return found[0], cluster


def test_messages_go_with_their_partition_to_brokers_that_had_nothing_of_it() -> None:
    async def main(cluster: SimCluster) -> Any:
        for value in (b"one", b"two", b"three"):
            await until_taken(await leader(NODES), value)
        before = await seen()
        others = tuple(each for each in (1, 2, 3, 4) if each not in before.replica_nodes)
        assert await move(others) is Code.none
        after = await until(lambda found: found.replica_nodes == others)
        assert await under_way() == []
        await until_taken(new := f"n{after.leader_id}", b"four")
        await asyncio.sleep(1)
        here = {each: await directories(each) for each in NODES}
        return before, others, after, await contents(new), here

    (before, others, after, (high_watermark, log), here), _ = simulated(main)
    assert set(after.isr_nodes) == set(others)
    assert after.leader_id in others
    assert [offset for offset, _ in log] == [0, 1, 2, 3]
    assert high_watermark == 4
    assert log[-1][1] > before.leader_epoch
    assert {node for node, found in here.items() if found} == {f"n{each}" for each in others}


async def directories(node: str) -> list[str]:
    """The topic's partitions that ``node`` has on its disk, as it says."""
    answer = await ask(node, ApiKey.DESCRIBE_LOG_DIRS, 4, {"topics": None})
    return [topic.name for topic in answer.results[0].topics if topic.name == "t"]


def test_a_move_to_a_broker_that_dies_is_under_way_until_it_is_back_or_it_is_called_off() -> None:
    async def main(cluster: SimCluster) -> None:
        before = await seen()
        (stays, goes) = before.replica_nodes
        (comes, _) = (each for each in (2, 3, 4, 1) if each not in before.replica_nodes)
        target = (stays, comes)
        await cluster.kill(f"n{comes}")
        assert await move(target) is Code.none
        expected = [("t", 0, (stays, comes, goes), (comes,), (goes,))]
        assert await under_way() == await under_way(0) == expected
        assert await under_way(7) == []
        assert await produce(await leader(NODES), b"meanwhile", timeout_ms=3000) is Code.none
        assert await move(None) is Code.none
        assert await under_way() == []
        assert (await seen()).replica_nodes == before.replica_nodes
        assert await move(None) is Code.no_reassignment_in_progress
        await cluster.restart(f"n{comes}")
        await asyncio.sleep(5)
        assert await move(target) is Code.none
        await until(lambda found: found.replica_nodes == target)

    simulated(main)


def test_what_cannot_be_is_refused_and_nothing_moves() -> None:
    async def main(cluster: SimCluster) -> None:
        before = await seen()
        for target in ((), (1, 1), (1, 9)):
            assert await move(target) is Code.invalid_replica_assignment
        assert await move((1,), name="unknown") is Code.unknown_topic_or_partition
        assert await move((1,), number=5) is Code.unknown_topic_or_partition
        assert await move(None) is Code.no_reassignment_in_progress
        assert await move(before.replica_nodes) is Code.none
        assert await under_way() == []
        assert (await seen()).replica_nodes == before.replica_nodes

    simulated(main)
