"""Which partitions a broker says it leads, and in which epoch: Metadata, asked of that broker itself."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from typing import Any

from kio.index import load_response_schema
from kio.serial import entity_reader
from kio.serial.errors import SerialError

from cluster.api import Endpoint
from workloads.brokers.seam import Partition

_METADATA, _VERSION = 3, 7
_HEAD = struct.Struct(">hhih")
_LENGTH = struct.Struct(">i")
_CORRELATION_ID_BYTES = 4
_ANSWER_WITHIN_S = 2.0


async def led_by(endpoint: Endpoint, broker: int, topic: str) -> Mapping[Partition, int]:
    """Leader epochs of the partitions of ``topic`` whose leader is ``broker``, says ``endpoint``.

    Raises OSError or TimeoutError when it does not answer.
    """
    async with asyncio.timeout(_ANSWER_WITHIN_S):
        reader, writer = await asyncio.open_connection(*endpoint)
        try:
            writer.write(_request(topic))
            (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            answer = await reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise OSError(f"{endpoint.host}:{endpoint.port} closed the connection") from error
        finally:
            writer.close()
    return _leads(answer, broker)


def _request(topic: str) -> bytes:
    """One topic by name, which is not to be created."""
    name = topic.encode()
    body = struct.pack(">ih", 1, len(name)) + name + b"\0"
    head = _HEAD.pack(_METADATA, _VERSION, 0, -1)
    return _LENGTH.pack(len(head) + len(body)) + head + body


def _leads(answer: bytes, broker: int) -> dict[Partition, int]:
    read: Any = entity_reader(load_response_schema(_METADATA, _VERSION))
    try:
        body, _ = read(answer, _CORRELATION_ID_BYTES)
    except (SerialError, ValueError) as error:
        raise OSError(f"an answer that is none: {error}") from error
    return {
        each.partition_index: each.leader_epoch
        for one in body.topics
        for each in one.partitions
        if each.leader_id == broker
    }
