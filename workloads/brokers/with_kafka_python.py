"""kafka-python's producer and consumer: real sockets only.

A failed future may be of a message that was written, so it is ``info``; what ``send`` itself raises is
of one that was not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from kafka import AsyncConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from workloads.brokers.seam import (
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
from workloads.brokers.threads import Thread

_Told: TypeAlias = Callable[[Any], Awaitable[None]]
_ASSIGNORS = {
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "sticky": StickyPartitionAssignor,
    "cooperative-sticky": CooperativeStickyAssignor,
}


class Producer:
    """See ``seam.Producer``."""

    def __init__(self, place: Place, settings: Settings) -> None:
        self._settings = settings
        self._make = partial(
            KafkaProducer,
            **_common(place, settings),
            acks=settings.acks,
            enable_idempotence=settings.idempotent,
            max_in_flight_requests_per_connection=settings.in_flight,
            delivery_timeout_ms=round(settings.delivery_timeout_s * 1000),
            max_block_ms=round(settings.request_timeout_s * 1000),
            linger_ms=0,
        )
        self._thread = Thread(place.name)
        self._producer: Any = None

    async def start(self) -> None:
        self._producer = await _asked(self._thread, self._make)

    async def send(self, messages: Sequence[Message]) -> list[Placed]:
        return await self._thread.call(self._send, messages)

    def _send(self, messages: Sequence[Message]) -> list[Placed]:
        sent = [self._begin(message) for message in messages]
        return [one if isinstance(one, Placed) else self._answer(one) for one in sent]

    def _begin(self, message: Message) -> Any:
        value, partition, key = message
        try:
            return self._producer.send(self._settings.topic, value, key=key, partition=partition)
        except (KafkaError, AssertionError) as error:
            return Placed("fail", error=_text(error))

    def _answer(self, future: Any) -> Placed:
        try:
            told = future.get(timeout=2 * self._settings.delivery_timeout_s)
        except KafkaError as error:
            return Placed("info", error=_text(error))
        if told.offset is None or told.offset < 0:
            return Placed("info", error="no offset was told")
        return Placed("ok", told.partition, told.offset)

    async def close(self) -> None:
        """Not in the thread, where a send may stand that nobody waits for: it ends by this."""
        if self._producer is not None:
            await asyncio.to_thread(self._producer.close, timeout=0)
        self._thread.end()


class Consumer:
    """See ``seam.Consumer``."""

    def __init__(self, place: Place, settings: Settings) -> None:
        session_ms = round(settings.session_timeout_s * 1000)
        self._settings = settings
        self._within_ms = round(settings.request_timeout_s * 1000)
        common = _common(place, settings)
        # It wants requests to outlast rebalances, which last as long as a session here.
        common["request_timeout_ms"] = max(common["request_timeout_ms"], session_ms + 1000)
        self._make = partial(
            KafkaConsumer,
            **common,
            group_id=settings.group,
            enable_auto_commit=False,
            auto_offset_reset="none" if settings.group is None else "earliest",
            partition_assignment_strategy=[_ASSIGNORS[settings.assignor]],
            fetch_max_wait_ms=300,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // 5,
            max_poll_interval_ms=max(session_ms, 10 * session_ms),
            max_poll_records=settings.most_polled,
        )
        self._thread = Thread(place.name)
        self._consumer: Any = None
        self._member = Member("", -1)
        self._telling = False
        self._read_back: Mapping[Any, Any] | None = None

    async def start(self) -> None:
        self._consumer = await _asked(self._thread, self._make)

    async def assign(self, positions: Mapping[Partition, int]) -> None:
        await _asked(self._thread, self._assign, dict(positions))

    def _assign(self, positions: Mapping[Partition, int]) -> None:
        self._consumer.assign([self._named(each) for each in positions])
        for partition, offset in positions.items():
            self._consumer.seek(self._named(partition), offset)

    async def subscribe(self, assigned: Moved, revoked: Moved) -> None:
        listener = _Listener(partial(self._given, assigned), partial(self._taken, revoked))
        topics = [self._settings.topic]
        await _asked(self._thread, partial(self._consumer.subscribe, topics, listener=listener))

    async def _given(self, moved: Moved, places: Any) -> None:
        """What was committed is read first: nobody can be asked while the library waits.

        Polling begins there also where it would go on behind what it has not committed, of a partition
        that it had before.
        """
        fetch = self._consumer._coordinator.fetch_committed_offsets_async
        try:
            found = self._read_back = await fetch(list(places), self._within_ms)
        except KafkaError:
            self._read_back = None
        else:
            for place in places:
                self._consumer.seek(place, found[place].offset if place in found else 0)
        await self._taken(moved, places)

    async def _taken(self, moved: Moved, places: Any) -> None:
        self._note()
        self._telling = True
        try:
            self._thread.wait(_moved(moved, places))
        finally:
            self._telling = False

    async def poll(self, timeout_s: float) -> Polled:
        found = await _asked(self._thread, self._poll, round(timeout_s * 1000))
        return {
            tp.partition: [(record.offset, record.value) for record in records]
            for tp, records in found.items()
        }

    def _poll(self, timeout_ms: int) -> Any:
        found = self._consumer.poll(timeout_ms)
        self._note()
        return found

    def _note(self) -> Member:
        """Who it is, asked in its own thread: a rebalance holds the lock of its coordinator."""
        told = self._consumer.group_metadata() if self._settings.group is not None else None
        self._member = Member("", -1) if told is None else Member(told.member_id, told.generation_id)
        return self._member

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """What was refused may have been asked twice, and done the first time."""
        wanted = {self._named(each): OffsetAndMetadata(at, "", -1) for each, at in offsets.items()}
        try:
            before, after = await self._thread.call(self._commit, wanted)
        except (KafkaError, AssertionError) as error:
            raise CommitUnknown(_text(error)) from error
        if after != before:
            raise CommitUnknown("the generation changed meanwhile")

    def _commit(self, wanted: Mapping[Any, Any]) -> tuple[Member, Member]:
        before = self._note()
        self._consumer.commit(wanted, self._within_ms)
        return before, self._note()

    async def committed(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        if self._telling:
            return self._known(partitions)
        ask = partial(self._consumer.committed, timeout_ms=self._within_ms)
        return {each: await _asked(self._thread, ask, self._named(each)) for each in partitions}

    def _known(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        """Read just before the rebalance was told of; older generations commit nothing any more."""
        if self._read_back is None:
            raise OSError("the group's coordinator did not say what is committed")
        found = {each: self._read_back.get(self._named(each)) for each in partitions}
        return {each: None if at is None else at.offset for each, at in found.items()}

    async def ends(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        named = [self._named(each) for each in partitions]
        found = await _asked(self._thread, self._consumer.end_offsets, named)
        return {tp.partition: offset for tp, offset in found.items()}

    def member(self) -> Member:
        return self._member

    async def close(self, *, leave: bool = True) -> None:
        if self._consumer is not None:
            if not leave and self._settings.group is not None:
                self._consumer._coordinator.maybe_leave_group = _nothing
            end = partial(self._consumer.close, autocommit=False, timeout_ms=self._within_ms)
            await _asked(self._thread, end)
        self._thread.end()

    def _named(self, partition: Partition) -> Any:
        return TopicPartition(self._settings.topic, partition)


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Called on the library's own event loop, which goes on when all is told."""

    def __init__(self, assigned: _Told, revoked: _Told) -> None:
        self._assigned, self._revoked = assigned, revoked

    async def on_partitions_assigned(self, assigned: Any) -> None:
        await self._assigned(assigned)

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self._revoked(revoked)


async def _moved(moved: Moved, places: Any) -> None:
    await moved(sorted(each.partition for each in places))


def _common(place: Place, settings: Settings) -> dict[str, Any]:
    return {
        "bootstrap_servers": place.addresses,
        "client_id": place.name,
        "request_timeout_ms": round(settings.request_timeout_s * 1000),
        "reconnect_backoff_ms": 50,
        "reconnect_backoff_max_ms": 500,
        "retry_backoff_ms": 100,
        "metadata_max_age_ms": 5000,
    }


async def _asked(thread: Thread, function: Any, *arguments: Any) -> Any:
    try:
        return await thread.call(function, *arguments)
    except (KafkaError, AssertionError, ValueError) as error:
        raise OSError(_text(error)) from error


def _nothing(*_: Any, **__: Any) -> None:
    """In place of leaving the group: what a crash does."""


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
