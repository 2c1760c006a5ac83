"""A disk that is full: an error to the producer, the partition offline, nothing half-written served."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from aiokafka import AIOKafkaProducer

from cluster.sim.cluster import SimCluster
from cluster.systems.queue import CLIENT_PORT, queue_cluster, queue_system
from impl.queue.client.admin import Admin
from impl.queue.protocol.codec import Codec
from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ApiKey
from impl.queue.protocol.peer import Peer, connect
from tests.impl.queue.raw import batch, produced

BATCH = batch(bytes(1000))
NODES = ("n1",)


async def ask(key: int, version: int, values: dict[str, Any]) -> Any:
    peer: Peer = await connect(Codec(), "n1", CLIENT_PORT, 5)
    try:
        return await peer.ask(key, version, values, 5)
    finally:
        peer.close()


async def produce() -> Code:
    answer = await ask(ApiKey.PRODUCE, 9, produced(BATCH))
    return answer.responses[0].partition_responses[0].error_code


async def fetch(offset: int) -> tuple[Code, bytes]:
    asked = {
        "partition": 0,
        "current_leader_epoch": -1,
        "fetch_offset": offset,
        "partition_max_bytes": 1 << 20,
    }
    topics = [{"topic": "t", "partitions": [asked]}]
    values = {"max_wait": 0, "min_bytes": 1, "topics": topics, "forgotten_topics_data": ()}
    part = (await ask(ApiKey.FETCH, 12, values)).responses[0].partitions[0]
    return part.error_code, part.records or b""


async def until_full(cluster: SimCluster) -> int:
    """How many batches were acknowledged before the first error."""
    count = 0
    while (code := await produce()) is Code.none:
        count += 1
    assert code is Code.kafka_storage_error
    return count


def test_a_full_disk_takes_the_partition_offline_and_keeps_what_was_acknowledged() -> None:
    cluster = SimCluster(queue_system(nodes=NODES), nodes=NODES)

    async def main() -> None:
        await cluster.start()
        await ask(ApiKey.METADATA, 7, {"topics": [{"name": "t"}], "allow_auto_topic_creation": True})
        disk = cluster.machine("n1").disk
        disk.capacity_bytes = disk.used_bytes() + 10 * len(BATCH) + len(BATCH) // 2
        count = await until_full(cluster)
        assert count == 10
        assert (await fetch(0))[0] is Code.kafka_storage_error
        assert await produce() is Code.kafka_storage_error
        disk.capacity_bytes = None
        await cluster.terminate("n1")
        await cluster.restart("n1")
        await asyncio.sleep(2)
        code, data = await fetch(0)
        assert (code, len(data)) == (Code.none, count * len(BATCH))
        assert await produce() is Code.none

    cluster.run(main)


def test_in_a_cluster_another_replica_leads_when_the_leaders_disk_is_full() -> None:
    nodes = ("n1", "n2", "n3")
    settings = {"default.replication.factor": 3, "num.partitions": 1, "min.insync.replicas": 2}
    cluster = SimCluster(queue_cluster(nodes=nodes, settings=settings), nodes=nodes)

    async def main() -> list[int]:
        await cluster.start()
        boot = ",".join(f"{node}:{CLIENT_PORT}" for node in nodes)
        producer = AIOKafkaProducer(bootstrap_servers=boot, acks="all", metadata_max_age_ms=500)
        await producer.start()
        await producer.send_and_wait("t", b"first")
        (leader,) = [each.leader for each in producer.client.cluster._partitions["t"].values()]
        disk = cluster.machine(f"n{leader}").disk
        disk.capacity_bytes = disk.used_bytes()
        for number in range(20):
            await producer.send_and_wait("t", bytes(200 + number))
        await producer.stop()
        return [leader, producer.client.cluster._partitions["t"][0].leader]

    before, after = cluster.run(main)
    assert before != after


def test_what_a_broker_cannot_open_is_led_by_another_one() -> None:
    nodes = ("n1", "n2", "n3")
    settings = {"default.replication.factor": 3}
    cluster = SimCluster(queue_cluster(nodes=nodes, settings=settings), nodes=nodes)

    async def leaders(admin: Admin) -> list[int]:
        await admin._cluster.refresh(within_s=10)
        partitions = admin._cluster.metadata.topics["t"].partitions
        return [each.leader for each in partitions.values()]

    async def main() -> None:
        await cluster.start()
        machine = cluster.machine("n2")
        assert machine.loop is not None
        for number in range(3):
            machine.disk.view(machine.loop).open(f"queue/t-{number}/partition.json").append(b"{")
        async with Admin([("n1", CLIENT_PORT)], random=random.Random(1)) as admin:
            await admin.create_topic("t", partitions=6, replication_factor=3)
            admin._cluster.watch(["t"])
            while 2 in (await leaders(admin))[:3]:
                await asyncio.sleep(0.1)
            assert 2 in (await leaders(admin))[3:]
        assert "t-0 cannot be opened" in cluster.logs()["n2"]

    async def in_time() -> None:
        async with asyncio.timeout(60):
            await main()

    cluster.run(in_time)
