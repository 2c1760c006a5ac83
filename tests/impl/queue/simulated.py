"""What tests ask of brokers in the simulator: of the one partition of topic ``t``, over the wire."""

from __future__ import annotations

import asyncio
from typing import Any

from cluster.systems.queue import CLIENT_PORT
from impl.queue.protocol import batches
from impl.queue.protocol.codec import Codec
from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ApiKey
from impl.queue.protocol.peer import PEER_ERRORS, connect
from tests.impl.queue.raw import batch, produced

NODES = ("n1", "n2", "n3")
SETTINGS = {
    "num.partitions": 1,
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    "replica.lag.time.max.ms": 1000,
    "replica.socket.timeout.ms": 1000,
}


async def ask(node: str, key: int, version: int, values: dict[str, Any], timeout_s: float = 5.0) -> Any:
    """One request to the broker on ``node``, over a connection of its own. Raises PEER_ERRORS."""
    peer = await connect(Codec(), node, CLIENT_PORT, timeout_s)
    try:
        return await peer.ask(key, version, values, timeout_s)
    finally:
        peer.close()


async def produce(node: str, value: bytes, *, acks: int = -1, timeout_ms: int = 300) -> Code:
    values = {**produced(batch(value), acks=acks), "timeout": timeout_ms}
    answer = await ask(node, ApiKey.PRODUCE, 9, values)
    return answer.responses[0].partition_responses[0].error_code


async def leader(nodes: tuple[str, ...], not_this: str = "") -> str:
    """Who leads t-0, as one of ``nodes`` says, once it is another than ``not_this``."""
    asked = {"topics": [{"name": "t"}], "allow_auto_topic_creation": True}
    async with asyncio.timeout(30):
        while True:
            for node in nodes:
                try:
                    (topic,) = (await ask(node, ApiKey.METADATA, 7, asked)).topics
                except PEER_ERRORS:
                    continue
                ids = [each.leader_id for each in topic.partitions]
                if ids and ids[0] > 0 and f"n{ids[0]}" != not_this:
                    return f"n{ids[0]}"
            await asyncio.sleep(0.1)


async def contents(node: str) -> tuple[int, list[tuple[int, int]]]:
    """The leader's high watermark, and (offset, leader epoch) of each batch below it."""
    part = {"partition": 0, "current_leader_epoch": -1, "fetch_offset": 0}
    topics = [{"topic": "t", "partitions": [{**part, "partition_max_bytes": 1 << 20}]}]
    values = {"max_wait": 0, "min_bytes": 1, "topics": topics, "forgotten_topics_data": ()}
    found = (await ask(node, ApiKey.FETCH, 12, values)).responses[0].partitions[0]
    data = found.records or b""
    places = [(each.base_offset, each.leader_epoch) for _, each in batches.walk(data)]
    return found.high_watermark, places


async def until_taken(node: str, value: bytes) -> None:
    async with asyncio.timeout(30):
        while await produce(node, value) is not Code.none:
            await asyncio.sleep(0.1)
