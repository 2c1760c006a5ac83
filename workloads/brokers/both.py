"""A client that is a producer, and a consumer of partitions that it is assigned."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from history.op import Op
from workloads.brokers.common import (
    PARTITIONS,
    by_key,
    key_of,
    outcome,
    partition_of,
    place_of,
    polled,
    sent,
)
from workloads.brokers.leading import led_by
from workloads.brokers.reading import Acknowledged, drained
from workloads.brokers.seam import Consumer, Maker, Message, Partition, Producer, Settings
from workloads.workload import ClientContext

_POLL_S = 0.5


class QueueClient:
    """A producer and a consumer; both begin when they are first needed."""

    def __init__(
        self, context: ClientContext, *, maker: Maker, settings: Settings, acknowledged: Acknowledged
    ) -> None:
        self._context, self._maker, self._settings = context, maker, settings
        self._acknowledged = acknowledged
        self._random = random.Random(context.seed)
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None
        self._positions: dict[Partition, int] = {}
        self._does = {
            "send": self._send,
            "assign": self._assign,
            "poll": self._poll,
            "leaders": self._leaders,
            "drain": self._drain,
        }

    async def open(self) -> None:
        """Nothing yet: a client that only sends needs no consumer."""

    async def invoke(self, op: Op) -> Op:
        return await self._does[op.f](op)

    async def close(self) -> None:
        if self._consumer is not None:
            await self._consumer.close()
        if self._producer is not None:
            await self._producer.close()

    async def _send(self, op: Op) -> Op:
        try:
            producer = await self._producing()
        except (OSError, TimeoutError) as error:
            return op.completed("fail", error=f"no producer: {error}")
        steps = op.value
        messages = [_message(op.key, key, value) for _, key, value in steps]
        placed = await producer.send(messages)
        for one in placed:
            if one.partition is not None and one.offset is not None:
                self._acknowledged.note(one.partition, one.offset)
        value = [sent(key, value, one) for (_, key, value), one in zip(steps, placed, strict=True)]
        why = next((one.error for one in placed if one.error), None)
        return op.completed(outcome(placed), value=value, error=why)

    async def _assign(self, op: Op) -> Op:
        """Where it goes on is said to the consumer each time, so that there is nothing to lose."""
        try:
            steps = await self._take(op.value)
        except (OSError, TimeoutError) as error:
            return op.completed("fail", error=str(error))
        return op.completed("ok", value=[steps])

    async def _take(self, keys: Sequence[str]) -> list[Any]:
        wanted = {partition_of(key): self._positions.get(partition_of(key), 0) for key in keys}
        await (await self._consuming()).assign(wanted)
        self._positions = wanted
        return ["position", by_key(wanted)]

    async def _poll(self, op: Op) -> Op:
        """Of a client that was assigned nothing yet, all partitions from their beginnings."""
        steps = []
        try:
            if not self._positions:
                steps.append(await self._take(list(map(key_of, PARTITIONS))))
            found = await (await self._consuming()).poll(_POLL_S)
        except (OSError, TimeoutError) as error:
            return op.completed("fail", value=steps, error=str(error))
        for partition, records in found.items():
            if records:
                self._positions[partition] = records[-1][0] + 1
        return op.completed("ok", value=[*steps, polled(found)])

    async def _leaders(self, op: Op) -> Op:
        nodes = list(self._context.endpoints)
        node = self._random.choice(nodes) if op.value is None else op.value
        number = nodes.index(node)
        try:
            epochs = await led_by(self._context.endpoints[node], number + 1, self._settings.topic)
        except (OSError, TimeoutError) as error:
            return op.completed("fail", error=str(error), node=node)
        return op.completed("ok", value=[["leads", by_key(epochs)]], node=node)

    async def _drain(self, op: Op) -> Op:
        consumer = self._maker.consumer(place_of(self._context, "reader"), self._settings)
        try:
            await consumer.start()
            steps = await drained(consumer, partition_of(op.key), self._acknowledged)
        except (OSError, TimeoutError) as error:
            return op.completed("fail", error=str(error))
        finally:
            await consumer.close()
        return op.completed("ok", value=steps)

    async def _producing(self) -> Producer:
        if self._producer is None:
            producer = self._maker.producer(place_of(self._context, "producer"), self._settings)
            self._producer = await started(producer)
        return self._producer

    async def _consuming(self) -> Consumer:
        if self._consumer is None:
            consumer = self._maker.consumer(place_of(self._context, "consumer"), self._settings)
            self._consumer = await started(consumer)
        return self._consumer


def _message(message_key: str | None, key: str | None, value: int) -> Message:
    partition = None if key is None else partition_of(key)
    return Message(b"%d" % value, partition, None if message_key is None else message_key.encode())


async def started(client: Any) -> Any:
    """The client; one that cannot start is closed again."""
    try:
        await client.start()
    except BaseException:
        await client.close()
        raise
    return client
