"""Records inside batches: read for compaction and the offsets topic, written for internal topics.

Clients' records pass the broker unread; this is for the few that it has to understand. Layout: Kafka's
message format, magic 2, with zigzag varints.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from impl.queue.protocol import compression
from impl.queue.protocol.batches import (
    CODEC_MASK,
    HEADER_BYTES,
    NO_PRODUCER,
    NO_SEQUENCE,
    Damaged,
    Header,
    header,
    header_for,
)
from impl.queue.protocol.primitives import read_headers, read_sized, read_varint, sized, varint


class Record(NamedTuple):
    """One record; ``headers`` are pairs of name and value."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...] = ()


def read(batch: bytes) -> Iterator[Record]:
    """The records of one batch, unpacked. Raises Damaged if they can't be read."""
    found = header(batch)
    try:
        data = compression.unpack(found.codec, batch[HEADER_BYTES : found.size])
        at = 0
        for _ in range(found.record_count):
            record, at = _record(data, at, found)
            yield record
    except (IndexError, ValueError, struct.error) as error:
        raise Damaged(f"records from offset {found.base_offset}: {error}") from error


def batch(
    records: Iterable[tuple[bytes | None, bytes | None]], *, timestamp_ms: int, base_offset: int = 0
) -> bytes:
    """An uncompressed batch of (key, value) pairs, all of one time."""
    made = [
        Record(base_offset + at, timestamp_ms, key, value) for at, (key, value) in enumerate(records)
    ]
    return rebuilt(made, base_offset=base_offset, last_offset=base_offset + len(made) - 1)


def rebuilt(
    records: list[Record],
    *,
    base_offset: int,
    last_offset: int,
    like: Header | None = None,
) -> bytes:
    """An uncompressed batch of ``records`` that stands for all offsets from ``base_offset`` on.

    Producer, epochs and attributes are those of the batch ``like``.
    """
    base_ms = records[0].timestamp_ms if records else 0
    body = b"".join(_packed(each, base_offset, base_ms) for each in records)
    head = header_for(
        body,
        base_offset=base_offset,
        leader_epoch=like.leader_epoch if like else -1,
        attributes=like.attributes & ~CODEC_MASK if like else 0,
        last_offset_delta=last_offset - base_offset,
        base_timestamp_ms=base_ms,
        max_timestamp_ms=max((each.timestamp_ms for each in records), default=base_ms),
        producer_id=like.producer_id if like else NO_PRODUCER,
        producer_epoch=like.producer_epoch if like else -1,
        base_sequence=like.base_sequence if like else NO_SEQUENCE,
        record_count=len(records),
    )
    return head + body


# --- one record ---------------------------------------------------------------------------------------


def _record(data: bytes, at: int, batch: Header) -> tuple[Record, int]:
    length, at = read_varint(data, at)
    end = at + length
    if length < 0 or end > len(data):
        raise ValueError(f"a record of {length} bytes")
    delta_ms, at = read_varint(data, at + 1)
    delta, at = read_varint(data, at)
    key, at = read_sized(data, at)
    value, at = read_sized(data, at)
    headers, at = read_headers(data, at)
    if at != end:
        raise ValueError(f"a record ends at {at}, and should at {end}")
    timestamp_ms = batch.max_timestamp_ms if batch.attributes & 8 else batch.base_timestamp_ms + delta_ms
    return Record(batch.base_offset + delta, timestamp_ms, key, value, headers), end


def _packed(record: Record, base_offset: int, base_ms: int) -> bytes:
    parts = [b"\0", varint(record.timestamp_ms - base_ms), varint(record.offset - base_offset)]
    parts += [sized(record.key), sized(record.value), varint(len(record.headers))]
    for name, value in record.headers:
        parts += [sized(name), sized(value)]
    body = b"".join(parts)
    return varint(len(body)) + body
