"""Where a consumer stands in one of its partitions, and what was fetched from there on."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from impl.queue.client.metadata import NO_EPOCH, TopicPartition
from impl.queue.protocol.decode import Fetched, Record, records

EARLIEST, LATEST = -2, -1
"""Times that ListOffsets takes for the two ends of a log."""


class OffsetAndMetadata(NamedTuple):
    """An offset as it is committed: the next to read; ``leader_epoch`` that of the record before it."""

    offset: int
    metadata: str = ""
    leader_epoch: int = NO_EPOCH


class Position:
    """``offset`` is the next to hand out, None until it is known; ``epoch`` that of the last record
    handed out. ``reset_to`` is a time to look the offset up by, ``error`` what the next poll raises.

    Raw batches are unpacked when their turn comes. ``checked_epoch`` is the leader epoch in which the
    position was last found to be in the leader's log.
    """

    __slots__ = (
        "at",
        "buffered_bytes",
        "busy",
        "checked_epoch",
        "epoch",
        "error",
        "fetch_offset",
        "high_watermark",
        "log_start_offset",
        "not_before_s",
        "offset",
        "partition",
        "paused",
        "raw",
        "ready",
        "reset_to",
        "stamp",
    )

    def __init__(self, partition: TopicPartition) -> None:
        self.partition = partition
        self.offset: int | None = None
        self.epoch = NO_EPOCH
        self.fetch_offset = 0
        self.checked_epoch = NO_EPOCH
        self.paused = False
        self.reset_to: int | None = None
        self.error: Exception | None = None
        self.busy = False
        self.not_before_s = 0.0
        self.high_watermark = -1
        self.log_start_offset = -1
        self.buffered_bytes = 0
        self.stamp = 0
        self.raw: deque[Fetched] = deque()
        self.ready: list[Record] = []
        self.at = 0

    def seek(self, offset: int, epoch: int = NO_EPOCH) -> None:
        """Go on from ``offset``; what was fetched is forgotten."""
        self.offset = offset
        self.epoch = epoch
        self.reset_to = None
        self.error = None
        self.checked_epoch = NO_EPOCH
        self.forget()

    def reset(self, time_ms: int) -> None:
        """Go on from where ListOffsets says for ``time_ms``."""
        self.offset = None
        self.epoch = NO_EPOCH
        self.reset_to = time_ms
        self.error = None
        self.forget()

    def forget(self) -> None:
        """Fetch again from the position on; answers that are still to come don't count."""
        self.stamp += 1
        self.fetch_offset = self.offset if self.offset is not None else 0
        self.raw.clear()
        self.ready, self.at = [], 0
        self.buffered_bytes = 0

    def add(self, batch: Fetched) -> None:
        """``batch`` was fetched behind all that was before."""
        self.fetch_offset = batch.header.next_offset
        if batch.header.control:
            if not self.raw and self.at >= len(self.ready):
                self.offset = self.fetch_offset
            return
        self.raw.append(batch)
        self.buffered_bytes += batch.header.size

    @property
    def has_records(self) -> bool:
        """Whether something can be handed out."""
        return self.at < len(self.ready) or bool(self.raw)

    def unpack(self, *, check_crc: bool) -> bool:
        """See to it that ``ready`` holds what comes next. False if nothing does. Raises Damaged."""
        while self.at >= len(self.ready):
            if not self.raw:
                return False
            batch = self.raw[0]
            assert self.offset is not None
            topic, number = self.partition
            self.ready = records(topic, number, batch, from_offset=self.offset, check_crc=check_crc)
            self.at = 0
            self.raw.popleft()
            self.buffered_bytes -= batch.header.size
            if not self.ready:
                self.offset = max(self.offset, batch.header.next_offset)
        return True

    def take(self, most: int) -> list[Record]:
        """Up to ``most`` of the records that are ready; they count as handed out."""
        if self.at == 0 and len(self.ready) <= most:
            taken, self.ready = self.ready, []
        else:
            taken = self.ready[self.at : self.at + most]
            self.at += len(taken)
            if self.at >= len(self.ready):
                self.ready, self.at = [], 0
        last = taken[-1]
        self.offset, self.epoch = last.offset + 1, last.leader_epoch
        return taken

    def committable(self) -> OffsetAndMetadata | None:
        """What to commit: all that was handed out is done with."""
        return None if self.offset is None else OffsetAndMetadata(self.offset, "", self.epoch)
