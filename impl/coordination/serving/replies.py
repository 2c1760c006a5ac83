"""Replies: a header, and for what succeeded the record that belongs to the operation."""

from __future__ import annotations

import struct

from impl.coordination.protocol import multi, records
from impl.coordination.protocol.errors import Code
from impl.coordination.protocol.opcodes import XID_WATCH, Op
from impl.coordination.protocol.records import PathResponse, PathStatResponse, StatResponse, WatcherEvent
from impl.coordination.tree import Result
from impl.coordination.watches import CONNECTED

_FRAME = struct.Struct(">iiqi")
_WITH_STAT = frozenset((Op.CREATE2, Op.CREATE_CONTAINER, Op.CREATE_TTL))


def reply(xid: int, zxid: int, error: int, body: bytes = b"") -> bytes:
    """The frame of a reply."""
    return _FRAME.pack(16 + len(body), xid, zxid, error) + body


def event(type: int, path: str) -> bytes:
    """The frame that tells of a watch that fired."""
    body = records.WATCHER_EVENT.encode(WatcherEvent(type, CONNECTED, path))
    return reply(XID_WATCH, -1, Code.OK, body)


def of_write(xid: int, zxid: int, op: int, result: Result) -> bytes:
    """The frame that tells what became of a write that was asked for as ``op``."""
    if result.op == Op.ERROR:
        return reply(xid, zxid, result.error)
    if op == Op.MULTI:
        return reply(xid, zxid, Code.OK, multi.write_results([_part(each) for each in result.parts]))
    return reply(xid, zxid, Code.OK, _body(op, result))


def _body(op: int, result: Result) -> bytes:
    match op:
        case Op.CREATE:
            return records.PATH.encode(PathResponse(result.path))
        case Op.CREATE2 | Op.CREATE_CONTAINER | Op.CREATE_TTL if result.stat:
            return records.PATH_STAT.encode(PathStatResponse(result.path, result.stat))
        case Op.SET_DATA | Op.SET_ACL if result.stat:
            return records.STAT.encode(StatResponse(result.stat))
    return b""


def _part(result: Result) -> multi.Part:
    op, stat = result.op, result.stat
    if op == Op.ERROR:
        return multi.Part(op, None, result.error)
    if op == Op.CREATE:
        return multi.Part(op, PathResponse(result.path))
    if op in _WITH_STAT and stat is not None:
        return multi.Part(Op.CREATE2, PathStatResponse(result.path, stat))
    if op == Op.SET_DATA and stat is not None:
        return multi.Part(op, StatResponse(stat))
    return multi.Part(op, records.Nothing())
