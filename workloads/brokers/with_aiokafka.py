"""aiokafka's producer and consumer, unmodified: they run in the simulator as on real sockets.

Nothing of theirs is random once they are told a name and the time of each message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerClosed,
)

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

_NOT_WRITTEN = (KafkaTimeoutError, MessageSizeTooLargeError, ProducerClosed, IllegalStateError)
"""Raised by ``send`` itself, before a message is with the sender."""


class Producer:
    """See ``seam.Producer``."""

    def __init__(self, place: Place, settings: Settings) -> None:
        self._place, self._settings = place, settings
        self._producer: Any = None

    async def start(self) -> None:
        settings = self._settings
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._place.addresses,
            client_id=self._place.name,
            acks=settings.acks,
            enable_idempotence=settings.idempotent,
            request_timeout_ms=round(settings.request_timeout_s * 1000),
            retry_backoff_ms=100,
            metadata_max_age_ms=5000,
        )
        try:
            await self._producer.start()
        except KafkaError as error:
            raise OSError(f"{type(error).__name__}: {error}") from error

    async def send(self, messages: Sequence[Message]) -> list[Placed]:
        sent = [await self._sent(message) for message in messages]
        return [one if isinstance(one, Placed) else await _answer(one) for one in sent]

    async def _sent(self, message: Message) -> Placed | asyncio.Future[Any]:
        try:
            future: asyncio.Future[Any] = await self._producer.send(
                self._settings.topic,
                message.value,
                key=message.key,
                partition=message.partition,
                timestamp_ms=round(asyncio.get_running_loop().time() * 1000),
            )
        except _NOT_WRITTEN as error:
            return Placed("fail", error=_text(error))
        except KafkaError as error:
            return Placed("info", error=_text(error))
        return future

    async def close(self) -> None:
        if self._producer is not None:
            await self._producer.stop()


async def _answer(future: asyncio.Future[Any]) -> Placed:
    try:
        told = await future
    except KafkaError as error:
        return Placed("info", error=_text(error))
    if told is None or told.offset is None or told.offset < 0:
        return Placed("info", error="no offset was told")
    return Placed("ok", told.partition, told.offset)


class Consumer:
    """See ``seam.Consumer``."""

    def __init__(self, place: Place, settings: Settings) -> None:
        self._settings = settings
        self._place = place
        self._consumer: Any = None

    async def start(self) -> None:
        settings = self._settings
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._place.addresses,
            client_id=self._place.name,
            group_id=settings.group,
            enable_auto_commit=False,
            auto_offset_reset="none" if settings.group is None else "earliest",
            fetch_max_wait_ms=300,
            request_timeout_ms=round(settings.request_timeout_s * 1000),
            retry_backoff_ms=100,
            metadata_max_age_ms=5000,
            session_timeout_ms=round(settings.session_timeout_s * 1000),
            heartbeat_interval_ms=round(settings.session_timeout_s * 1000 / 5),
            rebalance_timeout_ms=round(settings.session_timeout_s * 1000),
            max_poll_records=settings.most_polled,
        )
        try:
            await self._consumer.start()
        except KafkaError as error:
            raise OSError(_text(error)) from error

    async def assign(self, positions: Mapping[Partition, int]) -> None:
        self._consumer.assign([self._named(partition) for partition in positions])
        for partition, offset in positions.items():
            self._consumer.seek(self._named(partition), offset)

    async def subscribe(self, assigned: Moved, revoked: Moved) -> None:
        self._consumer.subscribe([self._settings.topic], listener=_Listener(assigned, revoked))

    async def poll(self, timeout_s: float) -> Polled:
        try:
            found = await self._consumer.getmany(timeout_ms=round(timeout_s * 1000))
        except KafkaError as error:
            raise OSError(_text(error)) from error
        return {
            tp.partition: [(record.offset, record.value) for record in records]
            for tp, records in found.items()
        }

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """A commit that is tried again after a rebalance goes out under the new generation."""
        before = self.member()
        try:
            await self._consumer.commit({self._named(p): offset for p, offset in offsets.items()})
        except IllegalStateError as error:
            raise CommitRefused(_text(error)) from error
        except (CommitFailedError, KafkaError) as error:
            raise CommitUnknown(_text(error)) from error
        if self.member() != before:
            raise CommitUnknown("the generation changed meanwhile")

    async def committed(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        try:
            return {each: await self._consumer.committed(self._named(each)) for each in partitions}
        except KafkaError as error:
            raise OSError(_text(error)) from error

    async def ends(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        try:
            found = await self._consumer.end_offsets([self._named(each) for each in partitions])
        except KafkaError as error:
            raise OSError(_text(error)) from error
        return {tp.partition: offset for tp, offset in found.items()}

    def member(self) -> Member:
        coordinator = self._consumer._coordinator  # it tells nobody of its generation otherwise
        return Member(coordinator.member_id, coordinator.generation)

    async def close(self, *, leave: bool = True) -> None:
        if self._consumer is None:
            return
        if not leave and self._settings.group is not None:
            self._consumer._coordinator._maybe_leave_group = _nothing
        await self._consumer.stop()

    def _named(self, partition: Partition) -> Any:
        return TopicPartition(self._settings.topic, partition)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Partitions in order: aiokafka hands them over in sets."""

    def __init__(self, assigned: Moved, revoked: Moved) -> None:
        self._assigned, self._revoked = assigned, revoked

    async def on_partitions_assigned(self, assigned: Any) -> None:
        await self._assigned(sorted(tp.partition for tp in assigned))

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self._revoked(sorted(tp.partition for tp in revoked))


async def _nothing() -> None:
    """In place of leaving the group: what a crash does."""


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
