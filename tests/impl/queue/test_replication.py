"""A leader that is cut off from everybody but its client: what it may say, and what becomes of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

from cluster.sim.cluster import SimCluster
from cluster.systems.queue import queue_cluster
from impl.host import Program
from impl.queue.parts import PARTS
from impl.queue.protocol import batches
from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ApiKey
from impl.queue.protocol.peer import PEER_ERRORS
from impl.queue.replication.rules import ReplicaRules
from impl.queue.server import serve
from tests.impl.queue.chaos import ask
from tests.impl.queue.raw import batch, produced

NODES = ("n1", "n2", "n3")
SETTINGS = {
    "num.partitions": 1,
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    "replica.lag.time.max.ms": 1000,
    "replica.socket.timeout.ms": 1000,
}


async def produce(node: str, value: bytes, *, acks: int = -1, timeout_ms: int = 300) -> Code:
    values = {**produced(batch(value), acks=acks), "timeout": timeout_ms}
    answer = await ask(node, ApiKey.PRODUCE, 9, values)
    return answer.responses[0].partition_responses[0].error_code


async def leader(nodes: tuple[str, ...], not_this: str = "") -> str:
    """Who leads t-0, as one of ``nodes`` says, once it is another than ``not_this``."""
    asked = {"topics": [{"name": "t"}], "allow_auto_topic_creation": True}
    async with asyncio.timeout(30):
        while True:
            for node in nodes:
                try:
                    (topic,) = (await ask(node, ApiKey.METADATA, 7, asked)).topics
                except PEER_ERRORS:
                    continue
                ids = [each.leader_id for each in topic.partitions]
                if ids and ids[0] > 0 and f"n{ids[0]}" != not_this:
                    return f"n{ids[0]}"
            await asyncio.sleep(0.1)


async def contents(node: str) -> tuple[int, list[tuple[int, int]]]:
    """The leader's high watermark, and (offset, leader epoch) of each batch below it."""
    part = {"partition": 0, "current_leader_epoch": -1, "fetch_offset": 0}
    topics = [{"topic": "t", "partitions": [{**part, "partition_max_bytes": 1 << 20}]}]
    values = {"max_wait": 0, "min_bytes": 1, "topics": topics, "forgotten_topics_data": ()}
    found = (await ask(node, ApiKey.FETCH, 12, values)).responses[0].partitions[0]
    data = found.records or b""
    places = [(each.base_offset, each.leader_epoch) for _, each in batches.walk(data)]
    return found.high_watermark, places


def links(node: str) -> list[tuple[str, str]]:
    others = [each for each in NODES if each != node]
    return [link for each in others for link in ((node, each), (each, node))]


async def until_taken(node: str, value: bytes) -> None:
    async with asyncio.timeout(30):
        while await produce(node, value) is not Code.none:
            await asyncio.sleep(0.1)


def cut_off(program: Program = serve, seed: int = 1) -> dict[str, Any]:
    """What a leader says while it is cut off, and what the log is in the end."""
    system = queue_cluster(nodes=NODES, program=program, settings=SETTINGS)
    cluster = SimCluster(system, nodes=NODES, seed=seed)
    found: dict[str, Any] = {}

    async def main() -> None:
        await cluster.start()
        old = await leader(NODES)
        await until_taken(old, b"first")
        await cluster.cut(links(old))
        found["all"] = await produce(old, b"for all")
        found["one"] = await produce(old, b"for one", acks=1)
        found["read"] = await contents(old)
        rest = tuple(each for each in NODES if each != old)
        new = await leader(rest, old)
        found["deposed"] = await produce(old, b"too late", acks=1)
        await until_taken(new, b"second")
        await cluster.heal(links(old))
        await asyncio.sleep(5)
        await cluster.kill(new)
        last = await leader(tuple(each for each in NODES if each != new), new)
        await until_taken(last, b"third")
        found["end"] = await contents(last)

    cluster.run(main)
    return found


def test_a_leader_that_is_cut_off_acknowledges_nothing_to_all_and_shows_nothing_of_it() -> None:
    found = cut_off()
    assert found["all"] is Code.request_timed_out
    assert found["one"] is Code.none
    assert found["read"] == (1, [(0, found["read"][1][0][1])])


def test_a_deposed_leader_takes_nothing_and_loses_what_only_it_had() -> None:
    found = cut_off(seed=2)
    assert found["deposed"] is Code.not_leader_or_follower
    high_watermark, log = found["end"]
    assert [offset for offset, _ in log] == list(range(high_watermark))
    assert len({epoch for _, epoch in log}) == 3 == high_watermark


def test_a_high_watermark_ahead_of_its_followers_is_found() -> None:
    hasty = ReplicaRules(committed_end=lambda own_end, ends, followers: own_end)
    found = cut_off(partial(serve, parts=replace(PARTS, replica_rules=hasty)))
    assert found["all"] is Code.none
    assert found["read"][0] > 1
