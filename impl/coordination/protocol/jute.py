"""Jute, ZooKeeper's serialisation: a layout is declared once, its reader and its writer are derived.

A record is a ``NamedTuple`` whose fields are annotated with the types below, in the order in which
they travel. Numbers are big-endian; a text, a buffer or a vector has its length in front of it, -1 for
null. A null text is read as the empty one and a null vector as ``()``; a null buffer stays ``None``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import (
    Annotated,
    Any,
    Generic,
    NamedTuple,
    TypeAlias,
    TypeVar,
    cast,
    get_args,
    get_type_hints,
)

T = TypeVar("T")
R = TypeVar("R", bound=NamedTuple)

Bool: TypeAlias = Annotated[bool, "?"]
Byte: TypeAlias = Annotated[int, "b"]
Int: TypeAlias = Annotated[int, "i"]
Long: TypeAlias = Annotated[int, "q"]
Text: TypeAlias = Annotated[str, "text"]
Buffer: TypeAlias = Annotated[bytes | None, "buffer"]
Vector: TypeAlias = Annotated[tuple[T, ...], "vector"]

Reader: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
Writer: TypeAlias = Callable[[Any, list[bytes]], None]

_INT = struct.Struct(">i")
_NULL = _INT.pack(-1)
_FIXED = ("?", "b", "i", "q")


class Malformed(ValueError):
    """The bytes are not what their layout says."""


class Codec(Generic[R]):
    """Reads and writes records of one class.

    ``read(buffer, offset)`` gives the record and the offset behind it; ``write(record, pieces)`` appends
    the bytes to a list. Reading raises Malformed.
    """

    __slots__ = ("_read", "write")

    def __init__(self, record: type[R]) -> None:
        self._read, self.write = _record(record)

    def read(self, buffer: bytes, offset: int = 0) -> tuple[R, int]:
        """The record at ``offset``, and where it ends."""
        try:
            return cast(tuple[R, int], self._read(buffer, offset))
        except (struct.error, UnicodeDecodeError) as error:
            raise Malformed(f"{len(buffer)} bytes end or break within the record: {error}") from None

    def decode(self, buffer: bytes) -> R:
        """The record at the start of ``buffer``; what is behind it is ignored."""
        return self.read(buffer)[0]

    def encode(self, record: R) -> bytes:
        """The record's bytes."""
        pieces: list[bytes] = []
        self.write(record, pieces)
        return b"".join(pieces)


def _record(record: type[Any]) -> tuple[Reader, Writer]:
    hints = get_type_hints(record, include_extras=True)
    types = [hints[name] for name in record._fields]
    if all(_code(each) in _FIXED for each in types):
        return _fixed_record(record, struct.Struct(">" + "".join(map(_code, types))))
    return _mixed_record(record, _steps(types))


def _fixed_record(record: type[Any], layout: struct.Struct) -> tuple[Reader, Writer]:
    size, unpack, pack, make = layout.size, layout.unpack_from, layout.pack, record._make

    def read(buffer: bytes, offset: int) -> tuple[Any, int]:
        return make(unpack(buffer, offset)), offset + size

    def write(value: Any, pieces: list[bytes]) -> None:
        pieces.append(pack(*value))

    return read, write


class _Step(NamedTuple):
    """Fields ``first`` to ``last``, exclusive: all of a fixed size, or a single one that is not."""

    first: int
    last: int
    fixed: struct.Struct | None
    read: Reader
    write: Writer


def _mixed_record(record: type[Any], steps: Sequence[_Step]) -> tuple[Reader, Writer]:
    make = record._make
    reading = tuple((step.fixed, step.fixed.size if step.fixed else 0, step.read) for step in steps)

    def read(buffer: bytes, offset: int) -> tuple[Any, int]:
        values: list[Any] = []
        for fixed, size, read_one in reading:
            if fixed is not None:
                values += fixed.unpack_from(buffer, offset)
                offset += size
            else:
                value, offset = read_one(buffer, offset)
                values.append(value)
        return make(values), offset

    def write(value: Any, pieces: list[bytes]) -> None:
        for first, last, fixed, _, write_one in steps:
            if fixed is not None:
                pieces.append(fixed.pack(*value[first:last]))
            else:
                write_one(value[first], pieces)

    return read, write


def _steps(types: Sequence[Any]) -> list[_Step]:
    steps: list[_Step] = []
    at = 0
    while at < len(types):
        run = at
        while run < len(types) and _code(types[run]) in _FIXED:
            run += 1
        if run > at:
            fixed = struct.Struct(">" + "".join(map(_code, types[at:run])))
            steps.append(_Step(at, run, fixed, read_text, write_text))
            at = run
        else:
            steps.append(_Step(at, at + 1, None, *_variable(types[at])))
            at += 1
    return steps


def _code(annotation: Any) -> str:
    metadata = getattr(annotation, "__metadata__", ())
    return str(metadata[0]) if metadata else "record"


def _variable(annotation: Any) -> tuple[Reader, Writer]:
    match _code(annotation):
        case "text":
            return read_text, write_text
        case "buffer":
            return read_buffer, write_buffer
        case "vector":
            return _vector(get_args(get_args(annotation)[0])[0])
        case "record":
            return _record(annotation)
        case fixed:
            return _single(struct.Struct(">" + fixed))


def _single(layout: struct.Struct) -> tuple[Reader, Writer]:
    def read(buffer: bytes, offset: int) -> tuple[Any, int]:
        return layout.unpack_from(buffer, offset)[0], offset + layout.size

    def write(value: Any, pieces: list[bytes]) -> None:
        pieces.append(layout.pack(value))

    return read, write


def _vector(element: Any) -> tuple[Reader, Writer]:
    read_one, write_one = _variable(element)

    def read(buffer: bytes, offset: int) -> tuple[Any, int]:
        count = _INT.unpack_from(buffer, offset)[0]
        offset += 4
        if count > len(buffer) - offset:
            raise Malformed(f"a vector of {count} elements does not fit into its frame")
        values = []
        for _ in range(count):
            value, offset = read_one(buffer, offset)
            values.append(value)
        return tuple(values), offset

    def write(values: Any, pieces: list[bytes]) -> None:
        pieces.append(_INT.pack(len(values)))
        for value in values:
            write_one(value, pieces)

    return read, write


def read_text(buffer: bytes, offset: int) -> tuple[str, int]:
    """A text and the offset behind it; null is ``""``."""
    raw, offset = read_buffer(buffer, offset)
    return ("" if raw is None else raw.decode()), offset


def read_buffer(buffer: bytes, offset: int) -> tuple[bytes | None, int]:
    """A buffer, or None, and the offset behind it. Raises Malformed, and struct.error at the end."""
    length = _INT.unpack_from(buffer, offset)[0]
    offset += 4
    if length < 0:
        return None, offset
    end = offset + length
    if end > len(buffer):
        raise Malformed(f"{length} bytes are announced and {len(buffer) - offset} are there")
    return buffer[offset:end], end


def write_text(value: str, pieces: list[bytes]) -> None:
    """Append a text."""
    raw = value.encode()
    pieces += (_INT.pack(len(raw)), raw)


def write_buffer(value: bytes | None, pieces: list[bytes]) -> None:
    """Append a buffer, or null."""
    pieces += (_NULL,) if value is None else (_INT.pack(len(value)), value)
