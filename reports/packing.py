"""Columns of whole numbers as few bytes: differences, zigzag, byte planes, deflate, base64.

The page takes them apart again in ``assets/columns.js``. A plane holds one byte of every number; the
upper planes are nearly constant, which is what makes them small, and both sides need only array work.
Each plane is deflated in the way that suits it; the pieces follow each other in one stream, as none of
them refers to what is before it.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Octets: TypeAlias = NDArray[np.uint8]

MAX_BITS = 53
"""The page calculates with doubles, which are exact up to here."""
ZIGZAG, DIFFERENCES, OCTETS = 0, 1, 2
"""What a column's bytes are: numbers in zigzag, their differences in zigzag, or numbers below 256."""
_LEVEL = 6
_RAW = -zlib.MAX_WBITS
_NOTHING_MORE = b"\x03\x00"
"""The last block of a stream of RFC 1951, an empty one."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Numbers under a name."""

    name: str
    values: Ints


def packed(header: Mapping[str, Any], columns: Iterable[Column], tail: bytes = b"") -> str:
    """Everything in one base64 text: a line of JSON, the planes of each column, then ``tail``.

    The line of JSON is ``header`` with ``columns``: of each its name, how many numbers it has, their
    width in bytes, and what the bytes are: ZIGZAG, DIFFERENCES or OCTETS. Raises ValueError for a number
    of more than ``MAX_BITS``, the sign included.
    """
    described: list[tuple[str, int, int, int]] = []
    pieces: list[bytes] = []
    for column in columns:
        planes, kind = _coded(column)
        described.append((column.name, len(column.values), len(planes), kind))
        pieces += [plane.tobytes() for plane in planes]
    head = orjson.dumps({**header, "columns": described}, option=orjson.OPT_APPEND_NEWLINE)
    stream = b"".join(_deflated(piece) for piece in (head, *pieces, tail)) + _NOTHING_MORE
    return base64.b64encode(stream).decode("ascii")


def _coded(column: Column) -> tuple[list[Octets], int]:
    """The planes of the numbers, or of their differences if those promise to take less.

    Codes of few things, as outcomes or nodes are, stay as they are: the page need not unpack them.
    """
    values = np.asarray(column.values, dtype=np.int64)
    if int(values.min(initial=0)) >= 0 and int(values.max(initial=0)) < 1 << 8:
        return [values.astype(np.uint8)], OCTETS
    plain = _planes(column.name, values)
    differences = _planes(column.name, np.diff(values, prepend=np.int64(0)))
    delta = _entropy(differences) < _entropy(plain)
    return (differences, DIFFERENCES) if delta else (plain, ZIGZAG)


def _planes(name: str, values: Ints) -> list[Octets]:
    zigzag = ((values << 1) ^ (values >> 63)).astype("<u8")
    bits = int(zigzag.max(initial=0)).bit_length()
    if bits > MAX_BITS:
        raise ValueError(f"column {name!r} holds numbers of {bits} bits; a page takes {MAX_BITS}")
    octets = zigzag.view(np.uint8).reshape(len(values), 8)
    return [np.ascontiguousarray(octets[:, place]) for place in range(max((bits + 7) // 8, 1))]


def _entropy(planes: list[Octets]) -> float:
    """In bits: what a coder needs that sees one byte at a time."""
    return sum(map(_entropy_of_one, planes))


def _entropy_of_one(plane: Octets) -> float:
    counts = np.bincount(plane, minlength=1).astype(np.float64)
    counts = counts[counts > 0]
    return float(-(counts * np.log2(counts / max(len(plane), 1))).sum())


def _deflated(piece: bytes) -> bytes:
    """One piece, to be followed by others; noise takes less without a search for repetitions."""
    return min(_deflate(piece, zlib.Z_DEFAULT_STRATEGY), _deflate(piece, zlib.Z_HUFFMAN_ONLY), key=len)


def _deflate(piece: bytes, strategy: int) -> bytes:
    coder = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, 9, strategy)
    return coder.compress(piece) + coder.flush(zlib.Z_FULL_FLUSH)
