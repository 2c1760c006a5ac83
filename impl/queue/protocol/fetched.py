"""The response to Fetch, written by hand: the one that is large and the one that is frequent.

Records go out as the pieces they were read in; everything else is a few bytes between them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from impl.queue.protocol.primitives import count, text

_FIRST_FLEXIBLE = 12
_HEAD = struct.Struct(">ii")
_INT = struct.Struct(">i")
_PARTITION = struct.Struct(">ihqq")
_START = struct.Struct(">q")
_NO_REPLICA = _INT.pack(-1)
_ABORTED: Mapping[tuple[bool, bool], bytes] = MappingProxyType(
    {
        (True, True): b"\1",
        (True, False): b"\0",
        (False, True): _INT.pack(0),
        (False, False): _INT.pack(-1),
    }
)
"""Aborted transactions, by whether the version is flexible and what isolation wants: none, or null."""
_NO_RECORDS = b"\1\0"
"""Records and tags of a partition that has nothing to say, in flexible versions."""
_READ_COMMITTED = 1


class FetchedPartition(NamedTuple):
    """One partition's part. ``diverging``: epoch and end offset, where the fetcher's log differs."""

    number: int
    error_code: int
    high_watermark: int = -1
    log_start_offset: int = -1
    records: bytes | memoryview = b""
    diverging: tuple[int, int] | None = None


Fetched = Sequence[tuple[str | UUID, Sequence[FetchedPartition]]]
"""Topics and their partitions, as asked for: since version 13 by id."""


def response(
    version: int, correlation_id: int, topics: Fetched, *, error_code: int = 0, isolation: int = 0
) -> list[bytes | memoryview]:
    """The pieces of the frame, for versions 4 to 15."""
    flexible = version >= _FIRST_FLEXIBLE
    out = _Pieces()
    if flexible:
        out.add(b"\0")
    out.add(_INT.pack(0))
    if version >= 7:
        out.add(struct.pack(">hi", error_code, 0))
    out.add(count(len(topics), flexible))
    for name, partitions in topics:
        out.add(name.bytes if isinstance(name, UUID) else text(name, flexible))
        out.add(count(len(partitions), flexible))
        for each in partitions:
            _partition(out, each, version, isolation)
        if flexible:
            out.add(b"\0")
    if flexible:
        out.add(b"\0")
    return out.frame(correlation_id)


class _Pieces:
    """Pieces of a frame; small ones are joined, large ones left as they are."""

    def __init__(self) -> None:
        self._pieces: list[bytes | memoryview] = []
        self._small = bytearray(8)
        self._size = 0

    def add(self, data: bytes) -> None:
        self._small += data

    def add_large(self, data: bytes | memoryview) -> None:
        if len(data) < 4096:
            self._small += data
            return
        self._pieces += [bytes(self._small), data]
        self._size += len(self._small) + len(data)
        self._small.clear()

    def frame(self, correlation_id: int) -> list[bytes | memoryview]:
        pieces = [*self._pieces, bytes(self._small)]
        size = self._size + len(self._small)
        pieces[0] = _HEAD.pack(size - 4, correlation_id) + bytes(pieces[0][8:])
        return pieces


def _partition(out: _Pieces, each: FetchedPartition, version: int, isolation: int) -> None:
    number, code, high, start, records, diverging = each
    flexible = version >= _FIRST_FLEXIBLE
    made = _PARTITION.pack(number, code, high, high)
    if version >= 5:
        made += _START.pack(start)
    made += _ABORTED[flexible, isolation == _READ_COMMITTED]
    if version >= 11:
        made += _NO_REPLICA
    if not records and flexible and diverging is None:
        out.add(made + _NO_RECORDS)  # of many partitions most have nothing
        return
    out.add(made + count(len(records), flexible))
    out.add_large(records)
    if flexible:
        out.add(_tags(diverging))


def _tags(diverging: tuple[int, int] | None) -> bytes:
    if diverging is None:
        return b"\0"
    body = struct.pack(">iqx", *diverging)
    return b"\1\0" + bytes((len(body),)) + body
