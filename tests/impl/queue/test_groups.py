"""Groups over the loss of their coordinator, in the simulator."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from cluster.sim.cluster import SimCluster
from cluster.systems.queue import queue_cluster
from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ApiKey
from tests.impl.queue.chaos import SETTINGS, bootstrap
from tests.impl.queue.simulated import NODES, ask, leader


async def coordinator(cluster: SimCluster) -> str:
    """The node that answers for group g."""
    async with asyncio.timeout(30):
        while True:
            for node in NODES:
                if not (await cluster.process_state(node)).running:
                    continue
                asked = {"key": "g", "key_type": 0}
                found = await ask(node, ApiKey.FIND_COORDINATOR, 1, asked)
                if found.error_code is Code.none:
                    return f"n{found.node_id}"
            await asyncio.sleep(0.1)


def consumer(cluster: SimCluster) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        "t",
        bootstrap_servers=bootstrap(cluster),
        group_id="g",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=30_000,
        metadata_max_age_ms=1000,
    )


def test_the_next_coordinator_knows_the_commits_and_waits_for_nobody_who_has_left() -> None:
    """The last member's leaving must stand in the log before it is answered."""
    cluster = SimCluster(queue_cluster(nodes=NODES, settings=SETTINGS), nodes=NODES, seed=3)

    async def main() -> tuple[float, Any]:
        await cluster.start()
        await leader(NODES)
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap(cluster), acks="all")
        await producer.start()
        for number in range(10):
            await producer.send_and_wait("t", b"%d" % number, partition=0)
        await producer.stop()
        first = consumer(cluster)
        await first.start()
        for _ in range(10):
            await first.getone()
        await first.commit({TopicPartition("t", 0): 7})
        await first.stop()
        await cluster.kill(await coordinator(cluster))
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        second = consumer(cluster)
        await second.start()
        record = await second.getone()
        await second.stop()
        return loop.time() - began_s, record.offset

    took_s, offset = cluster.run(main)
    assert offset == 7
    assert took_s < 15
