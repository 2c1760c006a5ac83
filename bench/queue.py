"""Three brokers under confluent-kafka: replication factor 3, acks=all, messages of 1 kB, one machine.

Client, brokers and the coordination server share its processors; so beside each rate stands what CPU
the three brokers took for a megabyte, which hardly depends on what else runs. They flush as Kafka's do:
when the operating system likes. Reading is measured over all that the rounds of writing left, several
times, as a third of a second tells more of the machine than of brokers; and without Python's collector
of cycles, which takes longer for ten thousand messages of the client than brokers do.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.impl.queue.brokers import Ensemble, Process, ensemble

_SIZE_BYTES = 1000
_COUNT = 100_000
_ROUNDS = 3
_READINGS = 7
_PARTITIONS = (1, 10, 100, 1000)
_FAILOVER_AFTER = 10
_FAILOVERS = 3
_WITHIN_S = 300.0
_AT_ONCE = 1000
_SESSION_TIMEOUT_MS = 6000
_PRODUCE_TARGET, _CONSUME_TARGET, _MEMORY_TARGET = 60, 400, 80
_SETTINGS = {"zookeeper.session.timeout.ms": _SESSION_TIMEOUT_MS, "num.partitions": 1}
_PRODUCER = {
    "acks": "all",
    "linger.ms": 50,
    "batch.size": 1 << 20,
    "queue.buffering.max.messages": _COUNT,
}
_CONSUMER = {
    "group.id": "bench",
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "fetch.queue.backoff.ms": 5,  # by default it does nothing for a second when its queue is full
}
Figure = dict[str, Any]


def three_brokers() -> Iterator[Figure]:
    """Produce and consume over how many partitions, memory, and the time without a leader."""
    with TemporaryDirectory(prefix="bench-") as name, ensemble(Path(name), **_SETTINGS) as cluster:
        for partitions in _PARTITIONS:
            yield from _at(cluster, partitions)
            if partitions == _FAILOVER_AFTER:
                yield _memory(cluster, "memory of the largest broker, after that")
                yield _failover(cluster)
        yield _memory(cluster, "memory of the largest broker, after all")


def _at(cluster: Ensemble, partitions: int) -> list[Figure]:
    """Rates with a topic of so many partitions; the medians of some rounds."""
    topic = f"bench-{partitions}"
    _create(cluster, topic, partitions)
    write, read = (
        partial(_produce, cluster, topic, partitions),
        partial(_consume, cluster, topic, partitions),
    )
    produced = [_timed(cluster, write, _COUNT) for _ in range(_ROUNDS)]
    consumed = [_timed(cluster, read, _COUNT * _ROUNDS) for _ in range(_READINGS)]
    words = f"{partitions} partition{'s' * (partitions > 1)}"
    return [
        _rate(f"produce, {words}", produced, _PRODUCE_TARGET),
        _rate(f"consume, {words}", consumed, _CONSUME_TARGET),
    ]


def _rate(name: str, rounds: list[tuple[float, float]], target: int) -> Figure:
    rates = [rate for rate, _ in rounds]
    cpu_ms = median(spent_ms for _, spent_ms in rounds)
    return {
        "name": name,
        "value": median(rates),
        "unit": "MB/s",
        "target": target,
        "ratio": median(rates) / target,
        "from": f"{min(rates):.3g} to {max(rates):.3g}",
        "brokers' CPU per MB": f"{cpu_ms:.1f} ms",
    }


def _timed(cluster: Ensemble, work: Callable[[], float], count: int) -> tuple[float, float]:
    """Megabytes per second of ``work``, which tells its seconds, and the brokers' CPU ms for each."""
    before_s, megabytes = _cpu_s(cluster), count * _SIZE_BYTES / 1e6
    seconds = work()
    return megabytes / seconds, (_cpu_s(cluster) - before_s) * 1000 / megabytes


# --- what is measured -----------------------------------------------------------------------------


def _create(cluster: Ensemble, topic: str, partitions: int) -> None:
    """Return when all replicas are in sync."""
    admin = AdminClient({"bootstrap.servers": cluster.address, "socket.timeout.ms": 300_000})
    made = admin.create_topics(
        [NewTopic(topic, partitions, 3)], operation_timeout=_WITHIN_S, request_timeout=_WITHIN_S
    )
    made[topic].result(_WITHIN_S)
    _in_sync(admin, topic)


def _in_sync(admin: AdminClient, topic: str) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline:
        found = admin.list_topics(topic, timeout=30).topics[topic].partitions.values()
        if found and all(len(each.isrs) == 3 for each in found):
            return
        time.sleep(0.5)
    raise TimeoutError(f"the replicas of {topic} do not come in sync")


def _produce(cluster: Ensemble, topic: str, partitions: int) -> float:
    """Seconds until all messages are acknowledged by all replicas; none may fail."""
    failed: list[KafkaError] = []

    def told(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failed.append(error)

    producer = Producer({"bootstrap.servers": cluster.address, **_PRODUCER})
    producer.list_topics(topic, timeout=30)
    payload = os.urandom(_SIZE_BYTES)
    started = time.perf_counter()
    for number in range(_COUNT):
        _put(producer, topic, payload, number % partitions, told)
        if number % 1000 == 0:
            producer.poll(0)
    left = producer.flush(_WITHIN_S)
    if failed or left:
        raise RuntimeError(f"{len(failed)} messages failed, {left} were not answered: {failed[:1]}")
    return time.perf_counter() - started


def _put(
    producer: Producer,
    topic: str,
    payload: bytes,
    partition: int,
    told: Callable[[KafkaError | None, Message], None],
) -> None:
    while True:
        try:
            producer.produce(topic, payload, partition=partition, on_delivery=told)
            return
        except BufferError:
            producer.poll(0.05)


def _consume(cluster: Ensemble, topic: str, partitions: int) -> float:
    """Seconds from the first message to the last of all that the rounds have written."""
    consumer = Consumer({"bootstrap.servers": cluster.address, **_CONSUMER})
    consumer.assign([TopicPartition(topic, each, 0) for each in range(partitions)])
    deadline = time.monotonic() + _WITHIN_S
    if not consumer.consume(1, _WITHIN_S):
        raise TimeoutError("not a message was read")
    gc.disable()
    try:
        seen, started = 1, time.perf_counter()
        while seen < _COUNT * _ROUNDS:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{seen} of {_COUNT * _ROUNDS} messages were read")
            seen += len(consumer.consume(_AT_ONCE, 0.2))
        return time.perf_counter() - started
    finally:
        gc.enable()
        consumer.close()


def _memory(cluster: Ensemble, name: str) -> Figure:
    used = max(_resident_mb(each) for each in cluster.brokers.values())
    return {"name": name, "value": used, "unit": "MB", "target": _MEMORY_TARGET} | {
        "ratio": _MEMORY_TARGET / used
    }


def _failover(cluster: Ensemble) -> Figure:
    """From killing the leader to the next message that all of the others have."""
    _create(cluster, "failover", 1)
    admin = AdminClient({"bootstrap.servers": cluster.address})
    seconds = []
    for _ in range(_FAILOVERS):
        leader = admin.list_topics("failover", timeout=30).topics["failover"].partitions[0].leader
        seconds.append(_until_acknowledged(cluster, cluster.brokers[leader]))
        cluster.brokers[leader].start()
        _in_sync(admin, "failover")
    return {
        "name": "from a killed leader to the next acknowledged message",
        "value": median(seconds),
        "unit": "s",
        "from": f"{min(seconds):.3g} to {max(seconds):.3g}",
        "session timeout": f"{_SESSION_TIMEOUT_MS / 1000:g} s",
    }


def _until_acknowledged(cluster: Ensemble, leader: Process) -> float:
    producer = Producer({"bootstrap.servers": cluster.address, "acks": "all", "linger.ms": 0})
    _one(producer)
    started = time.perf_counter()
    leader.stop(signal.SIGKILL)
    _one(producer)
    return time.perf_counter() - started


def _one(producer: Producer) -> None:
    errors: list[KafkaError | None] = []
    producer.produce("failover", b"x", on_delivery=lambda error, _: errors.append(error))
    producer.flush(_WITHIN_S)
    if errors != [None]:
        raise RuntimeError(f"not acknowledged: {errors}")


# --- the brokers ------------------------------------------------------------------------------------


def _cpu_s(cluster: Ensemble) -> float:
    """CPU that the three have used by now."""
    ticks = 0
    for each in cluster.brokers.values():
        fields = Path(f"/proc/{each.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _resident_mb(broker: Process) -> float:
    lines = Path(f"/proc/{broker.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
