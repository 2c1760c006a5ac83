"""Against a server that others wrote: librdkafka's mock cluster of three brokers, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer as TheirConsumer
from confluent_kafka import Producer as TheirProducer

from impl.queue.client.metadata import TopicPartition
from impl.queue.client.partitioners import partition_of
from impl.queue.protocol.keys import ApiKey
from tests.impl.queue.client.clients import admin, consumer, producer

PARTITIONS = 4
# The mock promises flexible versions of the group APIs, and closes the connection or crashes when it
# gets one; these are the ones that librdkafka itself uses.
SAFE = {
    ApiKey.JOIN_GROUP: 5,
    ApiKey.SYNC_GROUP: 3,
    ApiKey.HEARTBEAT: 3,
    ApiKey.LEAVE_GROUP: 1,
}
AS_IT_CAN = {"max_versions": SAFE, "session_timeout_s": 6.0}


@contextmanager
def mock_cluster() -> Iterator[list[tuple[str, int]]]:
    """The brokers' addresses; they live as long as the client that has them."""
    owner = TheirProducer({"test.mock.num.brokers": 3, "bootstrap.servers": "unused"})
    brokers = owner.list_topics(timeout=10).brokers.values()
    yield [(each.host, each.port) for each in brokers]
    del owner


def bootstrap(brokers: list[tuple[str, int]]) -> str:
    return ",".join(f"{host}:{port}" for host, port in brokers)


async def fill(brokers: list[tuple[str, int]], count: int, **options: object) -> list[tuple[int, int]]:
    async with producer(brokers, **options) as writer:
        sent = [await writer.send("t", b"%d" % n, key=b"k%d" % n) for n in range(count)]
        return [((await each).partition, (await each).offset) for each in sent]


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_confluent_kafka_reads_what_we_wrote_where_we_say_it_is(compression: str) -> None:
    with mock_cluster() as brokers:
        placed = asyncio.run(
            asyncio.wait_for(fill(brokers, 300, compression=compression, batch_bytes=3000), 30)
        )
        reader = TheirConsumer(
            {
                "bootstrap.servers": bootstrap(brokers),
                "group.id": "theirs",
                "auto.offset.reset": "earliest",
            }
        )
        reader.subscribe(["t"])
        found: dict[tuple[int, int], bytes] = {}
        for _ in range(100):
            for each in reader.consume(300, 0.2):
                assert not each.error(), each.error()
                found[each.partition(), each.offset()] = each.value()
            if len(found) == 300:
                break
        reader.close()
        assert found == {place: b"%d" % n for n, place in enumerate(placed)}
        assert len({partition for partition, _ in placed}) == PARTITIONS
        assert placed[7][0] == partition_of(b"k7", PARTITIONS)


def test_we_read_what_confluent_kafka_wrote_and_go_on_from_our_commit() -> None:
    async def scenario(brokers: list[tuple[str, int]]) -> None:
        for wanted in (300, 0):
            async with consumer(brokers, group_id="ours", **AS_IT_CAN) as reader:
                reader.subscribe(["t"])
                found = set()
                for _ in range(100 if wanted else 10):
                    found |= {each.value for each in await reader.poll(timeout_s=0.2)}
                    if wanted and len(found) == wanted:
                        break
                assert len(found) == wanted
                await reader.commit()

    with mock_cluster() as brokers:
        writer = TheirProducer({"bootstrap.servers": bootstrap(brokers), "compression.codec": "lz4"})
        for n in range(300):
            writer.produce("t", b"%d" % n, key=b"k%d" % n)
        assert writer.flush(15) == 0
        asyncio.run(asyncio.wait_for(scenario(brokers), 40))


def test_each_partition_is_asked_of_its_own_leader() -> None:
    async def scenario(brokers: list[tuple[str, int]]) -> None:
        placed = await fill(brokers, 300)
        async with admin(brokers) as boss:
            described = await boss.describe()
            assert sorted(described.brokers.values()) == sorted(brokers)
            assert len({each.leader for each in described.topics["t"].values()}) > 1
        places = [TopicPartition("t", n) for n in range(PARTITIONS)]
        async with consumer(brokers) as reader:
            ends = await reader.end_offsets(*places)
            assert ends == {place: sum(p == place.partition for p, _ in placed) for place in places}

    with mock_cluster() as brokers:
        asyncio.run(asyncio.wait_for(scenario(brokers), 40))
