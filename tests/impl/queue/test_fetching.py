"""Fetches of more than one answer holds: nothing is lost of them, and no partition is passed over."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from cluster.sim.cluster import SimCluster
from cluster.systems.queue import queue_cluster
from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ApiKey
from tests.impl.queue.brokers import process
from tests.impl.queue.raw import Raw, batch, produced
from tests.impl.queue.simulated import NODES, SETTINGS, ask

MOST_BYTES = 2_000_000
LARGE = [batch(bytes([number]) * 600_000) for number in range(1, 7)]
NAMED = {"topics": [{"name": "t"}], "allow_auto_topic_creation": True}


def asked(offsets: dict[int, int]) -> dict[str, Any]:
    """A fetch of these partitions that leaves the size of the answer to the broker."""
    parts = [
        {
            "partition": partition,
            "current_leader_epoch": -1,
            "fetch_offset": offset,
            "partition_max_bytes": 50 << 20,
        }
        for partition, offset in offsets.items()
    ]
    topics = [{"topic": "t", "partitions": parts}]
    return {
        "max_wait": 0,
        "min_bytes": 1,
        "max_bytes": 50 << 20,
        "topics": topics,
        "forgotten_topics_data": (),
    }


def found(answer: Any) -> dict[int, bytes]:
    return {part.partition_index: part.records or b"" for part in answer.responses[0].partitions}


def content(data: bytes) -> bytes:
    """A batch without its place in the log."""
    return data[16:]


def test_answers_end_at_the_brokers_bound_and_all_is_read_in_several(tmp_path: Path) -> None:
    with process(tmp_path, fetch_max_bytes=MOST_BYTES) as broker, Raw(broker.port) as raw:
        raw.ask(ApiKey.METADATA, 7, NAMED)
        for partition in (0, 1):
            assert all(raw.produce(each, partition=partition)[0] == 0 for each in LARGE)
        got: dict[int, list[bytes]] = {0: [], 1: []}
        while any(len(each) < len(LARGE) for each in got.values()):
            # The partition that was behind is asked for first.
            order = sorted(got, key=lambda each: len(got[each]))
            parts = found(raw.ask(ApiKey.FETCH, 12, asked({each: len(got[each]) for each in order})))
            assert 0 < sum(map(len, parts.values())) <= MOST_BYTES
            for partition, data in parts.items():
                size = len(LARGE[0])
                got[partition] += [data[at : at + size] for at in range(0, len(data), size)]
        for batches in got.values():
            assert [content(each) for each in batches] == [content(each) for each in LARGE]


def test_answers_to_a_reader_that_is_behind_wait_and_come_whole_and_in_order(tmp_path: Path) -> None:
    with process(tmp_path, fetch_max_bytes=64 << 20) as broker, Raw(broker.port) as raw:
        raw.ask(ApiKey.METADATA, 7, NAMED)
        assert all(raw.produce(each)[0] == 0 for each in LARGE * 3)
        for offset in (0, 9, 17):
            raw.send(raw.request(ApiKey.FETCH, 12, asked({0: offset})))
        with Raw(broker.port) as other:  # it has begun to answer, and is not held up
            assert other.end() == 3 * len(LARGE)
        sizes = [len(raw.answer()) // len(LARGE[0]) for _ in range(3)]
        assert sizes == [18, 9, 1]


def test_a_partition_with_little_news_is_replicated_beside_one_that_fills_every_answer() -> None:
    settings = {
        **SETTINGS,
        "num.partitions": 6,
        "replica.fetch.response.max.bytes": 1000,
        "replica.lag.time.max.ms": 60_000,
    }
    cluster = SimCluster(queue_cluster(nodes=NODES, settings=settings), nodes=NODES, seed=1)
    codes: list[Code] = []

    async def produce(node: str, partition: int, value: bytes, acks: int) -> Code:
        values = produced(batch(value), partition=partition, acks=acks)
        answer = await ask(node, ApiKey.PRODUCE, 9, values)
        code: Code = answer.responses[0].partition_responses[0].error_code
        return code

    async def press(node: str, partition: int) -> None:
        while True:
            await produce(node, partition, bytes(2000), 1)

    async def main() -> None:
        await cluster.start()
        node, *both = await _two_of_one_leader()
        for busy, quiet in (both, reversed(both)):
            while await produce(node, quiet, b"first", -1) is not Code.none:
                await asyncio.sleep(0.1)
            async with asyncio.TaskGroup() as tasks:
                pressing = [tasks.create_task(press(node, busy)) for _ in range(4)]
                await asyncio.sleep(0.1)
                async with asyncio.timeout(1):
                    codes.append(await produce(node, quiet, b"second", -1))
                for each in pressing:
                    each.cancel()

    cluster.run(main)
    assert codes == [Code.none, Code.none]


async def _two_of_one_leader() -> tuple[str, int, int]:
    """A node, and two partitions of t that it leads."""
    while True:
        (topic,) = (await ask("n1", ApiKey.METADATA, 7, NAMED)).topics
        by_leader: dict[int, list[int]] = {}
        for each in sorted(topic.partitions, key=lambda part: part.partition_index):
            by_leader.setdefault(each.leader_id, []).append(each.partition_index)
        for leader, partitions in by_leader.items():
            if leader > 0 and len(partitions) > 1:
                return f"n{leader}", partitions[0], partitions[1]
        await asyncio.sleep(0.1)
