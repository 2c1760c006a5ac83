"""What a log no longer has to keep: by age and by size, whole segments at a time."""

from __future__ import annotations

from impl.queue.log.log import PartitionLog


def expired_until(log: PartitionLog, high_watermark: int) -> int:
    """The offset before which everything may go; ``log.start_offset`` if nothing may.

    Only segments that are complete and lie below the high watermark are thought of.
    """
    settings = log.settings
    if not settings.delete:
        return log.start_offset
    keep_from = log.start_offset
    excess = log.size - settings.retention_bytes if settings.retention_bytes >= 0 else 0
    oldest_ms = log.now_ms() - settings.retention_ms if settings.retention_ms >= 0 else None
    for segment in log.segments[:-1]:
        old = oldest_ms is not None and segment.max_timestamp_ms < oldest_ms
        if segment.next_offset > high_watermark or not (old or excess >= segment.size > 0):
            break
        excess -= segment.size
        keep_from = max(keep_from, segment.next_offset)
    return keep_from


async def enforce(log: PartitionLog, high_watermark: int) -> None:
    """Roll a segment that is too old, forget idle producers, let go of what may go."""
    settings, now_ms = log.settings, log.now_ms()
    active = log.segments[-1]
    expired = settings.delete and 0 <= settings.retention_ms < now_ms - active.max_timestamp_ms
    if active.size and (expired or now_ms - active.created_ms > settings.segment_ms):
        log.roll()
    log.producers.expire(now_ms - settings.producer_expiration_ms)
    log.advance_start(expired_until(log, high_watermark))
    await log.drop_unread()
