"""The producer and the consumer of the reference implementation."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence

from impl.queue.client.batch import Delivery
from impl.queue.client.errors import OUTAGES, DidNotHappen, MayHaveHappened
from impl.queue.client.metadata import TopicPartition
from workloads.brokers.seam import (
    CommitRefused,
    CommitUnknown,
    Member,
    Message,
    Moved,
    Partition,
    Place,
    Placed,
    Polled,
    Settings,
)

_BACKOFF_S = (0.05, 0.5)
_HEARTBEATS = 5
_METADATA_MAX_AGE_S = 5.0


class Producer:
    """See ``seam.Producer``."""

    def __init__(self, place: Place, settings: Settings) -> None:
        self._topic = settings.topic
        self._within_s = settings.request_timeout_s
        self._producer = settings.clients.producer(
            _bootstrap(place),
            random=random.Random(place.seed),
            wall_clock_ns=_clock_ns,
            client_id=place.name,
            acks=settings.acks,
            idempotent=settings.idempotent,
            max_in_flight=settings.in_flight,
            linger_s=0.0,
            delivery_timeout_s=settings.delivery_timeout_s,
            request_timeout_s=settings.request_timeout_s,
            max_block_s=settings.request_timeout_s,
            metadata_max_age_s=_METADATA_MAX_AGE_S,
            backoff_s=_BACKOFF_S,
        )

    async def start(self) -> None:
        try:
            await self._producer.start(within_s=self._within_s)
        except OUTAGES as error:
            raise OSError(str(error)) from error

    async def send(self, messages: Sequence[Message]) -> list[Placed]:
        sent = [await self._sent(message) for message in messages]
        return [one if isinstance(one, Placed) else await _answer(one) for one in sent]

    async def _sent(self, message: Message) -> Placed | Delivery:
        value, partition, key = message
        try:
            return await self._producer.send(self._topic, value, key=key, partition=partition)
        except DidNotHappen as error:
            return Placed("fail", error=str(error))

    async def close(self) -> None:
        await self._producer.close(flush=False)


async def _answer(delivery: Delivery) -> Placed:
    try:
        told = await delivery
    except DidNotHappen as error:
        return Placed("fail", error=str(error))
    except MayHaveHappened as error:
        return Placed("info", error=str(error))
    if told.offset < 0:
        return Placed("info", error="no offset was told")
    return Placed("ok", told.partition, told.offset)


class Consumer:
    """See ``seam.Consumer``."""

    def __init__(self, place: Place, settings: Settings) -> None:
        self._settings = settings
        self._consumer = settings.clients.consumer(
            _bootstrap(place),
            random=random.Random(place.seed),
            client_id=place.name,
            group_id=settings.group,
            auto_offset_reset="none" if settings.group is None else "earliest",
            auto_commit=False,
            assignors=(settings.assignor,),
            session_timeout_s=settings.session_timeout_s,
            heartbeat_s=settings.session_timeout_s / _HEARTBEATS,
            max_poll_interval_s=10 * settings.session_timeout_s,
            max_poll_records=settings.most_polled,
            fetch_max_wait_s=0.3,
            request_timeout_s=settings.request_timeout_s,
            max_block_s=settings.request_timeout_s,
            metadata_max_age_s=_METADATA_MAX_AGE_S,
            backoff_s=_BACKOFF_S,
        )

    async def start(self) -> None:
        try:
            await self._consumer.start(within_s=self._settings.request_timeout_s)
        except OUTAGES as error:
            raise OSError(str(error)) from error

    async def assign(self, positions: Mapping[Partition, int]) -> None:
        self._consumer.assign(self._named(positions))
        for partition, offset in positions.items():
            self._consumer.seek(TopicPartition(self._settings.topic, partition), offset)

    async def subscribe(self, assigned: Moved, revoked: Moved) -> None:
        self._consumer.subscribe([self._settings.topic], _Listener(assigned, revoked))

    async def poll(self, timeout_s: float) -> Polled:
        try:
            records = await self._consumer.poll(timeout_s=timeout_s)
        except OUTAGES as error:
            raise OSError(str(error)) from error
        found: dict[Partition, list[tuple[int, bytes]]] = {}
        for record in records:
            found.setdefault(record.partition, []).append((record.offset, record.value))
        return found

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        topic = self._settings.topic
        try:
            await self._consumer.commit({TopicPartition(topic, p): at for p, at in offsets.items()})
        except DidNotHappen as error:
            raise CommitRefused(str(error)) from error
        except MayHaveHappened as error:
            raise CommitUnknown(str(error)) from error

    async def committed(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        try:
            found = await self._consumer.committed(*self._named(partitions))
        except OUTAGES as error:
            raise OSError(str(error)) from error
        return {tp.partition: None if one is None else one.offset for tp, one in found.items()}

    async def ends(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        try:
            found = await self._consumer.end_offsets(*self._named(partitions))
        except OUTAGES as error:
            raise OSError(str(error)) from error
        return {tp.partition: offset for tp, offset in found.items()}

    def member(self) -> Member:
        return Member(self._consumer.member_id, self._consumer.generation)

    async def close(self, *, leave: bool = True) -> None:
        """Without ``leave``, its connections go first, so that nobody hears of it."""
        if not leave:
            await self._consumer._cluster.close()
        try:
            await self._consumer.close()
        except OUTAGES as error:
            raise OSError(str(error)) from error

    def _named(self, partitions: Mapping[Partition, int] | Sequence[Partition]) -> list[TopicPartition]:
        return [TopicPartition(self._settings.topic, partition) for partition in partitions]


class _Listener:
    """What is lost is as good as revoked: nobody polls it any more."""

    def __init__(self, assigned: Moved, revoked: Moved) -> None:
        self._assigned, self._revoked = assigned, revoked

    async def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        await self._assigned(sorted(each.partition for each in partitions))

    async def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        await self._revoked(sorted(each.partition for each in partitions))

    async def lost(self, partitions: Sequence[TopicPartition]) -> None:
        await self._revoked(sorted(each.partition for each in partitions))


def _bootstrap(place: Place) -> list[tuple[str, int]]:
    return [(endpoint.host, endpoint.port) for endpoint in place.endpoints.values()]


def _clock_ns() -> int:
    """What a message's time is does not matter, only that it is the same in every run."""
    return round(asyncio.get_running_loop().time() * 1_000_000_000)
