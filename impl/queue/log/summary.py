"""The summary of a segment that is complete: its indexes, and the state of the log at its end.

It is written once the segment is fsynced, so that a segment with a valid summary is neither read nor
checked again at a start. Anything wrong with it only costs a scan.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from crc32c import crc32c

_HEAD = struct.Struct(">II")


@dataclass(frozen=True, slots=True)
class Summary:
    """``facts`` are plain values; ``index`` holds the segment's index, three columns in one array."""

    facts: Mapping[str, Any]
    index: array[int]


def encode(summary: Summary) -> bytes:
    """The bytes of the file."""
    facts = orjson.dumps(dict(summary.facts))
    body = facts + summary.index.tobytes()
    return _HEAD.pack(crc32c(body), len(facts)) + body


def decode(data: bytes) -> Summary | None:
    """What ``encode`` was given; None if the bytes are damaged."""
    if len(data) < _HEAD.size:
        return None
    checksum, length = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if crc32c(body) != checksum or (len(body) - length) % 24:
        return None
    index = array("q")
    index.frombytes(body[length:])
    return Summary(orjson.loads(body[:length]), index)
