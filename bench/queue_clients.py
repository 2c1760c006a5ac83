"""Our producer and consumer against aiokafka's: the same broker, the same messages, in turns."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as TheirPartition

from impl.queue.client.admin import Admin
from impl.queue.client.consumer import Consumer
from impl.queue.client.metadata import TopicPartition
from impl.queue.client.producer import Producer

PORT = 19392
ROUNDS = 3
COUNT = 20_000
READ = 100_000
SIZE_BYTES = 1_000
LINGER_S = 0.005
_START_WITHIN_S = 30.0
_ADDRESS = ("127.0.0.1", PORT)
_BOOTSTRAP = f"127.0.0.1:{PORT}"
_VALUE = bytes(SIZE_BYTES)
Round = Callable[[], Awaitable[None]]


def against_aiokafka() -> list[dict[str, Any]]:
    """Messages of 1 kB per second and per CPU second, each client's the median of its rounds.

    What is read are the messages that the rounds of writing left, by both clients.

    ``value`` is ours and ``target`` aiokafka's, in messages per second of this process's CPU; the
    broker, the same for both, and all else that the machine does count in the elapsed time beside it.
    """
    with _broker():
        return asyncio.run(_all())


async def _all() -> list[dict[str, Any]]:
    async with Admin([_ADDRESS], random=random.Random(1)) as admin:
        await admin.create_topic("bench", partitions=2)
    figures = [
        await _compare("produce, acks=all", COUNT, _ours_produce(False), _theirs_produce(False)),
        await _compare("produce, idempotent", COUNT, _ours_produce(True), _theirs_produce(True)),
    ]
    figures.append(await _compare("consume in batches", READ, _ours_consume, _theirs_consume))
    figures.append(await _compare("consume one by one", READ, _ours_iterate, _theirs_iterate))
    return figures


async def _compare(name: str, count: int, ours: Round, theirs: Round) -> dict[str, Any]:
    rates: list[tuple[float, float, float, float]] = []
    for _ in range(ROUNDS):
        rates.append((*await _timed(count, ours), *await _timed(count, theirs)))
    our_s, our_cpu, their_s, their_cpu = (median(column) for column in zip(*rates, strict=True))
    return {
        "name": f"{name}, {SIZE_BYTES} B",
        "value": round(our_cpu),
        "unit": "messages per CPU s",
        "target": round(their_cpu),
        "ratio": our_cpu / their_cpu,
        "elapsed: ours": f"{our_s:,.0f}/s",
        "elapsed: aiokafka": f"{their_s:,.0f}/s",
        "elapsed: ratio": f"{our_s / their_s:.2f}",
    }


async def _timed(count: int, one: Round) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.process_time()
    await one()
    return count / (time.perf_counter() - started), count / (time.process_time() - cpu)


# --- producing ----------------------------------------------------------------------------------------


def _ours_produce(idempotent: bool) -> Round:
    async def one() -> None:
        producer = Producer(
            [_ADDRESS],
            random=random.Random(1),
            wall_clock_ns=time.time_ns,
            idempotent=idempotent,
            linger_s=LINGER_S,
        )
        async with producer:
            sent = [await producer.send("bench", _VALUE, partition=n % 2) for n in range(COUNT)]
            for each in sent:
                await each

    return one


def _theirs_produce(idempotent: bool) -> Round:
    async def one() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=_BOOTSTRAP,
            acks="all",
            enable_idempotence=idempotent,
            linger_ms=round(LINGER_S * 1000),
        )
        await producer.start()
        sent = [await producer.send("bench", _VALUE, partition=n % 2) for n in range(COUNT)]
        for each in sent:
            await each
        await producer.stop()

    return one


# --- consuming ----------------------------------------------------------------------------------------


def _ours() -> Consumer:
    return Consumer([_ADDRESS], random=random.Random(2), auto_offset_reset="earliest")


async def _ours_consume() -> None:
    async with _ours() as consumer:
        consumer.assign([TopicPartition("bench", 0), TopicPartition("bench", 1)])
        seen = size = 0
        while seen < READ:
            records = await consumer.poll(max_records=500)
            seen += len(records)
            size += sum(len(each.value) for each in records)


async def _ours_iterate() -> None:
    async with _ours() as consumer:
        consumer.assign([TopicPartition("bench", 0), TopicPartition("bench", 1)])
        seen = size = 0
        async for record in consumer:
            seen += 1
            size += len(record.value)
            if seen == READ:
                break


async def _theirs() -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=_BOOTSTRAP, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign([TheirPartition("bench", 0), TheirPartition("bench", 1)])
    return consumer


async def _theirs_consume() -> None:
    consumer = await _theirs()
    seen = size = 0
    while seen < READ:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=500)).values():
            seen += len(records)
            size += sum(len(each.value) for each in records)
    await consumer.stop()


async def _theirs_iterate() -> None:
    consumer = await _theirs()
    seen = size = 0
    async for record in consumer:
        seen += 1
        size += len(record.value)
        if seen == READ:
            break
    await consumer.stop()


# --- the broker ---------------------------------------------------------------------------------------


@contextmanager
def _broker() -> Iterator[None]:
    """One broker of ours, as a process of its own."""
    with TemporaryDirectory() as directory:
        properties = Path(directory, "server.properties")
        settings = {
            "broker.id": 1,
            "listeners": f"PLAINTEXT://127.0.0.1:{PORT}",
            "log.dirs": f"{directory}/data",
        }
        properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        broker = subprocess.Popen([sys.executable, "-m", "impl.queue", str(properties)])
        try:
            asyncio.run(_answers())
            yield
        finally:
            broker.terminate()
            broker.wait(10)


async def _answers() -> None:
    async with Admin([_ADDRESS], random=random.Random(1), max_block_s=_START_WITHIN_S):
        return
