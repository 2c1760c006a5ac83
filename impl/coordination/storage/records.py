"""How transactions lie in a log file, and how a torn tail is told from damage.

A file is a magic word and records: length, checksum of the payload, checksum of those two, payload, and
one byte that is never zero. A crash can only leave the beginning of what was being written, perhaps
with zeros where data had not arrived; whatever else does not match its checksum was whole once, may
have been acknowledged, and must not be cut away in silence.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

MAGIC = b"WTLOG\x00\x00\x01"
_HEAD = struct.Struct(">III")
_END = b"\x45"
_ZXID = struct.Struct(">q")
_ZXID_AT = 12
MAX_RECORD_BYTES = 1 << 28


class Record(NamedTuple):
    """A transaction in a file: its bytes, and where the record begins and ends."""

    zxid: int
    data: bytes
    start: int
    end: int


class Scan(NamedTuple):
    """What was found in a file: records, the offset behind the last, and what is wrong with the rest.

    ``torn`` is true when a crash explains the rest; ``fault`` is empty when there is none.
    """

    records: list[Record]
    end: int
    fault: str = ""
    torn: bool = True


def frame(data: bytes) -> bytes:
    """The record of a transaction's bytes."""
    head = _HEAD.pack(len(data), crc32(data), 0)[:8]
    return b"".join((head, crc32(head).to_bytes(4, "big"), data, _END))


def zxid_in(data: bytes) -> int:
    """The zxid of a transaction's bytes, see ``txns.Header``."""
    return int(_ZXID.unpack_from(data, _ZXID_AT)[0])


def scan(content: bytes) -> Scan:
    """The records of a file, up to the first that does not match its checksum."""
    if content[: len(MAGIC)] != MAGIC:
        torn = len(content) <= len(MAGIC) and MAGIC.startswith(content.rstrip(b"\0"))
        return Scan([], 0, "the file does not begin as a log does", torn or not content.strip(b"\0"))
    records: list[Record] = []
    at = len(MAGIC)
    while at < len(content):
        record, fault = _record(content, at)
        if record is None:
            return Scan(records, at, f"byte {at}: {fault}", _is_torn(content, at))
        records.append(record)
        at = record.end
    return Scan(records, at)


def _record(content: bytes, at: int) -> tuple[Record | None, str]:
    if at + _HEAD.size > len(content):
        return None, "the file ends within a record's head"
    length, checksum, head_checksum = _HEAD.unpack_from(content, at)
    if crc32(content[at : at + 8]) != head_checksum:
        return None, f"the head's checksum is not {head_checksum:#010x}"
    start = at + _HEAD.size
    end = start + length + 1
    if end > len(content):
        return None, f"the file ends within a record of {length} bytes"
    data = content[start : end - 1]
    if crc32(data) != checksum or content[end - 1 : end] != _END:
        return None, f"the checksum is {crc32(data):#010x} and should be {checksum:#010x}"
    return Record(zxid_in(data), data, at, end), ""


def _is_torn(content: bytes, at: int) -> bool:
    """Whether the file ends within the record at ``at``, zeros at its end counted as missing."""
    present = len(content[at:].rstrip(b"\0"))
    if present < _HEAD.size:
        return True
    length, _, head_checksum = _HEAD.unpack_from(content, at)
    if crc32(content[at : at + 8]) != head_checksum:
        return False
    return present < _HEAD.size + int(length) + 1
