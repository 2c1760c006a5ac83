"""confluent-kafka's producer and consumer, which are librdkafka's: real sockets only.

It says of no failed delivery that the message is certainly in no log, so each is ``info``; of what
``produce`` itself refuses nothing was sent. A consumer can't stop without leaving its group, so a crash
is an orderly end without a commit.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import Consumer as LibraryConsumer
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import Producer as LibraryProducer

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
from workloads.brokers.threads import Thread

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # else each try to reach a node that is down is printed
_NO_OFFSET = -1001
_NOT_SENT = (KafkaError._NO_OFFSET, KafkaError._STATE, KafkaError._INVALID_ARG)
_METADATA = b"CGMDv2:"
_GENERATION = struct.Struct("=i")
_STEP_S = 0.1


class Producer:
    """See ``seam.Producer``."""

    def __init__(self, place: Place, settings: Settings) -> None:
        self._settings = settings
        self._config = {
            **_common(place),
            "acks": settings.acks,
            "enable.idempotence": settings.idempotent,
            "max.in.flight.requests.per.connection": settings.in_flight,
            "request.timeout.ms": round(settings.request_timeout_s * 1000),
            "message.timeout.ms": round(settings.delivery_timeout_s * 1000),
            "linger.ms": 0,
        }
        self._thread = Thread(place.name)
        self._producer: Any = None

    async def start(self) -> None:
        self._producer = await self._thread.call(partial(LibraryProducer, self._config, logger=_log))

    async def send(self, messages: Sequence[Message]) -> list[Placed]:
        return await self._thread.call(self._send, messages)

    def _send(self, messages: Sequence[Message]) -> list[Placed]:
        placed: dict[int, Placed] = {}
        for number, message in enumerate(messages):
            try:
                self._begin(
                    message, lambda error, told, at=number: placed.update({at: _told(error, told)})
                )
            except (BufferError, KafkaException) as error:
                placed[number] = Placed("fail", error=str(error))
        while len(placed) < len(messages):
            self._producer.poll(_STEP_S)
        return [placed[number] for number in range(len(messages))]

    def _begin(self, message: Message, told: Any) -> None:
        where = {} if message.partition is None else {"partition": message.partition}
        topic = self._settings.topic
        self._producer.produce(topic, message.value, key=message.key, on_delivery=told, **where)

    async def close(self) -> None:
        """What is under way is dropped, also what a send waits for that nobody waits for any more.

        Not in the thread, therefore, where that send may stand; the library takes it from any.
        """
        if self._producer is not None:
            self._producer.purge(blocking=False)
        self._thread.end()


def _told(error: KafkaError | None, message: Any) -> Placed:
    if error is not None:
        return Placed("info", error=error.str())
    if message.offset() is None or message.offset() < 0:
        return Placed("info", error="no offset was told")
    return Placed("ok", message.partition(), message.offset())


class Consumer:
    """See ``seam.Consumer``."""

    def __init__(self, place: Place, settings: Settings) -> None:
        session_ms = round(settings.session_timeout_s * 1000)
        self._settings = settings
        self._within_s = settings.request_timeout_s
        self._config = {
            **_common(place),
            # It wants a group where there is none; nothing is ever committed to this one.
            "group.id": settings.group or f"none-{place.name}",
            "enable.auto.commit": False,
            "auto.offset.reset": "error" if settings.group is None else "earliest",
            "partition.assignment.strategy": settings.assignor,
            "allow.auto.create.topics": True,
            "fetch.wait.max.ms": 300,
            "session.timeout.ms": session_ms,
            "heartbeat.interval.ms": session_ms // 5,
            "max.poll.interval.ms": 10 * session_ms,
        }
        self._thread = Thread(place.name)
        self._consumer: Any = None
        self._member = Member("", -1)
        self._failed: str | None = None
        self._found: dict[Partition, list[tuple[int, bytes]]] = {}

    async def start(self) -> None:
        self._consumer = await self._thread.call(partial(LibraryConsumer, self._config, logger=_log))

    async def assign(self, positions: Mapping[Partition, int]) -> None:
        places = [TopicPartition(self._settings.topic, each, at) for each, at in positions.items()]
        self._failed = None
        await self._ask(self._consumer.assign, places)

    async def subscribe(self, assigned: Moved, revoked: Moved) -> None:
        def given(_: Any, places: Sequence[Any]) -> None:
            self._note()
            self._thread.tell(_moved(assigned, places))

        def taken(_: Any, places: Sequence[Any]) -> None:
            for each in places:  # nobody was told of these yet, so they are not polled
                self._found.pop(each.partition, None)
            self._note()
            self._thread.tell(_moved(revoked, places))

        told = {"on_assign": given, "on_revoke": taken, "on_lost": taken}
        await self._ask(partial(self._consumer.subscribe, [self._settings.topic], **told))

    async def poll(self, timeout_s: float) -> Polled:
        found: Polled = await self._ask(self._poll, timeout_s)
        return found

    def _poll(self, timeout_s: float) -> Polled:
        """Messages that came before an error are polled; the error is the next poll's."""
        self._found = {}
        for _ in range(self._settings.most_polled):
            message = None if self._failed else self._consumer.poll(timeout_s)
            if message is None:
                break
            if message.error() is not None:
                self._failed = message.error().str()
                break
            self._found.setdefault(message.partition(), []).append((message.offset(), message.value()))
            timeout_s = 0
        if self._failed and not self._found:
            failed, self._failed = self._failed, None
            raise OSError(failed)
        self._note()
        return self._found

    def _note(self) -> Member:
        """Who it is, asked in its own thread: in another it may wait for a call that waits for that one.

        The generation stands in what it gives to transactional producers, and nowhere else.
        """
        told, generation = self._consumer.consumer_group_metadata(), -1
        if told.startswith(_METADATA):
            (generation,) = _GENERATION.unpack_from(told, len(_METADATA))
        self._member = Member(self._consumer.memberid() or "", generation)
        return self._member

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """What was refused may have been asked twice, and done the first time."""
        places = [TopicPartition(self._settings.topic, each, at) for each, at in offsets.items()]
        try:
            before, after = await self._thread.call(self._commit, places)
        except KafkaException as error:
            if error.args[0].code() in _NOT_SENT:
                raise CommitRefused(_text(error)) from error
            raise CommitUnknown(_text(error)) from error
        if after != before:
            raise CommitUnknown("the generation changed meanwhile")

    def _commit(self, places: Sequence[Any]) -> tuple[Member, Member]:
        before = self._note()
        self._consumer.commit(offsets=places, asynchronous=False)
        return before, self._note()

    async def committed(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        places = [TopicPartition(self._settings.topic, each) for each in partitions]
        found = await self._ask(self._consumer.committed, places, self._within_s)
        for each in found:
            if each.error is not None:
                raise OSError(each.error.str())
        return {each.partition: None if each.offset == _NO_OFFSET else each.offset for each in found}

    async def ends(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return {each: await self._ask(self._end, each) for each in partitions}

    def _end(self, partition: Partition) -> int:
        place = TopicPartition(self._settings.topic, partition)
        low_and_high = self._consumer.get_watermark_offsets(place, self._within_s)
        if low_and_high is None:
            raise TimeoutError(f"no end of partition {partition} in {self._within_s:g} s")
        return int(low_and_high[1])

    def member(self) -> Member:
        return self._member

    async def close(self, *, leave: bool = True) -> None:
        if self._consumer is not None:
            await self._ask(self._consumer.close)
        self._thread.end()

    async def _ask(self, function: Any, *arguments: Any) -> Any:
        try:
            return await self._thread.call(function, *arguments)
        except (KafkaException, RuntimeError) as error:
            raise OSError(_text(error)) from error


async def _moved(moved: Moved, places: Sequence[Any]) -> None:
    await moved(sorted(each.partition for each in places))


def _common(place: Place) -> dict[str, Any]:
    return {
        "bootstrap.servers": ",".join(place.addresses),
        "client.id": place.name,
        "socket.timeout.ms": 2000,
        "socket.connection.setup.timeout.ms": 2000,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 500,
        "retry.backoff.ms": 100,
        "topic.metadata.refresh.interval.ms": 5000,
    }


def _text(error: Exception) -> str:
    told = error.args[0] if error.args else error
    return told.str() if isinstance(told, KafkaError) else str(told)
