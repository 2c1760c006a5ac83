"""A partition's log: segments in the order of offsets, appended to at the end, cut at either end.

Batches are written as they came. Their place (offset and leader epoch) is set in the header; epochs and
producers are remembered from the headers, and so are rebuilt from them. Open it with ``recovery``.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from impl.host import Disk
from impl.queue.log import summary
from impl.queue.log.epochs import EpochCache, EpochStart
from impl.queue.log.producers import ProducerStates
from impl.queue.log.segment import Segment
from impl.queue.log.settings import LogSettings
from impl.queue.log.summary import Summary
from impl.queue.protocol import batches
from impl.queue.protocol.batches import Header
from impl.queue.protocol.errors import ApiError, Code

Clock = Callable[[], int]


class PartitionLog:
    """The log in ``directory``; ``now_ms`` is the wall clock.

    ``start_offset`` is the first that may be read, ``end_offset`` that of the next batch, and all before
    ``flushed_offset`` survives a power cut. ``failed`` is set when the disk gave an error: from then on
    nothing is taken or given. ``on_roll`` is called when a segment is complete and should be flushed.
    """

    def __init__(
        self,
        disk: Disk,
        directory: str,
        settings: LogSettings,
        now_ms: Clock,
        on_roll: Callable[[PartitionLog], None] = lambda log: None,
    ) -> None:
        self.directory = directory
        self.settings = settings
        self.segments: list[Segment] = []
        self.epochs = EpochCache()
        self.producers = ProducerStates()
        self.start_offset = 0
        self.flushed_offset = 0
        self.failed = False
        self.cuts = 0
        self.disk = disk
        self.now_ms = now_ms
        self._on_roll = on_roll
        self._new_names = False
        self._flushing = asyncio.Lock()

    @property
    def end_offset(self) -> int:
        return self.segments[-1].next_offset

    @property
    def safe_offset(self) -> int:
        """All before it counts as stored by this replica: flushed, if every message must be."""
        return self.flushed_offset if self.settings.flush_messages <= 1 else self.end_offset

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    # --- appending ----------------------------------------------------------------------------

    def append(self, data: bytes, batch: Header, leader_epoch: int) -> int:
        """Write a leader's batch at the end; its base offset.

        ``batch`` is the header of ``data``, which has been checked. Raises ApiError.
        """
        at = self.end_offset
        data = batches.placed(data, at, leader_epoch)
        self._write(data, (batch._replace(base_offset=at, leader_epoch=leader_epoch),))
        return at

    def append_copy(self, data: bytes) -> None:
        """Write batches as the leader has them, offsets and epochs included, as many at once as fit.

        Raises ApiError CORRUPT_MESSAGE for bytes that don't continue this log, of which none is kept
        from the first bad batch on.
        """
        start, end, run, expected = 0, 0, list[Header](), self.end_offset
        for at, batch in batches.walk(data):
            if not batches.intact(data, batch, at) or batch.base_offset < expected:
                self._write(_part(data, start, end), run)
                raise ApiError(Code.corrupt_message, f"{self.directory}: a bad batch from the leader")
            if run and not self._fits(at + batch.size - start):
                self._write(_part(data, start, end), run)
                start, run = at, []
            run.append(batch)
            end, expected = at + batch.size, batch.next_offset
        self._write(_part(data, start, end), run)

    def _fits(self, more_bytes: int) -> bool:
        return self.segments[-1].size + more_bytes <= self.settings.segment_bytes

    def _write(self, data: bytes, run: Sequence[Header]) -> None:
        """Write whole batches, whose headers are ``run``."""
        self._check_usable()
        if not run:
            return
        if self._full(len(data)):
            self.roll()
        try:
            self.segments[-1].append(data, run)
        except OSError as error:
            self.failed = True
            raise ApiError(Code.kafka_storage_error, f"{self.directory}: {error.strerror}") from error
        for batch in run:
            self.epochs.note(batch.leader_epoch, batch.base_offset)
            self.producers.note(batch)

    def _full(self, more_bytes: int) -> bool:
        active = self.segments[-1]
        return active.size > 0 and (
            active.size + more_bytes > self.settings.segment_bytes
            or self.now_ms() - active.created_ms > self.settings.segment_ms
        )

    def roll(self) -> None:
        """Begin a new segment; the old one is flushed and summarised in the background."""
        self.segments[-1].facts = self.facts()
        self.add_segment(self.end_offset)
        self._on_roll(self)

    def facts(self) -> dict[str, Any]:
        """What is known at the end of the log, for a summary."""
        return {
            "producers": self.producers.dump(),
            "forgot": self.producers.forgot,
            "epochs": [list(e) for e in self.epochs.entries],
        }

    def adopt(self, facts: Any) -> None:
        """Take over what ``facts`` gave."""
        self.producers.load(facts["producers"])
        self.producers.forgot = facts["forgot"]
        self.epochs = EpochCache(EpochStart(*entry) for entry in facts["epochs"])

    def add_segment(self, base_offset: int) -> Segment:
        """Open the segment's file, as the last."""
        file = self.disk.open(self.path(base_offset))
        self._new_names = True
        segment = Segment(
            file,
            base_offset,
            interval=self.settings.index_interval_bytes,
            created_ms=self.now_ms(),
        )
        self.segments.append(segment)
        return segment

    def path(self, base_offset: int, kind: str = "log") -> str:
        """Of a segment's file, or of its summary with kind ``index``."""
        return f"{self.directory}/{base_offset:020d}.{kind}"

    def _check_usable(self) -> None:
        if self.failed:
            raise ApiError(Code.kafka_storage_error, f"{self.directory}: its disk has failed")

    # --- reading ------------------------------------------------------------------------------

    def read(
        self, offset: int, max_bytes: int, before_offset: int, *, first: bool = True
    ) -> bytes | memoryview:
        """Whole batches from the one with ``offset``, none beyond ``before_offset``.

        Not more than ``max_bytes``, but the ``first`` of an answer in any case.

        Raises ApiError OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR.
        """
        self._check_usable()
        if not self.start_offset <= offset <= self.end_offset:
            raise ApiError(Code.offset_out_of_range)
        if offset >= min(before_offset, self.end_offset):
            return b""
        at = max(0, self._segment_at(offset))
        while at < len(self.segments) and self.segments[at].base_offset < before_offset:
            if data := self.segments[at].read(offset, max_bytes, before_offset, first=first):
                return data
            if self.segments[at].next_offset > offset:
                return b""  # there is no room for it, and nothing behind it may come before it
            at += 1
        return b""

    def _segment_at(self, offset: int) -> int:
        return bisect_right(self.segments, offset, key=lambda each: each.base_offset) - 1

    # --- durability ---------------------------------------------------------------------------

    async def flush(self) -> None:
        """Return when all that was appended before the call survives a power cut.

        Raises ApiError KAFKA_STORAGE_ERROR. One fsync serves all that wait meanwhile.
        """
        wanted, cuts = self.end_offset, self.cuts
        async with self._flushing:
            if self.flushed_offset >= wanted or cuts != self.cuts:
                return
            self._check_usable()
            try:
                await self._flush()
            except OSError as error:
                self.failed = True
                message = f"{self.directory}: {error.strerror}"
                raise ApiError(Code.kafka_storage_error, message) from error

    async def _flush(self) -> None:
        end, cuts = self.end_offset, self.cuts
        for segment in [each for each in self.segments if each.synced_size != each.size]:
            size = segment.size
            await segment.file.fsync()
            segment.synced_size = size
        if self._new_names:
            self._new_names = False
            await self.disk.fsync_directory(self.directory)
        if cuts == self.cuts:
            self.flushed_offset = max(self.flushed_offset, end)

    async def summarise(self) -> None:
        """Flush, and write the summaries of complete segments that have none."""
        await self.flush()
        for segment in self.segments[:-1]:
            if not segment.summarised and segment.facts is not None:
                cuts = self.cuts
                await self.disk.replace(self.path(segment.base_offset, "index"), _encoded(segment))
                segment.summarised = cuts == self.cuts

    # --- cutting ------------------------------------------------------------------------------

    async def truncate(self, end_offset: int) -> None:
        """Cut off all batches that reach to ``end_offset`` or beyond. Durable on return."""
        if end_offset >= self.end_offset:
            return
        async with self._flushing:
            self.cuts += 1
            await self._drop_behind(end_offset)
            last = self.segments[-1]
            position = last.position(end_offset)
            last.file.truncate(position)
            await last.file.fsync()
            self._reload(len(self.segments) - 1)
            last.synced_size = last.size
            self.start_offset = min(self.start_offset, self.end_offset)
            self.flushed_offset = min(self.flushed_offset, self.end_offset)

    async def _drop_behind(self, end_offset: int) -> None:
        """Remove the segments that begin at ``end_offset`` or later, but one; and the last's summary."""
        while len(self.segments) > 1 and self.segments[-1].base_offset >= end_offset:
            self.remove(self.segments.pop())
        self._remove_file(self.path(self.segments[-1].base_offset, "index"))
        await self.disk.fsync_directory(self.directory)

    def _reload(self, number: int) -> None:
        """Rebuild epochs and producers as they are at the end, from segment ``number`` or earlier."""
        while number > 0 and self.segments[number - 1].facts is None:
            number -= 1
        self.epochs, self.producers = EpochCache(), ProducerStates()
        if number > 0:
            self.adopt(self.segments[number - 1].facts)
        for segment in self.segments[number:]:
            self.scan(segment)

    def scan(self, segment: Segment) -> None:
        """Index ``segment`` and take epochs and producers from it."""
        for batch in segment.scan():
            self.epochs.note(batch.leader_epoch, batch.base_offset)
            self.producers.note(batch)

    async def restart_at(self, offset: int) -> None:
        """Throw everything away; the next batch is at ``offset`` or later."""
        async with self._flushing:
            self.cuts += 1
            while self.segments:
                self.remove(self.segments.pop())
            self.epochs, self.producers = EpochCache(), ProducerStates()
            self.add_segment(offset)
            self.start_offset = self.flushed_offset = offset
            await self.disk.fsync_directory(self.directory)

    def advance_start(self, offset: int) -> None:
        """Nothing before ``offset`` is read any more; ``drop_unread`` takes away what lies before it."""
        self.start_offset = max(self.start_offset, offset)
        self.epochs.advance(self.start_offset)

    async def drop_unread(self) -> None:
        """Remove the segments that lie before the start."""
        async with self._flushing:
            while len(self.segments) > 1 and self.segments[1].base_offset <= self.start_offset:
                self.remove(self.segments.pop(0))

    def remove(self, segment: Segment) -> None:
        """Take the segment's files away; it is no longer in ``segments``."""
        segment.file.close()
        self._remove_file(self.path(segment.base_offset))
        self._remove_file(self.path(segment.base_offset, "index"))

    def _remove_file(self, path: str) -> None:
        if self.disk.exists(path):
            self.disk.remove(path)

    async def delete(self) -> None:
        """Remove all of the log's files; it is not used again."""
        self.failed = True
        self.cuts += 1
        async with self._flushing:
            for segment in self.segments:
                segment.file.close()
            for name in self.disk.names(self.directory):
                self.disk.remove(f"{self.directory}/{name}")
            await self.disk.fsync_directory(self.directory)

    def close(self) -> None:
        """Give the files back; what is not flushed is in the page cache."""
        for segment in self.segments:
            segment.file.close()


def _part(data: bytes, start: int, end: int) -> bytes:
    return data if end - start == len(data) else data[start:end]


def _encoded(segment: Segment) -> bytes:
    facts = {
        **(segment.facts or {}),
        "size": segment.size,
        "next_offset": segment.next_offset,
        "max_timestamp_ms": segment.max_timestamp_ms,
        "cleaned": segment.cleaned,
    }
    return summary.encode(Summary(facts, segment.index()))
