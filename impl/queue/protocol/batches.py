"""Record batches of magic 2 as opaque bytes: only the 61 bytes of their header are looked at.

``base_offset`` and ``partition_leader_epoch`` lie outside what the CRC-32C covers (bytes 21 to the
end), so that a broker sets them without touching the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from crc32c import crc32c

HEADER = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES = HEADER.size
OVERHEAD = 12
"""Bytes of a batch that its length field doesn't count."""

_LOCATION = struct.Struct(">qi")
_EPOCH_AT, _MAGIC_AT = 12, 16
_CRC_AT = 17
COVERED_AT = 21
"""From where on a batch's CRC-32C covers it."""
_CRC = struct.Struct(">I")
_PLACE = struct.Struct(">qii")
_TIMES = struct.Struct(">hiqq")
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
CODEC_MASK, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 7, 8, 16, 32
_MAGIC = 2
NO_PRODUCER = -1
NO_SEQUENCE = -1


class Damaged(Exception):
    """Bytes that are no whole, valid batch; ``code`` of Kafka's error is in the caller's hand."""


class BadMagic(Damaged):
    """A batch of another format than magic 2."""


class Header(NamedTuple):
    """A batch's header; times in ms since 1970."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return self.length + OVERHEAD

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def codec(self) -> int:
        """Index into CODECS; beyond it for a codec that doesn't exist."""
        return self.attributes & CODEC_MASK

    @property
    def transactional(self) -> bool:
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def control(self) -> bool:
        return bool(self.attributes & _CONTROL)

    @property
    def last_sequence(self) -> int:
        """Sequences run over to 0 after 2**31 - 1."""
        return (self.base_sequence + self.last_offset_delta) & 0x7FFFFFFF


def header(data: bytes | memoryview, at: int = 0) -> Header:
    """The header of the batch at ``at``. Raises struct.error if there are fewer than 61 bytes."""
    return Header._make(HEADER.unpack_from(data, at))


def header_for(
    body: bytes,
    *,
    last_offset_delta: int,
    base_timestamp_ms: int,
    max_timestamp_ms: int,
    record_count: int,
    attributes: int = 0,
    base_offset: int = 0,
    leader_epoch: int = -1,
    producer_id: int = NO_PRODUCER,
    producer_epoch: int = -1,
    base_sequence: int = NO_SEQUENCE,
) -> bytes:
    """The bytes of the header for records packed into ``body``; length and CRC-32C are made here."""
    out = bytearray(HEADER_BYTES)
    HEADER.pack_into(
        out,
        0,
        base_offset,
        HEADER_BYTES - OVERHEAD + len(body),
        leader_epoch,
        _MAGIC,
        0,
        attributes,
        last_offset_delta,
        base_timestamp_ms,
        max_timestamp_ms,
        producer_id,
        producer_epoch,
        base_sequence,
        record_count,
    )
    _CRC.pack_into(out, _CRC_AT, crc32c(body, crc32c(memoryview(out)[COVERED_AT:])))
    return bytes(out)


def check(data: bytes) -> Header:
    """The header of the one batch that ``data`` is. Raises Damaged, or BadMagic, with what is wrong."""
    if len(data) < HEADER_BYTES:
        raise Damaged(f"{len(data)} bytes are too few for a batch")
    if data[_MAGIC_AT] != _MAGIC:
        raise BadMagic(f"magic is {data[_MAGIC_AT]}, only {_MAGIC} is taken")
    found = header(data)
    if found.size != len(data):
        raise Damaged(f"the batch says it has {found.size} bytes, and {len(data)} came")
    if crc32c(memoryview(data)[COVERED_AT:]) != found.crc:
        raise Damaged("the CRC-32C is wrong")
    if found.record_count < 1 or found.last_offset_delta != found.record_count - 1:
        raise Damaged(
            f"{found.record_count} records with a last offset delta of {found.last_offset_delta}"
        )
    return found


def intact(data: bytes | memoryview, found: Header, at: int = 0) -> bool:
    """Whether the batch at ``at`` is there in full and its CRC right."""
    end = at + found.size
    return (
        found.magic == _MAGIC
        and found.size >= HEADER_BYTES
        and end <= len(data)
        and found.last_offset_delta >= 0
        and crc32c(memoryview(data)[at + COVERED_AT : end]) == found.crc
    )


def placed(data: bytes, base_offset: int, leader_epoch: int) -> bytes:
    """The batch ``data`` with its place in the log."""
    place = _PLACE.pack(base_offset, len(data) - OVERHEAD, leader_epoch)
    return b"".join((place, memoryview(data)[_MAGIC_AT:]))


def stamped(data: bytes, now_ms: int) -> bytes:
    """The batch ``data`` with the broker's time in place of its records' own (LogAppendTime)."""
    out = bytearray(data)
    attributes, delta, base_ms, _ = _TIMES.unpack_from(data, COVERED_AT)
    _TIMES.pack_into(out, COVERED_AT, attributes | _LOG_APPEND_TIME, delta, base_ms, now_ms)
    _CRC.pack_into(out, _CRC_AT, crc32c(memoryview(out)[COVERED_AT:]))
    return bytes(out)


def walk(data: bytes | memoryview, at: int = 0, end: int | None = None) -> Iterator[tuple[int, Header]]:
    """Position and header of each batch in ``data[at:end]`` that is there in full; unchecked."""
    end = len(data) if end is None else end
    while at + HEADER_BYTES <= end:
        found = header(data, at)
        size = found.size
        if size < HEADER_BYTES or at + size > end:
            return
        yield at, found
        at += size


def whole(data: bytes | memoryview, at: int, before_offset: int) -> int:
    """Where the batches from position ``at`` on end that are whole and begin before an offset."""
    end = len(data)
    while at + OVERHEAD <= end:
        base_offset, length = _LOCATION.unpack_from(data, at)
        if base_offset >= before_offset or length < 0 or at + OVERHEAD + length > end:
            break
        at += OVERHEAD + length
    return at
