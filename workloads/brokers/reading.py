"""Reading a partition from its beginning to its end: what a final phase does."""

from __future__ import annotations

import asyncio
from typing import Any

from workloads.brokers.common import key_of, polled
from workloads.brokers.seam import Consumer, Partition

_POLL_S = 0.3
_SETTLE_S = 2.5


class Acknowledged:
    """The highest offset that any producer of a run was told, by partition.

    It belongs to the harness: the end of a log that comes back after a fail-over may be known to
    consumers a moment later than to producers, and only what stays away is lost.
    """

    def __init__(self) -> None:
        self._highest: dict[Partition, int] = {}

    def note(self, partition: Partition, offset: int) -> None:
        """A producer was told ``offset``."""
        self._highest[partition] = max(offset, self._highest.get(partition, -1))

    def beyond(self, partition: Partition) -> int:
        """The least end that a log with everything in it may have."""
        return self._highest.get(partition, -1) + 1


async def drained(consumer: Consumer, partition: Partition, acknowledged: Acknowledged) -> list[Any]:
    """The steps of reading ``partition`` from offset 0 to its end. Raises as consumers do."""
    end = await _settled_end(consumer, partition, acknowledged.beyond(partition))
    await consumer.assign({partition: 0})
    records: list[tuple[int, bytes]] = []
    while end and (not records or records[-1][0] < end - 1):
        found = await consumer.poll(_POLL_S)
        records += found.get(partition, ())
    key = key_of(partition)
    return [["position", {key: 0}], polled({partition: records}), ["end", {key: end}]]


async def _settled_end(consumer: Consumer, partition: Partition, wanted: int) -> int:
    """The end, once it has reached ``wanted`` or did not for a while."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _SETTLE_S
    while True:
        end = (await consumer.ends([partition]))[partition]
        if end >= wanted or loop.time() >= until:
            return end
        await asyncio.sleep(_POLL_S)
