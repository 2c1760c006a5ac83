"""Records out of fetched batches, as a consumer hands them out.

Written for speed: one pass, no call per field; batches are unpacked one at a time, when they are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from crc32c import crc32c

from impl.queue.protocol import batches, compression
from impl.queue.protocol.batches import COVERED_AT, HEADER_BYTES, BadMagic, Damaged, Header
from impl.queue.protocol.primitives import read_headers, read_uvarint

_LOG_APPEND_TIME = 8


class Record(NamedTuple):
    """A record that was read. ``headers`` are pairs of name and value; ``leader_epoch`` is the one in
    which it was appended, -1 if unknown."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: Any
    value: Any
    headers: tuple[tuple[bytes, bytes | None], ...]
    leader_epoch: int


class Fetched(NamedTuple):
    """A whole batch of a fetch: its header, and its place in ``data``."""

    header: Header
    data: bytes
    at: int


def whole(data: bytes, at: int, end: int) -> Iterator[Fetched]:
    """The batches of ``data[at:end]``; a last one that is cut off is left out. Raises BadMagic."""
    for place, header in batches.walk(data, at, end):
        if header.magic != 2:
            raise BadMagic(f"a batch of magic {header.magic} at offset {header.base_offset}")
        yield Fetched(header, data, place)


def records(
    topic: str, partition: int, batch: Fetched, *, from_offset: int = 0, check_crc: bool = True
) -> list[Record]:
    """The records of ``batch`` from ``from_offset`` on. Raises Damaged if they can't be read."""
    header, data, at = batch
    if check_crc and crc32c(memoryview(data)[at + COVERED_AT : at + header.size]) != header.crc:
        raise Damaged(f"the CRC-32C of the batch at offset {header.base_offset} is wrong")
    start, end = at + HEADER_BYTES, at + header.size
    try:
        if header.codec:
            data = compression.unpack(header.codec, memoryview(data)[start:end])
            start, end = 0, len(data)
        found = _records(topic, partition, header, data, start, end)
    except (IndexError, ValueError) as error:
        raise Damaged(f"records from offset {header.base_offset}: {error}") from error
    if found and found[0].offset < from_offset:
        return [each for each in found if each.offset >= from_offset]
    return found


def _records(topic: str, partition: int, header: Header, data: bytes, at: int, end: int) -> list[Record]:
    """Long, and without calls for what is common: this is where a consumer spends its time."""
    base_offset, base_ms = header.base_offset, header.base_timestamp_ms
    epoch, fixed_ms = header.leader_epoch, header.max_timestamp_ms
    stamped = header.attributes & _LOG_APPEND_TIME
    make = tuple.__new__
    found: list[Record] = []
    append = found.append
    for _ in range(header.record_count):
        size = data[at]
        if size <= 0x7F:
            at += 1
        elif (more := data[at + 1]) <= 0x7F:  # two bytes are common enough not to be called for
            size = size & 0x7F | more << 7
            at += 2
        else:
            size, at = read_uvarint(data, at)
        stop = at + (size >> 1)
        if size & 1 or stop > end:
            raise ValueError(f"a record of {size >> 1} bytes, and {end - at} are left")
        delta_ms = data[at + 1]
        at += 2
        if delta_ms > 0x7F:
            delta_ms, at = read_uvarint(data, at - 1)
        delta = data[at]
        if delta <= 0x7F:
            at += 1
        elif (more := data[at + 1]) <= 0x7F:
            delta = delta & 0x7F | more << 7
            at += 2
        else:
            delta, at = read_uvarint(data, at)
        length = data[at]
        at += 1
        key = None
        if length != 1:
            if length > 0x7F:
                length, at = read_uvarint(data, at - 1)
            if not length & 1:
                start = at
                at += length >> 1
                key = data[start:at]
        length = data[at]
        if length <= 0x7F:
            at += 1
        elif (more := data[at + 1]) <= 0x7F:
            length = length & 0x7F | more << 7
            at += 2
        else:
            length, at = read_uvarint(data, at)
        value = None
        if not length & 1:
            start = at
            at += length >> 1
            value = data[start:at]
        headers: tuple[tuple[bytes, bytes | None], ...] = ()
        if data[at]:
            headers, at = read_headers(data, at)
        else:
            at += 1
        if at != stop:
            raise ValueError(f"a record ends at {at}, and should at {stop}")
        timestamp_ms = fixed_ms if stamped else base_ms + (delta_ms >> 1 ^ -(delta_ms & 1))
        offset = base_offset + (delta >> 1)
        append(make(Record, (topic, partition, offset, timestamp_ms, key, value, headers, epoch)))
    return found
