"""Opening a log: what a crash left is checked, and what is torn is cut.

A segment with a valid summary was fsynced as a whole and is taken as it is. Every other is read and its
CRCs checked; behind the first bad batch everything goes, later segments included.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from impl.host import Disk
from impl.queue.log import summary
from impl.queue.log.log import Clock, PartitionLog
from impl.queue.log.segment import Segment
from impl.queue.log.settings import LogSettings

_log = logging.getLogger(__name__)


async def open_log(
    disk: Disk,
    directory: str,
    settings: LogSettings,
    now_ms: Clock,
    on_roll: Callable[[PartitionLog], None] = lambda log: None,
) -> PartitionLog:
    """The log in ``directory``, begun if there is none. Raises OSError."""
    log = PartitionLog(disk, directory, settings, now_ms, on_roll)
    names = disk.names(directory)
    bases = sorted(int(name.removesuffix(".log")) for name in names if name.endswith(".log"))
    for name in names:
        if name.endswith((".cleaned", ".new")):
            disk.remove(f"{directory}/{name}")
    for base in bases:
        if not await _recover(log, base):
            kept = [segment.base_offset for segment in log.segments]
            await _drop(log, [each for each in bases if each not in kept])
            break
    if not log.segments:
        log.add_segment(0)
    log.segments[-1].facts, log.segments[-1].summarised = None, False
    log.start_offset = log.segments[0].base_offset
    await log.flush()
    log.flushed_offset = log.end_offset
    return log


async def _recover(log: PartitionLog, base_offset: int) -> bool:
    """Take over one segment; false if a part of it was lost, and with it what follows."""
    before = log.segments[-1] if log.segments else None
    if before is not None and base_offset < before.next_offset:
        return False
    if before is not None and before.facts is None:
        before.facts = log.facts()
    segment = log.add_segment(base_offset)
    if _summarised(log, segment):
        return True
    log.scan(segment)
    torn = segment.file.size() - segment.size
    if torn:
        _log.warning("%s: %d torn bytes cut", log.path(base_offset), torn)
        segment.file.truncate(segment.size)
        await segment.file.fsync()
    return not torn


def _summarised(log: PartitionLog, segment: Segment) -> bool:
    path = log.path(segment.base_offset, "index")
    found = summary.decode(log.disk.read(path)) if log.disk.exists(path) else None
    if found is None or found.facts["size"] != segment.file.size():
        return False
    segment.load_index(found.index)
    segment.size = segment.synced_size = found.facts["size"]
    segment.next_offset = found.facts["next_offset"]
    segment.max_timestamp_ms = found.facts["max_timestamp_ms"]
    segment.cleaned = found.facts["cleaned"]
    segment.facts, segment.summarised = found.facts, True
    log.adopt(found.facts)
    return True


async def _drop(log: PartitionLog, bases: list[int]) -> None:
    for base in bases:
        for path in (log.path(base), log.path(base, "index")):
            if log.disk.exists(path):
                log.disk.remove(path)
    await log.disk.fsync_directory(log.directory)
