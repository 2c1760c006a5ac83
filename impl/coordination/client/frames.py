"""Frames of the protocol: a length of four bytes, and that many bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.records import REQUEST_HEADER, RequestHeader

MAX_FRAME_BYTES = 0xFFFFF
_LENGTH = struct.Struct(">i")


def frame(*pieces: bytes) -> bytes:
    """``pieces`` as one frame."""
    body = b"".join(pieces)
    return _LENGTH.pack(len(body)) + body


def request(xid: int, op: int, record: bytes) -> bytes:
    """The frame of a request."""
    return frame(REQUEST_HEADER.encode(RequestHeader(xid, op)), record)


class Frames:
    """Cuts a stream of bytes into frames."""

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit_bytes: int) -> None:
        self._buffer = bytearray()
        self._limit = limit_bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are complete with ``data``; those not taken are given next time.

        Raises Malformed for a forbidden length.
        """
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while len(buffer) - at >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(buffer, at)
                if not 0 <= length <= self._limit:
                    raise Malformed(f"the server announces a frame of {length} bytes")
                end = at + _LENGTH.size + length
                if end > len(buffer):
                    return
                body = bytes(buffer[at + _LENGTH.size : end])
                at = end
                yield body
        finally:
            del buffer[:at]
