"""Offsets by time, for ListOffsets: by index and headers down to a batch, then by its records."""

from __future__ import annotations

from typing import NamedTuple

from impl.queue.log.log import PartitionLog
from impl.queue.log.segment import NO_TIME_MS, Segment
from impl.queue.protocol import records
from impl.queue.protocol.batches import Damaged, Header


class TimedOffset(NamedTuple):
    """A record's time and offset, and its leader epoch."""

    timestamp_ms: int
    offset: int
    leader_epoch: int


def first_after(log: PartitionLog, time_ms: int, before_offset: int) -> TimedOffset | None:
    """The first record of ``time_ms`` or later that lies before ``before_offset``; None if none does."""
    for segment in log.segments:
        if segment.max_timestamp_ms < time_ms or segment.next_offset <= log.start_offset:
            continue
        if (found := segment.first_after(time_ms)) is not None:
            timed = _in_batch(segment, *found, time_ms, log.start_offset)
            return timed if timed is not None and timed.offset < before_offset else None
    return None


def latest(log: PartitionLog, before_offset: int) -> TimedOffset | None:
    """The record with the greatest time of all before ``before_offset``."""
    newest = max((segment.max_timestamp_ms for segment in log.segments), default=NO_TIME_MS)
    return first_after(log, newest, before_offset) if newest != NO_TIME_MS else None


def _in_batch(
    segment: Segment, position: int, batch: Header, time_ms: int, start_offset: int
) -> TimedOffset | None:
    """A batch whose records can't be read is taken as one of its first offset and latest time."""
    try:
        for each in records.read(segment.file.read(position, batch.size)):
            if each.timestamp_ms >= time_ms and each.offset >= start_offset:
                return TimedOffset(each.timestamp_ms, each.offset, batch.leader_epoch)
    except Damaged:
        pass
    return TimedOffset(batch.max_timestamp_ms, batch.base_offset, batch.leader_epoch)
