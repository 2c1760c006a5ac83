"""Records into a batch as a producer makes it: appended one by one, packed and numbered at the end.

Layout: Kafka's message format, magic 2. The parts of all records are kept and joined once; varints of
small numbers are looked up.
"""

from __future__ import annotations

from collections.abc import Iterable

from impl.queue.protocol import compression
from impl.queue.protocol.batches import NO_PRODUCER, NO_SEQUENCE, header_for
from impl.queue.protocol.primitives import NULL, sized, varint

Headers = Iterable[tuple[bytes, bytes | None]]

RECORD_OVERHEAD = 26
"""The most bytes that a record without headers has beside its key and value."""
_HEADER_OVERHEAD = 10


_KNOWN = 1 << 13
_VARINTS = tuple(map(varint, range(_KNOWN)))


def headers_bytes(headers: Headers) -> int:
    """The most bytes that these headers take."""
    return sum(len(name) + len(value or b"") + _HEADER_OVERHEAD for name, value in headers)


class Encoder:
    """One batch in the making. ``size`` is that of its records so far; times are in ms since 1970."""

    __slots__ = ("_parts", "base_ms", "count", "max_ms", "size")

    def __init__(self, base_ms: int) -> None:
        self.base_ms = base_ms
        self.max_ms = base_ms
        self.count = 0
        self.size = 0
        self._parts: list[bytes] = []

    def append(
        self, key: bytes | None, value: bytes | None, timestamp_ms: int, headers: Headers = ()
    ) -> int:
        """Add a record; the number it has within the batch."""
        number = self.count
        known, varints = _KNOWN, _VARINTS
        delta_ms = timestamp_ms - self.base_ms
        if timestamp_ms > self.max_ms:
            self.max_ms = timestamp_ms
        time = varints[delta_ms] if 0 <= delta_ms < known else varint(delta_ms)
        delta = varints[number] if number < known else varint(number)
        if key is None:
            key_head, key = NULL, b""
        else:
            length = len(key)
            key_head = varints[length] if length < known else varint(length)
        if value is None:
            value_head, value = NULL, b""
        else:
            length = len(value)
            value_head = varints[length] if length < known else varint(length)
        tail = _packed(headers) if headers else b"\0"
        size = len(time) + len(delta) + len(key_head) + len(key) + len(value_head) + len(value)
        size += 1 + len(tail)
        head = varints[size] if size < known else varint(size)
        self._parts += (head, b"\0", time, delta, key_head, key, value_head, value, tail)
        self.size += size + len(head)
        self.count = number + 1
        return number

    def packed(self, codec: str) -> bytes:
        """All records, compressed; nothing can be appended any more."""
        body = b"".join(self._parts)
        self._parts = []
        return body if codec == "none" else compression.pack(codec, body)


def head(
    encoder: Encoder,
    body: bytes,
    codec: str,
    *,
    producer_id: int = NO_PRODUCER,
    producer_epoch: int = -1,
    base_sequence: int = NO_SEQUENCE,
) -> bytes:
    """The header of the batch that ``encoder`` made and packed into ``body``."""
    return header_for(
        body,
        attributes=compression.NUMBERS[codec],
        last_offset_delta=encoder.count - 1,
        base_timestamp_ms=encoder.base_ms,
        max_timestamp_ms=encoder.max_ms,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        record_count=encoder.count,
    )


def _packed(headers: Headers) -> bytes:
    made = [(sized(name), sized(value)) for name, value in headers]
    return varint(len(made)) + b"".join(name + value for name, value in made)
