"""Snapshots: the whole state just after one transaction, on disk and on the way to another server.

A snapshot is a sequence of chunks: a head with the zxid, sessions, znodes, and an end that counts them.
On disk each chunk has its length and checksum in front of it. Since a frozen tree does not change,
writing takes as long as it likes and the server goes on serving.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from impl.coordination.protocol.jute import Buffer, Byte, Codec, Int, Long, Malformed, Text, Vector
from impl.coordination.protocol.records import Acl
from impl.coordination.tree import Frozen, Session, Znode
from impl.host import Disk

T = TypeVar("T")
MAGIC = b"WTSNAP\x00\x01"
PREFIX = "snapshot."
PART = ".part"
_HEAD = struct.Struct(">II")
_NODES_PER_CHUNK = 500
_SESSIONS_PER_CHUNK = 2000


class _Head(NamedTuple):
    zxid: Long


class _Session(NamedTuple):
    session: Long
    timeout_ms: Int
    password: Buffer


class _Sessions(NamedTuple):
    sessions: Vector[_Session]


class _Znode(NamedTuple):
    path: Text
    data: Buffer
    acl: Vector[Acl]
    czxid: Long
    mzxid: Long
    pzxid: Long
    ctime: Long
    mtime: Long
    version: Int
    creates: Int
    aversion: Int
    owner: Long


class _Znodes(NamedTuple):
    znodes: Vector[_Znode]


class _End(NamedTuple):
    sessions: Long
    znodes: Long


class _Kind(NamedTuple):
    kind: Byte


_KIND = Codec(_Kind)
_CODECS: tuple[Codec[Any], ...] = (Codec(_Head), Codec(_Sessions), Codec(_Znodes), Codec(_End))
_HEAD_KIND, _SESSIONS_KIND, _ZNODES_KIND, _END_KIND = range(4)


def chunks(frozen: Frozen) -> Iterator[bytes]:
    """The snapshot of ``frozen``, piece by piece."""
    yield _chunk(_HEAD_KIND, _Head(frozen.zxid))
    for some in _batches(frozen.sessions.items(), _SESSIONS_PER_CHUNK):
        yield _chunk(_SESSIONS_KIND, _Sessions(tuple(_Session(key, *value) for key, value in some)))
    for nodes in _batches(frozen.nodes.items(), _NODES_PER_CHUNK):
        yield _chunk(_ZNODES_KIND, _Znodes(tuple(_Znode(path, *node) for path, node in nodes)))
    yield _chunk(_END_KIND, _End(len(frozen.sessions), len(frozen.nodes)))


class Assembler:
    """Puts a snapshot together again; ``add`` gives it once its end was added."""

    def __init__(self) -> None:
        self._zxid = 0
        self._nodes: dict[str, Znode] = {}
        self._sessions: dict[int, Session] = {}

    def add(self, chunk: bytes) -> Frozen | None:
        """Take the next chunk. Raises Malformed, also when the counts at the end don't match."""
        kind = _KIND.decode(chunk).kind
        if not 0 <= kind < len(_CODECS):
            raise Malformed(f"a chunk of the unknown kind {kind}")
        record, _ = _CODECS[kind].read(chunk, 1)
        match kind:
            case 0:
                self._zxid = record.zxid
            case 1:
                self._sessions |= {key: Session(ms, pw or b"") for key, ms, pw in record.sessions}
            case 2:
                self._nodes |= {each[0]: Znode._make(each[1:]) for each in record.znodes}
            case _:
                return self._finished(record)
        return None

    def _finished(self, end: _End) -> Frozen:
        if end != (len(self._sessions), len(self._nodes)):
            raise Malformed(f"{len(self._nodes)} znodes were read and {end.znodes} were written")
        return Frozen(self._zxid, self._nodes, self._sessions)


def _chunk(kind: int, record: Any) -> bytes:
    return bytes((kind,)) + _CODECS[kind].encode(record)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def name(zxid: int) -> str:
    """The file of the snapshot just after ``zxid``."""
    return f"{PREFIX}{zxid:x}"


def zxids(disk: Disk) -> list[int]:
    """The zxids of the snapshots on ``disk``, oldest first."""
    found = (file.removeprefix(PREFIX) for file in disk.names() if file.startswith(PREFIX))
    return sorted(int(each, 16) for each in found if not each.endswith((PART, ".new")))


async def write(disk: Disk, frozen: Frozen) -> None:
    """Put the snapshot on ``disk``, a chunk at a time; durable on return."""
    final = name(frozen.zxid)
    file = disk.open(final + PART)
    file.truncate(0)
    file.append(MAGIC)
    for chunk in chunks(frozen):
        file.append(_HEAD.pack(len(chunk), crc32(chunk)) + chunk)
        await asyncio.sleep(0)
    await file.fsync()
    file.close()
    disk.rename(final + PART, final)
    await disk.fsync_directory()


def read(disk: Disk, zxid: int) -> Frozen:
    """The snapshot of ``zxid``. Raises Malformed, with the checksum, if it is damaged or torn."""
    content = disk.read(name(zxid))
    if not content.startswith(MAGIC):
        raise Malformed(f"{name(zxid)} does not begin as a snapshot does")
    assembler = Assembler()
    at = len(MAGIC)
    frozen: Frozen | None = None
    while frozen is None:
        chunk, at = _read_chunk(content, at, name(zxid))
        frozen = assembler.add(chunk)
    return frozen


def _read_chunk(content: bytes, at: int, file: str) -> tuple[bytes, int]:
    start = at + _HEAD.size
    if start > len(content):
        raise Malformed(f"{file} ends at byte {at}, before its end")
    length, checksum = _HEAD.unpack_from(content, at)
    chunk = content[start : start + length]
    if len(chunk) < length or crc32(chunk) != checksum:
        raise Malformed(
            f"{file}, byte {at}: the checksum is {crc32(chunk):#010x} and should be {checksum:#010x}"
        )
    return chunk, start + length
