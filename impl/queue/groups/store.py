"""Groups and offsets in the offsets topic: written by the leader of a group's partition, read again by
the next one."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Iterable, Mapping

from impl.queue import topics
from impl.queue.groups import messages
from impl.queue.groups.group import Group
from impl.queue.groups.messages import Commit, CommitKey
from impl.queue.metadata.image import PartitionKey
from impl.queue.protocol import batches, records
from impl.queue.protocol.batches import Damaged
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.replication.partition import Partition
from impl.queue.replication.replicas import Replicas

_READ_BYTES = 1 << 20
_RETRIED = (Code.not_leader_or_follower, Code.unknown_topic_or_partition)
_log = logging.getLogger(__name__)


def partition_of(group: str, partitions: int) -> int:
    """The partition of the offsets topic that has ``group``, by Java's ``String.hashCode``."""
    value = 0
    for unit in struct.unpack(f">{len(raw := group.encode('utf-16-be', 'surrogatepass')) // 2}H", raw):
        value = (value * 31 + unit) & 0xFFFFFFFF
    signed = value - (1 << 32) if value >> 31 else value
    return (0 if signed == -(1 << 31) else abs(signed)) % partitions


class Store:
    """Writes to the offsets topic; reads it back."""

    def __init__(self, replicas: Replicas, timeout_s: float) -> None:
        self._replicas = replicas
        self._timeout_s = timeout_s

    async def write(self, number: int, entries: Iterable[tuple[messages.Key, bytes | None]]) -> int:
        """Return when ``entries`` are committed in partition ``number`` of the offsets topic, and where.

        Raises ApiError NOT_COORDINATOR if that is no longer led here, COORDINATOR_NOT_AVAILABLE if it
        takes too long or too few replicas are in sync.
        """
        pairs = [(messages.key(key), value) for key, value in entries]
        try:
            partition = self._replicas.get(PartitionKey(topics.OFFSETS, number))
            batch = records.batch(pairs, timestamp_ms=self._replicas.now_ms())
            epoch = partition.leader_epoch
            appended = partition.append(batch)
            async with asyncio.timeout(self._timeout_s):
                await partition.committed(appended.end_offset, epoch)
            return appended.base_offset
        except TimeoutError as error:
            raise ApiError(Code.coordinator_not_available) from error
        except ApiError as error:
            if error.code in _RETRIED:
                raise ApiError(Code.not_coordinator) from error
            if error.code in (Code.message_too_large, Code.corrupt_message):
                raise ApiError(Code.invalid_commit_offset_size) from error
            raise ApiError(Code.coordinator_not_available) from error


def load(partition: Partition) -> dict[str, Group]:
    """The groups that stand in a partition of the offsets topic."""
    groups: dict[str, Group] = {}
    log, offset = partition.log, partition.log.start_offset
    while data := log.read(offset, _READ_BYTES, log.end_offset):
        for at, batch in batches.walk(data):
            try:
                for record in records.read(bytes(data[at : at + batch.size])):
                    _take(groups, record.key, record.value)
            except (Damaged, ValueError, struct.error) as error:
                _log.warning("%s: offset %d: %s", log.directory, batch.base_offset, error)
            offset = batch.next_offset
    return groups


def _take(groups: dict[str, Group], raw_key: bytes | None, value: bytes | None) -> None:
    key = messages.read_key(raw_key or b"\xff\xff")
    if isinstance(key, CommitKey):
        group = groups.setdefault(key.group, Group(key.group))
        place = PartitionKey(key.topic, key.partition)
        if value is None:
            group.offsets.pop(place, None)
        else:
            group.offsets[place] = messages.read_commit(value)
    elif key is not None and value is not None:
        groups.setdefault(key, Group(key)).restore(messages.read_group(value))
    elif key is not None:
        groups.pop(key, None)


def commits(
    group: str, offsets: Mapping[PartitionKey, Commit | None]
) -> list[tuple[messages.Key, bytes | None]]:
    """The entries that say ``offsets``; None says that there is none any more."""
    return [
        (
            CommitKey(group, key.topic, key.partition),
            None if commit is None else messages.commit(commit),
        )
        for key, commit in offsets.items()
    ]
