"""What a partition's log goes by; Kafka's names of the settings stand behind each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """-1 is no limit. ``flush_messages`` 1 fsyncs before anything is acknowledged."""

    segment_bytes: int = 1 << 30  # segment.bytes
    segment_ms: int = 7 * 86_400_000  # segment.ms
    index_interval_bytes: int = 4096  # index.interval.bytes
    retention_ms: int = 7 * 86_400_000  # retention.ms
    retention_bytes: int = -1  # retention.bytes
    flush_messages: int = 1 << 63  # flush.messages
    flush_ms: int = 1 << 63  # flush.ms
    compact: bool = False  # cleanup.policy
    delete: bool = True  # cleanup.policy
    delete_retention_ms: int = 86_400_000  # delete.retention.ms
    min_cleanable_ratio: float = 0.5  # min.cleanable.dirty.ratio
    producer_expiration_ms: int = 86_400_000  # producer.id.expiration.ms
