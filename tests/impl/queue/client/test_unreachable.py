"""A leader that metadata name and that can't be reached: asked for again, but never without a pause."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import pytest

from impl.host import Host
from impl.queue.client.consumer import Consumer
from impl.queue.client.errors import DidNotHappen
from impl.queue.client.metadata import TopicPartition
from impl.queue.client.producer import Producer
from impl.queue.protocol.keys import ApiKey
from tests.impl.queue.client.scripted import Script
from tests.support.simnodes import PORT, run_nodes

SETTINGS = {"request_timeout_s": 1.0, "connect_timeout_s": 1.0, "backoff_s": (0.05, 0.5)}
DIED = 2


def tried(client: Any) -> int:
    """Run ``client`` for five seconds beside a leader that died; how often metadata were asked for."""
    script = Script({})
    script.leader, script.host, script.port = DIED, "n1", PORT

    async def program(host: Host, config: Mapping[str, Any]) -> None:
        await asyncio.start_server(script.meet, host.name, PORT)
        await asyncio.Event().wait()

    run_nodes(client, program, nodes=("n1",))
    return len(script.requests(ApiKey.METADATA))


def test_a_producer_gives_up_in_time() -> None:
    async def send(_: object) -> None:
        options = {"wall_clock_ns": lambda: 0, "delivery_timeout_s": 5.0, "idempotent": False}
        async with Producer([("n1", PORT)], random=random.Random(1), **SETTINGS, **options) as writer:
            delivery = await writer.send("t", b"v", partition=0)
            with pytest.raises(DidNotHappen, match="not delivered within 5 s"):
                await delivery

    assert 3 < tried(send) < 250


def test_a_consumer_polls_on() -> None:
    async def read(_: object) -> None:
        async with Consumer([("n1", PORT)], random=random.Random(1), **SETTINGS) as reader:
            reader.assign([TopicPartition("t", 0)])
            reader.seek(TopicPartition("t", 0), 0)
            assert await reader.poll(timeout_s=5.0) == []

    assert 3 < tried(read) < 250
