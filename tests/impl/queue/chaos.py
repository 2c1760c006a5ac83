"""Five brokers in the simulator under a random schedule, and what must hold whatever happens to them.

Producers of aiokafka send values that are all different, with acks=all and idempotence; what was
acknowledged is kept, with its offset. Members of a group read and commit meanwhile. If wanted, replicas
are moved from broker to broker all the time. In the end everything is healed and every partition is read
from its beginning to its end.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from cluster.sim.cluster import SimCluster
from cluster.systems.queue import CLIENT_PORT, queue_cluster
from history.jsonl import Recorder
from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ApiKey
from impl.queue.protocol.peer import PEER_ERRORS
from impl.queue.server import serve
from impl.queue.topics import OFFSETS
from nemesis.conductor import run_schedule
from nemesis.fault import Schedule
from nemesis.schedule import draw
from tests.impl.queue.simulated import ask

KINDS = ("partition", "kill", "power", "pause", "clock-bump", "slow", "lose", "terminate")
TOPIC, PARTITIONS, GROUP = "t", 3, "g"
OFFSETS_PARTITIONS = 2
SETTINGS = {
    "num.partitions": PARTITIONS,
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    "log.flush.interval.messages": 1,
    "replica.lag.time.max.ms": 1500,
    "replica.socket.timeout.ms": 1500,
    "leader.imbalance.check.interval.seconds": 3,
    "offsets.topic.num.partitions": OFFSETS_PARTITIONS,
}
_PROBLEMS = (KafkaError, OSError, TimeoutError)


@dataclass
class Outcome:
    """What a run came to; ``wrong`` has a sentence for each thing that must not be."""

    wrong: list[str] = field(default_factory=list)
    acknowledged: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    attempted: dict[bytes, int] = field(default_factory=dict)
    seen: dict[tuple[int, int], bytes] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    reads: int = 0
    final: dict[tuple[int, int], bytes] = field(default_factory=dict)
    moves: int = 0
    cluster: Any = None

    def read(self, partition: int, offset: int, value: bytes) -> None:
        self.reads += 1
        known = self.seen.setdefault((partition, offset), value)
        if known != value:
            self.wrong.append(f"{partition}@{offset} was read as {known!r} and as {value!r}")


def bootstrap(cluster: SimCluster) -> str:
    return ",".join(f"{node}:{CLIENT_PORT}" for node in cluster.nodes)


async def producing(cluster: SimCluster, number: int, outcome: Outcome, until_s: float) -> None:
    """One value after the other; a producer that says that it is broken is replaced."""
    loop, sent, lives = asyncio.get_running_loop(), 0, 0
    while loop.time() < until_s:
        lives += 1
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap(cluster),
            client_id=f"p{number}-{lives}",
            acks="all",
            enable_idempotence=True,
            linger_ms=1,
            request_timeout_ms=1500,
            metadata_max_age_ms=2000,
            retry_backoff_ms=50,
        )
        try:
            async with asyncio.timeout(5):
                await producer.start()
            while loop.time() < until_s:
                sent += 1
                await _send(producer, number, sent, outcome)
                await asyncio.sleep(0.02)
        except _PROBLEMS:
            await asyncio.sleep(0.1)
        finally:
            with suppress(*_PROBLEMS):
                async with asyncio.timeout(1):
                    await producer.stop()


async def _send(producer: AIOKafkaProducer, number: int, sent: int, outcome: Outcome) -> None:
    partition, value = (number + sent) % PARTITIONS, b"%d-%d" % (number, sent)
    outcome.attempted[value] = partition
    future = await producer.send(TOPIC, value, partition=partition, timestamp_ms=1)
    placed = await asyncio.wait_for(future, 6)
    outcome.acknowledged[value] = partition, placed.offset


async def consuming(cluster: SimCluster, number: int, outcome: Outcome, until_s: float) -> None:
    """A member of the group, that commits what it has read; replaced when it is broken."""
    loop, lives = asyncio.get_running_loop(), 0
    while loop.time() < until_s:
        lives += 1
        consumer = AIOKafkaConsumer(
            TOPIC,
            bootstrap_servers=bootstrap(cluster),
            client_id=f"c{number}-{lives}",
            group_id=GROUP,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=2000,
            heartbeat_interval_ms=500,
            request_timeout_ms=3000,
            metadata_max_age_ms=2000,
            retry_backoff_ms=50,
        )
        try:
            async with asyncio.timeout(5):
                await consumer.start()
            while loop.time() < until_s:
                async with asyncio.timeout(5):
                    await _poll(consumer, outcome)
        except _PROBLEMS:
            await asyncio.sleep(0.1)
        finally:
            with suppress(*_PROBLEMS):
                async with asyncio.timeout(1):
                    await consumer.stop()


async def _poll(consumer: AIOKafkaConsumer, outcome: Outcome) -> None:
    got = await consumer.getmany(timeout_ms=200)
    for place, records in got.items():
        for record in records:
            outcome.read(place.partition, record.offset, record.value)
    if got:
        ends = {place: records[-1].offset + 1 for place, records in got.items()}
        await consumer.commit(ends)
        for place, end in ends.items():
            outcome.committed[place.partition] = end


async def moving(cluster: SimCluster, seed: int, outcome: Outcome, until_s: float) -> None:
    """Have the replicas of one partition after the other moved to any three brokers; call some off."""
    loop, chance = asyncio.get_running_loop(), random.Random(seed)
    brokers = range(1, len(cluster.nodes) + 1)
    while loop.time() < until_s:
        await asyncio.sleep(chance.uniform(0.2, 1.0))
        topic = chance.choice((TOPIC, TOPIC, OFFSETS))
        number = chance.randrange(PARTITIONS if topic == TOPIC else OFFSETS_PARTITIONS)
        target = None if chance.random() < 0.2 else tuple(chance.sample(brokers, 3))
        asked = {"name": topic, "partitions": [{"partition_index": number, "replicas": target}]}
        values = {"timeout": 5000, "topics": [asked]}
        try:
            key = ApiKey.ALTER_PARTITION_REASSIGNMENTS
            answer = await ask(chance.choice(cluster.nodes), key, 0, values, timeout_s=1.0)
        except PEER_ERRORS:
            continue
        outcome.moves += answer.responses[0].partitions[0].error_code is Code.none


async def read_all(cluster: SimCluster, outcome: Outcome) -> None:
    """Every partition from its beginning to its end, from a cluster that is well."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap(cluster),
        client_id="final",
        auto_offset_reset="earliest",
        request_timeout_ms=3000,
        metadata_max_age_ms=1000,
        retry_backoff_ms=50,
    )
    await consumer.start()
    places = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    ends = await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, 0)
    while [place for place in places if await consumer.position(place) < ends[place]]:
        for place, records in (await consumer.getmany(timeout_ms=200)).items():
            for record in records:
                outcome.final[place.partition, record.offset] = record.value
    await consumer.stop()


def judge(outcome: Outcome) -> None:
    """Nothing acknowledged is lost or moved, nothing is there twice, nothing read has changed."""
    final = outcome.final
    for value, place in outcome.acknowledged.items():
        if final.get(place) != value:
            outcome.wrong.append(f"{value!r} was acknowledged at {place}, where {final.get(place)!r} is")
    for place, value in outcome.seen.items():
        if final.get(place) != value:
            outcome.wrong.append(f"{value!r} was read at {place}, where {final.get(place)!r} is")
    values = list(final.values())
    for value in dict.fromkeys(values):
        if values.count(value) > 1:
            outcome.wrong.append(f"{value!r} is there {values.count(value)} times")
        if value not in outcome.attempted:
            outcome.wrong.append(f"{value!r} was never sent")


def drawn(seed: int, nodes: tuple[str, ...], kinds: tuple[str, ...], time_s: float) -> Schedule:
    """A fault every two seconds, of whoever leads as well."""
    targets = ("one", "minority", "majority", "all", "primaries")
    return draw(seed, kinds=kinds, nodes=nodes, time_limit_s=time_s, interval_s=2.0, targets=targets)


def run(
    seed: int,
    *,
    brokers: int = 5,
    time_s: float = 20.0,
    kinds: tuple[str, ...] = KINDS,
    program: Any = serve,
    schedule: Schedule | None = None,
    settings: dict[str, Any] | None = None,
    moves: bool = False,
) -> Outcome:
    """One run; everything that happens in it follows from the arguments. ``moves``: of replicas, too."""
    nodes = tuple(f"n{number}" for number in range(1, brokers + 1))
    system = queue_cluster(nodes=nodes, program=program, settings={**SETTINGS, **(settings or {})})
    cluster = SimCluster(system, nodes=nodes, seed=seed)
    faults = schedule if schedule is not None else drawn(seed, nodes, kinds, time_s)
    outcome = Outcome(cluster=cluster)
    cluster.run(lambda: _main(cluster, outcome, faults, time_s, seed if moves else None))
    for node, log in cluster.logs().items():
        if "Traceback" in log or "Error:" in log:
            outcome.wrong.append(f"{node} crashed: {log[log.find('Traceback') :][-1500:]}")
    judge(outcome)
    return outcome


async def _main(
    cluster: SimCluster, outcome: Outcome, faults: Schedule, time_s: float, moves_seed: int | None
) -> None:
    await cluster.start()
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    recorder = Recorder(None, lambda: int((loop.time() - start_s) * 1e9))
    until_s = start_s + time_s
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_schedule(faults, cluster, recorder))
        for number in range(2):
            tasks.create_task(producing(cluster, number, outcome, until_s))
            tasks.create_task(consuming(cluster, number, outcome, until_s))
        if moves_seed is not None:
            tasks.create_task(moving(cluster, moves_seed, outcome, until_s))
    for node in cluster.nodes:
        await cluster.restart(node)
        await cluster.resume(node)
    async with asyncio.timeout(60):
        while not await _final(cluster, outcome):
            await asyncio.sleep(0.5)


async def _final(cluster: SimCluster, outcome: Outcome) -> bool:
    try:
        async with asyncio.timeout(20):
            await read_all(cluster, outcome)
    except _PROBLEMS:
        return False
    return True
