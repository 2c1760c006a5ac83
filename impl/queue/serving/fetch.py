"""Fetch: batches from where the reader stands, after a wait if there are too few.

Sessions are not kept (their id is always 0), so that every fetch says all that it wants.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple
from uuid import UUID

from impl.queue.metadata.image import PartitionKey
from impl.queue.protocol import fetched
from impl.queue.protocol.codec import Request
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.protocol.fetched import FetchedPartition
from impl.queue.protocol.keys import REPLICA_FETCH
from impl.queue.replication.partition import Partition
from impl.queue.serving.broker import Broker
from impl.queue.serving.connection import Frame, ToCome

_BY_ID_SINCE = 13
_NO_ID = UUID(int=0)
_FULL_AFTER = 4
"""An answer that had no room for so many is full: trying every other one is reading in vain."""


class _Asked(NamedTuple):
    """One partition of a request; ``topic`` is what the answer calls it by, ``follower`` who asks."""

    topic: str | UUID
    key: PartitionKey
    part: Any
    follower: tuple[int, int] | None


def fetch(broker: Broker, request: Request) -> Frame | ToCome:
    """The frame of the answer, now or to come."""
    body = request.body
    asked = _asked(broker, request)
    for each in asked:
        if each.follower is not None:
            _note(broker, each, *each.follower)
    parts, size, urgent = _read(broker, body, asked)
    wait_s = body.max_wait.total_seconds()
    if size >= body.min_bytes or urgent or wait_s <= 0 or not asked:
        return _frame(request, asked, parts)
    return _later(broker, request, asked, wait_s)


def _asked(broker: Broker, request: Request) -> list[_Asked]:
    follower = _follower(request)
    found = []
    for topic in request.body.topics:
        name = topic.topic if request.version < _BY_ID_SINCE else _name(broker, topic.topic_id)
        given = topic.topic if request.version < _BY_ID_SINCE else topic.topic_id or _NO_ID
        for part in topic.partitions:
            found.append(_Asked(given, PartitionKey(name, part.partition), part, follower))
    return found


def _name(broker: Broker, id: UUID | None) -> str:
    """The name of the topic with this id; one that no topic has if there is none."""
    topic = broker.image.by_id(id) if id is not None else None
    return topic.name if topic is not None else ""


def _follower(request: Request) -> tuple[int, int] | None:
    """Broker and broker epoch of a follower; consumers are none."""
    if request.version < REPLICA_FETCH:
        return None
    state = request.body.replica_state
    return (state.replica_id, state.replica_epoch) if state.replica_id >= 0 else None


def _frame(request: Request, asked: list[_Asked], parts: list[FetchedPartition]) -> Frame:
    topics: dict[str | UUID, list[FetchedPartition]] = {}
    for each, part in zip(asked, parts, strict=True):
        topics.setdefault(each.topic, []).append(part)
    isolation = request.body.isolation_level
    made = list(topics.items())
    return fetched.response(request.version, request.correlation_id, made, isolation=isolation)


async def _later(broker: Broker, request: Request, asked: list[_Asked], wait_s: float) -> Frame:
    """Read again at every change, until there is enough or the time is over."""
    changed = asyncio.Event()
    watched = _partitions(broker, asked)
    for partition in watched:
        partition.listen(changed.set, replica=asked[0].follower is not None)
    try:
        async with asyncio.timeout(wait_s):
            while True:
                parts, size, urgent = _read(broker, request.body, asked)
                if size >= request.body.min_bytes or urgent:
                    return _frame(request, asked, parts)
                await changed.wait()
                changed.clear()
    except TimeoutError:
        return _frame(request, asked, _read(broker, request.body, asked)[0])
    finally:
        for partition in watched:
            partition.unlisten(changed.set)


def _partitions(broker: Broker, asked: list[_Asked]) -> list[Partition]:
    found = []
    for each in asked:
        try:
            found.append(broker.replicas.get(each.key))
        except ApiError:
            pass
    return found


def _note(broker: Broker, asked: _Asked, follower: int, epoch: int) -> None:
    """A follower's fetch says how far it has come, if its log has not left this one's."""
    try:
        partition = broker.replicas.get(asked.key)
        partition.check_leader(asked.part.current_leader_epoch, replica=True)
        offset = asked.part.fetch_offset
        if offset <= partition.log.end_offset and _diverging(partition, asked.part) is None:
            partition.fetched(follower, epoch, offset)
    except ApiError:
        pass


def _read(broker: Broker, body: Any, asked: list[_Asked]) -> tuple[list[FetchedPartition], int, bool]:
    """All parts, their bytes, and whether one of them shouldn't wait."""
    left, size, urgent = min(body.max_bytes, broker.config.fetch_max_bytes), 0, False
    parts, turned_down = [], 0
    for each in asked:
        part = _one(broker, each, left, size)
        parts.append(part)
        turned_down += size > 0 and not part.records and each.part.fetch_offset < part.high_watermark
        if turned_down >= _FULL_AFTER:
            left = 0
        size += len(part.records)
        left -= len(part.records)
        urgent = urgent or part.error_code != 0 or part.diverging is not None
    return parts, size, urgent


def _one(broker: Broker, asked: _Asked, left: int, size: int) -> FetchedPartition:
    """One partition's part; its first batch is given whole only if nothing else is in the answer."""
    number, start = asked.key.partition, -1
    try:
        if isinstance(asked.topic, UUID) and not asked.key.topic:
            raise ApiError(Code.unknown_topic_id)
        partition, replica, part = broker.replicas.get(asked.key), asked.follower is not None, asked.part
        partition.check_leader(getattr(part, "current_leader_epoch", -1), replica=replica)
        high, start = partition.high_watermark, partition.log.start_offset
        if (diverging := _diverging(partition, part)) is not None:
            return FetchedPartition(number, 0, high, start, diverging=diverging)
        most = min(part.partition_max_bytes, left)
        offset = part.fetch_offset
        data = partition.read(offset, most, replica=replica, first=not size) if most > 0 else b""
        return FetchedPartition(number, 0, high, start, data)
    except ApiError as error:
        return FetchedPartition(number, error.code, log_start_offset=start)


def _diverging(partition: Partition, asked: Any) -> tuple[int, int] | None:
    """Where the reader's log left this one's (KIP-595), if it says what it read last.

    Raises ApiError OFFSET_OUT_OF_RANGE if they have no epoch in common.
    """
    last_epoch = getattr(asked, "last_fetched_epoch", -1)
    if last_epoch < 0:
        return None
    epoch, end = partition.log.epochs.end_of(last_epoch, partition.log.end_offset)
    if epoch < 0:
        raise ApiError(Code.offset_out_of_range)
    if epoch < last_epoch or end < asked.fetch_offset:
        return epoch, end
    return None
