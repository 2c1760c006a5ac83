"""Kafka's primitive types for what is read and written by hand: varints, counts, texts, headers.

Everything else is kio's. Source: Kafka's protocol guide, "Protocol Primitive Types"; varints are those
of Protocol Buffers. Readers take the data and a place, and give the value and where it ends; they raise
IndexError or ValueError where there is none.
"""

from __future__ import annotations

import struct

_INT = struct.Struct(">i")
_SHORT = struct.Struct(">h")
_LONGEST_SHIFT = 63
NULL = b"\1"
"""The length of what is null, -1, as a zigzag varint."""


def uvarint(value: int) -> bytes:
    """An unsigned varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint(value: int) -> bytes:
    """The zigzag varint of ``value``, which fits 64 bits."""
    return uvarint(value << 1 ^ value >> 63)


def sized(value: bytes | None) -> bytes:
    """A field of a record: its length as a zigzag varint, and itself."""
    return NULL if value is None else varint(len(value)) + value


def count(number: int, flexible: bool) -> bytes:
    """The length of an array or of bytes; compact in flexible versions."""
    return uvarint(number + 1) if flexible else _INT.pack(number)


def text(value: str, flexible: bool) -> bytes:
    """A string that is not null; compact in flexible versions."""
    raw = value.encode()
    return (uvarint(len(raw) + 1) if flexible else _SHORT.pack(len(raw))) + raw


def read_uvarint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned varint, or a zigzag one that is not yet undone."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > _LONGEST_SHIFT:
            raise ValueError("a varint of more than ten bytes")


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint."""
    raw, at = read_uvarint(data, at)
    return raw >> 1 ^ -(raw & 1), at


def read_sized(data: bytes, at: int) -> tuple[bytes | None, int]:
    """A field of a record."""
    length, at = read_varint(data, at)
    if length < 0:
        return None, at
    if at + length > len(data):
        raise ValueError(f"a field of {length} bytes")
    return data[at : at + length], at + length


def read_headers(data: bytes, at: int) -> tuple[tuple[tuple[bytes, bytes | None], ...], int]:
    """The headers of a record: pairs of name and value."""
    number, at = read_varint(data, at)
    if not 0 <= number <= len(data):
        raise ValueError(f"{number} headers")
    headers = []
    for _ in range(number):
        name, at = read_sized(data, at)
        value, at = read_sized(data, at)
        headers.append((name or b"", value))
    return tuple(headers), at
