"""Columns of whole numbers as few bytes: differences, zigzag, byte planes, gzip, base64.

The page takes them apart again in ``assets/columns.js``. A plane holds one byte of every number; the
upper planes are nearly constant, which is what makes them small, and both sides need only array work.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]

MAX_BITS = 53
"""The page calculates with doubles, which are exact up to here."""
_GZIP_LEVEL = 6


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Numbers under a name; with ``delta`` the differences between neighbours are kept."""

    name: str
    values: Ints
    delta: bool = False


def packed(header: Mapping[str, Any], columns: Iterable[Column], tail: bytes = b"") -> str:
    """Everything in one base64 text: a line of JSON, the planes of each column, then ``tail``.

    The line of JSON is ``header`` with ``columns``, the name, number, width in bytes and kind of each.
    Raises ValueError for a number of more than ``MAX_BITS``, the sign included.
    """
    described, planes = [], []
    for column in columns:
        plane, width = _planes(column)
        planes.append(plane)
        described.append([column.name, len(column.values), width, int(column.delta)])
    head = orjson.dumps({**header, "columns": described}, option=orjson.OPT_APPEND_NEWLINE)
    raw = b"".join((head, *planes, tail))
    return base64.b64encode(gzip.compress(raw, _GZIP_LEVEL, mtime=0)).decode("ascii")


def _planes(column: Column) -> tuple[bytes, int]:
    values = np.asarray(column.values, dtype=np.int64)
    if column.delta:
        values = np.diff(values, prepend=np.int64(0))
    zigzag = ((values << 1) ^ (values >> 63)).astype("<u8")
    bits = int(zigzag.max(initial=0)).bit_length()
    if bits > MAX_BITS:
        raise ValueError(f"column {column.name!r} holds numbers of {bits} bits; a page takes {MAX_BITS}")
    width = max((bits + 7) // 8, 1)
    octets = zigzag.view(np.uint8).reshape(len(values), 8)
    return octets[:, :width].T.tobytes(), width
