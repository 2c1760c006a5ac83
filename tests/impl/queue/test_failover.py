"""Three brokers as processes, and clients that others wrote, over the death of a broker."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, PartitionMetadata
from kafka import KafkaConsumer, KafkaProducer

from tests.impl.coordination.debian_zookeeper import MISSING, program
from tests.impl.queue.brokers import Ensemble, ensemble
from tests.support.needs import lacking

COUNT = 300
WITHIN_S = 60


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Ensemble]:
    with ensemble(tmp_path, **{"num.partitions": 1}) as made:
        yield made


def leader(cluster: Ensemble) -> int:
    """Who leads partition 0 of topic t, as any living broker says."""
    alive = ",".join(each.address for each in cluster.brokers.values() if each.running)
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        topics = AdminClient({"bootstrap.servers": alive}).list_topics("t", timeout=20).topics
        if 0 in topics["t"].partitions and topics["t"].partitions[0].leader > 0:
            return int(topics["t"].partitions[0].leader)
    raise TimeoutError("nobody leads t-0")


def kill_leader(cluster: Ensemble) -> None:
    """Once every partition has all its replicas in sync: else its last one may be the one to die."""
    admin, deadline = AdminClient({"bootstrap.servers": cluster.address}), time.monotonic() + WITHIN_S
    while any(len(each.isrs) < 3 for each in partitions(admin)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    cluster.brokers[leader(cluster)].stop(signal.SIGKILL)


def partitions(admin: AdminClient) -> list[PartitionMetadata]:
    topics = admin.list_topics(timeout=20).topics.values()
    return [each for topic in topics for each in topic.partitions.values()]


def values(first: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, first + COUNT)]


def test_aiokafka_goes_on_when_a_leader_dies(cluster: Ensemble) -> None:
    async def run() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=cluster.address,
            acks="all",
            enable_idempotence=True,
            metadata_max_age_ms=2000,
        )
        await producer.start()
        consumer = AIOKafkaConsumer(
            "t",
            bootstrap_servers=cluster.address,
            group_id="g",
            auto_offset_reset="earliest",
            metadata_max_age_ms=2000,
            session_timeout_ms=6000,
        )
        await producer.send_and_wait("t", b"first")
        await consumer.start()
        got: list[bytes] = []
        for first in (0, COUNT):
            futures = [await producer.send("t", each) for each in values(first)]
            if first:
                await asyncio.to_thread(kill_leader, cluster)
            await asyncio.gather(*futures)
            while len(got) < 1 + first + COUNT:
                got.append((await consumer.getone()).value)
        assert got == [b"first", *values(0), *values(COUNT)]
        await consumer.stop()
        await producer.stop()

    asyncio.run(asyncio.wait_for(run(), 2 * WITHIN_S))


def test_confluent_kafka_goes_on_when_a_leader_dies(cluster: Ensemble) -> None:
    survives_under_confluent_kafka(cluster)


@pytest.mark.skipif(MISSING is not None and not os.environ.get("CI"), reason=str(MISSING))
def test_brokers_live_on_a_real_zookeeper_too(tmp_path: Path) -> None:
    with ensemble(tmp_path, program, **{"num.partitions": 1}) as cluster:
        survives_under_confluent_kafka(cluster)


def survives_under_confluent_kafka(cluster: Ensemble) -> None:
    producer = Producer(
        {"bootstrap.servers": cluster.address, "enable.idempotence": True, "acks": "all"}
    )
    failed = []

    def send(first: int) -> None:
        for value in values(first):
            producer.produce("t", value, on_delivery=lambda error, _: error and failed.append(error))

    send(0)
    assert producer.flush(WITHIN_S) == 0
    assert consume_with_confluent(cluster, COUNT) == values(0)
    send(COUNT)
    kill_leader(cluster)
    assert producer.flush(WITHIN_S) == 0
    assert failed == []
    assert consume_with_confluent(cluster, COUNT) == values(COUNT)


def consume_with_confluent(cluster: Ensemble, count: int) -> list[bytes]:
    consumer = Consumer(
        {
            "bootstrap.servers": cluster.address,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["t"])
    got: list[bytes] = []
    deadline = time.monotonic() + WITHIN_S
    while len(got) < count and time.monotonic() < deadline:
        got += [each.value() for each in consumer.consume(500, 0.5) if each.error() is None]
    consumer.commit(asynchronous=False)
    consumer.close()
    return got


def test_kafka_python_goes_on_when_a_leader_dies(cluster: Ensemble) -> None:
    producer = KafkaProducer(
        bootstrap_servers=cluster.address.split(","), acks="all", retries=100, metadata_max_age_ms=2000
    )
    consumer = KafkaConsumer(
        "t",
        bootstrap_servers=cluster.address.split(","),
        group_id="g",
        auto_offset_reset="earliest",
        metadata_max_age_ms=2000,
    )
    got: dict[bytes, None] = {}
    for first in (0, COUNT):
        if first:
            kill_leader(cluster)
        for each in [producer.send("t", value) for value in values(first)]:
            each.get(WITHIN_S)
        deadline = time.monotonic() + WITHIN_S
        while len(got) < first + COUNT and time.monotonic() < deadline:
            for records in consumer.poll(500).values():
                got |= dict.fromkeys(record.value for record in records)
    producer.close()
    consumer.close()
    assert list(got) == values(0) + values(COUNT)


@pytest.fixture
def kcat_is_there() -> None:
    """Asked for before brokers are started."""
    if not shutil.which("kcat"):
        lacking("kcat is not installed")


@pytest.mark.usefixtures("kcat_is_there")
def test_kcat_goes_on_when_a_leader_dies(cluster: Ensemble) -> None:
    def kcat(*arguments: str) -> subprocess.Popen[bytes]:
        words = ("kcat", "-b", cluster.address, "-q", *arguments)
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def produce(first: int) -> None:
        producer = kcat("-P", "-t", "t", "-p", "0", "-X", "acks=all")
        producer.communicate(b"".join(each + b"\n" for each in values(first)), timeout=WITHIN_S)
        assert producer.returncode == 0

    produce(0)
    reader = kcat("-c", str(2 * COUNT), "-X", "auto.offset.reset=earliest", "-G", "g", "t")
    one = kcat("-c", "1", "-X", "auto.offset.reset=earliest", "-G", "other", "t")
    assert one.communicate(timeout=WITHIN_S)[0] == b"0\n"
    kill_leader(cluster)
    produce(COUNT)
    assert reader.communicate(timeout=WITHIN_S)[0].split() == values(0) + values(COUNT)


def test_a_broker_that_is_told_to_stop_hands_its_partitions_over_first(cluster: Ensemble) -> None:
    producer = Producer({"bootstrap.servers": cluster.address, "acks": "all", "retries": 0})
    producer.produce("t", b"first")
    assert producer.flush(WITHIN_S) == 0
    before = leader(cluster)
    assert cluster.brokers[before].stop(signal.SIGTERM) == 0
    assert leader(cluster) != before
