"""Clients that others wrote, unmodified: aiokafka, confluent-kafka and kafka-python."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from kafka import KafkaConsumer, KafkaProducer

from cluster.sim.cluster import SimCluster
from cluster.systems.queue import CLIENT_PORT, queue_system
from tests.impl.queue.brokers import in_process, process
from tests.support.ports import free_port

COUNT = 200


async def produce_with_aiokafka(
    address: str, values: list[bytes], **options: object
) -> list[int | None]:
    """Their offsets; with acks=0 nobody is told one."""
    producer = AIOKafkaProducer(bootstrap_servers=address, client_id="p", linger_ms=2, **options)
    await producer.start()
    try:
        sent = [await producer.send("t", value, partition=0, timestamp_ms=1) for value in values]
        placed = [await each for each in sent]
        return [None if each is None else each.offset for each in placed]
    finally:
        await producer.stop()


async def consume_with_aiokafka(address: str, group: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        "t",
        bootstrap_servers=address,
        client_id="c",
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        got = []
        while len(got) < count:
            got.append((await consumer.getone()).value)
        await consumer.commit()
        return got
    finally:
        await consumer.stop()


def values(number: int) -> list[bytes]:
    return [b"%d-%d" % (number, n) for n in range(COUNT)]


@pytest.mark.parametrize("options", [{}, {"acks": 0}, {"acks": "all"}, {"enable_idempotence": True}])
def test_aiokafka_produces_and_a_group_goes_on_where_it_was_after_a_restart(
    tmp_path: Path, options: dict[str, object]
) -> None:
    async def run() -> None:
        port = free_port()
        address = f"127.0.0.1:{port}"
        async with in_process(tmp_path, port):
            offsets = await produce_with_aiokafka(address, values(1), **options)
            assert offsets == ([None] * COUNT if options == {"acks": 0} else list(range(COUNT)))
            assert await consume_with_aiokafka(address, "g", COUNT) == values(1)
        async with in_process(tmp_path, port):
            await produce_with_aiokafka(address, values(2))
            assert await consume_with_aiokafka(address, "g", COUNT) == values(2)
            assert await consume_with_aiokafka(address, "other", 2 * COUNT) == values(1) + values(2)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_aiokafka_members_share_partitions_and_take_over_from_one_that_leaves(tmp_path: Path) -> None:
    async def run() -> None:
        port = free_port()
        address = f"127.0.0.1:{port}"
        async with in_process(tmp_path, port):
            await produce_with_aiokafka(address, values(1))
            members = [
                AIOKafkaConsumer("t", bootstrap_servers=address, group_id="g", heartbeat_interval_ms=100)
                for _ in range(2)
            ]
            await asyncio.gather(*(each.start() for each in members))
            while sorted(len(each.assignment()) for each in members) != [1, 1]:
                await asyncio.sleep(0.05)
            await members[0].stop()
            while len(members[1].assignment()) != 2:
                await asyncio.sleep(0.05)
            await members[1].stop()

    asyncio.run(asyncio.wait_for(run(), 30))


def in_simulator(seed: int) -> tuple[list[bytes], str]:
    system = queue_system(nodes=("n1",), settings={"log.flush.interval.messages": 1})
    cluster = SimCluster(system, nodes=("n1",), seed=seed)
    address = f"n1:{CLIENT_PORT}"

    async def main() -> list[bytes]:
        await cluster.start()
        await produce_with_aiokafka(address, values(1))
        first = await consume_with_aiokafka(address, "g", COUNT)
        await cluster.power_off("n1")
        await cluster.restart("n1")
        await asyncio.sleep(5)
        await produce_with_aiokafka(address, values(2), enable_idempotence=True)
        second = await consume_with_aiokafka(address, "g", COUNT)
        await cluster.stop()
        return first + second

    return cluster.run(main), cluster.digest()


def test_in_the_simulator_nothing_acknowledged_is_lost_to_a_power_cut() -> None:
    for seed in range(1, 4):
        got, digest = in_simulator(seed)
        assert got == values(1) + values(2)
        assert in_simulator(seed)[1] == digest


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_confluent_kafka_produces_and_consumes_over_a_kill(tmp_path: Path, codec: str) -> None:
    with process(tmp_path) as broker:
        assert produce_with_confluent(broker.address, values(1), codec) == COUNT
        assert consume_with_confluent(broker.address, COUNT) == values(1)
        broker.stop(signal.SIGKILL)
        broker.start()
        assert produce_with_confluent(broker.address, values(2), codec) == COUNT
        assert consume_with_confluent(broker.address, COUNT) == values(2)


def produce_with_confluent(address: str, payload: list[bytes], codec: str) -> int:
    producer = Producer(
        {
            "bootstrap.servers": address,
            "enable.idempotence": True,
            "compression.codec": codec,
            "linger.ms": 5,
        }
    )
    delivered = []
    for value in payload:
        producer.produce("t", value, partition=0, on_delivery=lambda e, m: delivered.append(e))
    producer.flush(15)
    assert not any(delivered)
    return len(delivered)


def consume_with_confluent(address: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["t"])
    got: list[bytes] = []
    for _ in range(100):
        got += [each.value() for each in consumer.consume(count - len(got), 0.3)]
        if len(got) >= count:
            break
    consumer.commit(asynchronous=False)
    consumer.close()
    return got


def test_confluent_kafka_administers(tmp_path: Path) -> None:
    with process(tmp_path) as broker:
        admin = AdminClient({"bootstrap.servers": broker.address})
        admin.create_topics([NewTopic("a", 3, 1, config={"retention.ms": "5000"})])["a"].result(10)
        admin.create_partitions([NewPartitions("a", 5)])["a"].result(10)
        listed = admin.list_topics(timeout=10)
        assert len(listed.topics["a"].partitions) == 5
        assert listed.brokers[1].port == broker.port
        admin.delete_topics(["a"])["a"].result(10)
        assert "a" not in admin.list_topics(timeout=10).topics


def test_kafka_python_produces_and_consumes_in_a_group(tmp_path: Path) -> None:
    with process(tmp_path) as broker:
        producer = KafkaProducer(bootstrap_servers=broker.address, compression_type="gzip")
        futures = [producer.send("t", value, partition=0) for value in values(1)]
        assert [each.get(10).offset for each in futures] == list(range(COUNT))
        producer.close()
        for wanted in (COUNT, 0):
            consumer = KafkaConsumer(
                "t",
                bootstrap_servers=broker.address,
                group_id="g",
                auto_offset_reset="earliest",
                consumer_timeout_ms=1500,
            )
            got = [each.value for each in consumer]
            consumer.close()
            assert got == values(1)[:wanted]


def test_a_consumer_that_seeks_by_time_or_too_far_is_served(tmp_path: Path) -> None:
    async def run() -> None:
        port = free_port()
        async with in_process(tmp_path, port):
            await produce_with_aiokafka(f"127.0.0.1:{port}", values(1))
            consumer = AIOKafkaConsumer(
                bootstrap_servers=f"127.0.0.1:{port}", auto_offset_reset="earliest"
            )
            await consumer.start()
            place = TopicPartition("t", 0)
            consumer.assign([place])
            consumer.seek(place, 10 * COUNT)
            assert (await consumer.getone()).offset == 0
            assert (await consumer.offsets_for_times({place: 0}))[place].offset == 0
            assert await consumer.end_offsets([place]) == {place: COUNT}
            await consumer.stop()

    asyncio.run(asyncio.wait_for(run(), 30))
