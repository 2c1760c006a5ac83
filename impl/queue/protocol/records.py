"""Records inside batches: read for compaction and the offsets topic, written for internal topics.

Clients' records pass the broker unread; this is for the few that it has to understand. Layout: Kafka's
message format, magic 2, with zigzag varints.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from crc32c import crc32c

from impl.queue.protocol import compression
from impl.queue.protocol.batches import (
    HEADER,
    HEADER_BYTES,
    NO_PRODUCER,
    NO_SEQUENCE,
    OVERHEAD,
    Damaged,
    Header,
    header,
)

_COVERED_AT, _CRC_AT = 21, 17


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
    out = bytearray(HEADER_BYTES) + body
    HEADER.pack_into(
        out,
        0,
        base_offset,
        len(out) - OVERHEAD,
        like.leader_epoch if like else -1,
        2,
        0,
        like.attributes & ~7 if like else 0,
        last_offset - base_offset,
        base_ms,
        max((each.timestamp_ms for each in records), default=base_ms),
        like.producer_id if like else NO_PRODUCER,
        like.producer_epoch if like else -1,
        like.base_sequence if like else NO_SEQUENCE,
        len(records),
    )
    struct.pack_into(">I", out, _CRC_AT, crc32c(memoryview(out)[_COVERED_AT:]))
    return bytes(out)


# --- one record ---------------------------------------------------------------------------------------


def _record(data: bytes, at: int, batch: Header) -> tuple[Record, int]:
    length, at = _varint(data, at)
    end = at + length
    if length < 0 or end > len(data):
        raise ValueError(f"a record of {length} bytes")
    delta_ms, at = _varint(data, at + 1)
    delta, at = _varint(data, at)
    key, at = _bytes(data, at)
    value, at = _bytes(data, at)
    headers, at = _headers(data, at)
    if at != end:
        raise ValueError(f"a record ends at {at}, and should at {end}")
    timestamp_ms = batch.max_timestamp_ms if batch.attributes & 8 else batch.base_timestamp_ms + delta_ms
    return Record(batch.base_offset + delta, timestamp_ms, key, value, headers), end


def _headers(data: bytes, at: int) -> tuple[tuple[tuple[bytes, bytes | None], ...], int]:
    count, at = _varint(data, at)
    if not 0 <= count <= len(data):
        raise ValueError(f"{count} headers")
    headers = []
    for _ in range(count):
        name, at = _bytes(data, at)
        value, at = _bytes(data, at)
        headers.append((name or b"", value))
    return tuple(headers), at


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at)
    if length < 0:
        return None, at
    if at + length > len(data):
        raise ValueError(f"a field of {length} bytes")
    return data[at : at + length], at + length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value >> 1 ^ -(value & 1), at
        shift += 7
        if shift > 63:
            raise ValueError("a varint of more than ten bytes")


def _packed(record: Record, base_offset: int, base_ms: int) -> bytes:
    parts = [b"\0", _zigzag(record.timestamp_ms - base_ms), _zigzag(record.offset - base_offset)]
    parts += [_sized(record.key), _sized(record.value), _zigzag(len(record.headers))]
    for name, value in record.headers:
        parts += [_sized(name), _sized(value)]
    body = b"".join(parts)
    return _zigzag(len(body)) + body


def _sized(value: bytes | None) -> bytes:
    return _zigzag(-1) if value is None else _zigzag(len(value)) + value


def _zigzag(value: int) -> bytes:
    rest = value << 1 ^ value >> 63
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)
