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
from impl.queue.protocol.errors import Code
from impl.queue.replication.rules import ReplicaRules
from impl.queue.server import serve
from tests.impl.queue.simulated import NODES, SETTINGS, contents, leader, produce, until_taken


def links(node: str) -> list[tuple[str, str]]:
    others = [each for each in NODES if each != node]
    return [link for each in others for link in ((node, each), (each, node))]


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
