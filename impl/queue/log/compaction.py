"""Compaction: of each key only the newest value stays (KIP-58, and Kafka's LogCleaner).

Complete segments below the high watermark are rewritten one by one, each under its own name; offsets
stay what they are. The last batch of a segment and the last of each producer stay, if need be without
records, so that neither the end of the log nor the sequences are forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from impl.queue.log.log import PartitionLog
from impl.queue.log.segment import Segment
from impl.queue.protocol import records
from impl.queue.protocol.batches import Header, header
from impl.queue.protocol.records import Record

Keep: TypeAlias = Callable[[Record], bool]


async def compact(log: PartitionLog, high_watermark: int) -> bool:
    """Rewrite what is worth it; whether anything was. Raises OSError, Damaged."""
    segments = [each for each in log.segments[:-1] if each.next_offset <= high_watermark]
    dirty = sum(each.size for each in segments if not each.cleaned)
    total = sum(each.size for each in segments)
    if not dirty or dirty < log.settings.min_cleanable_ratio * total:
        return False
    await log.summarise()
    keep = keeper(newest(segments), log.now_ms() - log.settings.delete_retention_ms)
    kept_offsets = log.producers.newest_offsets()
    for segment in segments:
        if not await rewrite(log, segment, keep, kept_offsets):
            break
    return True


def newest(segments: list[Segment]) -> dict[bytes, int]:
    """The offset of the newest record of each key."""
    offsets: dict[bytes, int] = {}
    for segment in segments:
        for batch in segment.batches():
            for record in records.read(batch):
                if record.key is not None:
                    offsets[record.key] = record.offset
    return offsets


def keeper(offsets: Mapping[bytes, int], tombstones_ms: int) -> Keep:
    """Whether a record stays: the newest of its key, and no tombstone from before ``tombstones_ms``."""

    def keep(record: Record) -> bool:
        if record.key is None or offsets.get(record.key, -1) > record.offset:
            return False
        return record.value is not None or record.timestamp_ms >= tombstones_ms

    return keep


def cleaned(batch: bytes, keep: Keep, *, even_empty: bool) -> bytes:
    """``batch`` with the records that stay; b"" if none does, unless ``even_empty``."""
    found: Header = header(batch)
    if found.control:
        return batch
    all_records = list(records.read(batch))
    staying = [record for record in all_records if keep(record)]
    if len(staying) == len(all_records) and (staying or even_empty):
        return batch
    if not staying and not even_empty:
        return b""
    return records.rebuilt(
        staying, base_offset=found.base_offset, last_offset=found.last_offset, like=found
    )


async def rewrite(log: PartitionLog, segment: Segment, keep: Keep, kept_offsets: frozenset[int]) -> bool:
    """Put a cleaned file in place of ``segment``'s; false if the log was cut meanwhile."""
    cuts, facts = log.cuts, segment.facts
    temporary = log.path(segment.base_offset, "cleaned")
    file = log.disk.open(temporary)
    file.truncate(0)
    for batch in segment.batches():
        found = header(batch)
        needed = found.next_offset == segment.next_offset or found.base_offset in kept_offsets
        if data := cleaned(batch, keep, even_empty=needed):
            file.append(data)
    await file.fsync()
    if cuts != log.cuts or segment not in log.segments:
        file.close()
        log.disk.remove(temporary)
        return False
    log.disk.rename(temporary, log.path(segment.base_offset))
    segment.file.close()
    segment.file = file
    for _ in segment.scan():
        pass
    segment.facts, segment.cleaned, segment.synced_size = facts, True, segment.size
    await log.disk.fsync_directory(log.directory)
    await log.summarise()
    return True
