"""Batches that a topic does not take go out in pieces, in order and once; a record alone is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from impl.queue.client.errors import Refused
from impl.queue.client.metadata import TopicPartition
from impl.queue.client.producer import Producer
from impl.queue.protocol.errors import Code
from tests.impl.queue.brokers import in_process
from tests.impl.queue.client.clients import admin, at, consumer, producer
from tests.support.ports import free_port

PLACE = TopicPartition("t", 0)
SETTINGS = {"max.message.bytes": "1000"}
OPTIONS = {"batch_bytes": 100_000, "linger_s": 0.05}


def run(
    directory: Path, scenario: Callable[[Producer], Awaitable[None]], **options: Any
) -> list[bytes | None]:
    """The values in a topic whose messages may have 1,000 bytes, after ``scenario``."""

    async def main() -> list[bytes | None]:
        port, found = free_port(), []
        async with in_process(directory, port):
            async with admin(at(port)) as made:
                await made.create_topic("t", settings=SETTINGS)
            async with producer(at(port), **{**OPTIONS, **options}) as writer:
                await scenario(writer)
            async with consumer(at(port)) as reader:
                reader.assign([PLACE])
                (end,) = (await reader.end_offsets(PLACE)).values()
                while await reader.position(PLACE) < end:
                    found += await reader.poll(timeout_s=1.0)
            return [each.value for each in found]

    return asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("idempotent", [True, False])
def test_a_batch_that_is_too_large_goes_out_in_pieces(
    tmp_path: Path, idempotent: bool, compression: str
) -> None:
    values = [b"%d " % number * 20 for number in range(2000)]

    async def scenario(writer: Producer) -> None:
        sent = [
            await writer.send("t", value, partition=0, timestamp_ms=n) for n, value in enumerate(values)
        ]
        placed = [await each for each in sent]
        assert [each.offset for each in placed] == list(range(len(values)))
        assert writer.buffered_bytes == 0

    in_flight = 5 if idempotent else 1  # without numbers only so is there an order over retries
    options = {"idempotent": idempotent, "max_in_flight": in_flight, "compression": compression}
    assert run(tmp_path, scenario, **options) == values


def test_of_a_batch_only_the_record_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async def scenario(writer: Producer) -> None:
        small = [await writer.send("t", b"%d" % number, partition=0) for number in range(5)]
        large = await writer.send("t", bytes(1000), partition=0)
        after = [await writer.send("t", b"%d" % number, partition=0) for number in range(5, 10)]
        with pytest.raises(Refused) as refused:
            await large
        assert refused.value.code is Code.message_too_large
        for each in (*small, *after):
            await each

    assert run(tmp_path, scenario) == [b"%d" % number for number in range(10)]
