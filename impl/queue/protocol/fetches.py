"""The answer to Fetch as a consumer reads it, by hand: it is the large one, and the frequent one.

Batches stay where they are in the frame. Of what a consumer has no use for, such as aborted
transactions, it is only found out where it ends.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from impl.queue.protocol.errors import Code, Malformed

_FIRST_FLEXIBLE = 12
_BY_ID_SINCE = 13
_INT, _SHORT = struct.Struct(">i"), struct.Struct(">h")
_PARTITION = struct.Struct(">ihqq")
_START = struct.Struct(">q")
_ABORTED_BYTES = 16
_CODES: Mapping[int, Code] = MappingProxyType({each.value: each for each in Code})


class FetchedPart(NamedTuple):
    """One partition's part; its batches are ``data[at:end]``. A log start of -1 is not known."""

    topic: str
    partition: int
    error_code: Code
    high_watermark: int
    log_start_offset: int
    data: bytes
    at: int
    end: int


def parts(version: int, data: bytes, at: int, end: int) -> list[FetchedPart]:
    """What an answer in version 4 to 12 says, from behind the correlation id on. Raises Malformed."""
    assert version < _BY_ID_SINCE
    reader = _Reader(data, at, end, version)
    try:
        found = reader.answer()
    except (struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise Malformed(f"the answer to FETCH in version {version}: {error!r}") from error
    if reader.at > end:
        raise Malformed(f"the answer to FETCH in version {version} is cut off")
    return found


class _Reader:
    """Where reading stands, and how this version writes counts and ends of structures."""

    def __init__(self, data: bytes, at: int, end: int, version: int) -> None:
        self.at = at
        self._data = data
        self._end = end
        self._version = version
        self._flexible = version >= _FIRST_FLEXIBLE

    def answer(self) -> list[FetchedPart]:
        self._tags()
        self._skip(4 if self._version < 7 else 10)  # throttle time; error code and session id
        found: list[FetchedPart] = []
        for _ in range(self._count()):
            name = self._text()
            for _ in range(self._count()):
                found.append(self._part(name))
            self._tags()
        self._tags()
        return found

    def _part(self, topic: str) -> FetchedPart:
        number, code, high, _ = _PARTITION.unpack_from(self._data, self.at)
        self.at += _PARTITION.size
        start = -1
        if self._version >= 5:
            (start,) = _START.unpack_from(self._data, self.at)
            self.at += _START.size
        for _ in range(max(self._count(), 0)):
            self._skip(_ABORTED_BYTES)
            self._tags()
        if self._version >= 11:
            self._skip(4)  # preferred read replica
        size = max(self._count(), 0)
        begin = self.at
        self._skip(size)
        self._tags()
        return FetchedPart(topic, number, _CODES[code], high, start, self._data, begin, begin + size)

    def _skip(self, size: int) -> None:
        self.at += size
        if self.at > self._end:
            raise IndexError(f"{self.at - self._end} bytes are missing")

    def _count(self) -> int:
        """A number of elements or bytes; -1 for null."""
        if self._flexible:
            return self._uvarint() - 1
        (count,) = _INT.unpack_from(self._data, self.at)
        self.at += _INT.size
        return int(count)

    def _text(self) -> str:
        if self._flexible:
            size = self._uvarint() - 1
        else:
            (size,) = _SHORT.unpack_from(self._data, self.at)
            self.at += _SHORT.size
        begin = self.at
        self._skip(size)
        return self._data[begin : self.at].decode()

    def _tags(self) -> None:
        """Tagged fields: none of them says anything that is needed."""
        if not self._flexible:
            return
        for _ in range(self._uvarint()):
            self._uvarint()
            self._skip(self._uvarint())

    def _uvarint(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
