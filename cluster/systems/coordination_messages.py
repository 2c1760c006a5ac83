"""What a packet between servers, or between a client and a server, says: for pictures, not for verdicts.

A packet begins where a frame does, or it does not: then it is the rest of one, and says nothing.
"""

from __future__ import annotations

import struct
from typing import Any

from impl.coordination.protocol.jute import Malformed, read_text
from impl.coordination.protocol.opcodes import XID_PING, XID_WATCH, Op
from impl.coordination.zab.messages import CODECS

CLIENT = "client"
REST = "…"
_LINK, _REQUEST, _REPLY = struct.Struct(">IB"), struct.Struct(">iii"), struct.Struct(">iiqi")
_LENGTH = 4
_AS_HEX = frozenset({"zxid", "session", "last_zxid"})
_WITHOUT_PATH = frozenset({Op.PING, Op.CLOSE_SESSION, Op.MULTI, Op.WHO_AM_I, Op.SET_WATCHES, Op.AUTH})
_MOST = 4


def describe(port: str, to_server: bool, data: bytes) -> str:
    """The messages in ``data``, at most four of them, sent to or from ``port``."""
    read = _between_servers
    if port == CLIENT:
        read = _request if to_server else _reply
    said: list[str] = []
    while len(data) > _LENGTH and len(said) < _MOST:
        end = _LENGTH + int.from_bytes(data[:_LENGTH], "big")
        try:
            said.append(read(data[:end]))
        except (Malformed, struct.error, UnicodeDecodeError, IndexError, ValueError):
            said.append(REST)
            break
        data = data[end:]
    return ", ".join(said) or REST


def _between_servers(frame: bytes) -> str:
    _, kind = _LINK.unpack_from(frame)
    message, _ = CODECS[kind].read(frame, _LINK.size)
    fields = (_field(name, value) for name, value in message._asdict().items())
    return " ".join((type(message).__name__, *filter(None, fields)))


def _field(name: str, value: Any) -> str:
    if isinstance(value, bytes | tuple | str) or value is None:
        return ""
    return f"{name}={value:#x}" if name in _AS_HEX else f"{name}={value}"


def _request(frame: bytes) -> str:
    _, xid, number = _REQUEST.unpack_from(frame)
    if xid == 0:
        return "connect"
    op = Op(number)
    path = "" if op in _WITHOUT_PATH else read_text(frame, _REQUEST.size)[0]
    return f"{op.name.lower()} {path}".rstrip()


def _reply(frame: bytes) -> str:
    _, xid, zxid, error = _REPLY.unpack_from(frame)
    match xid:
        case 0:
            return "connected"
        case _ if xid == XID_WATCH:
            return "watch event"
        case _ if xid == XID_PING:
            return "pong"
    return f"error {error}" if error else f"ok zxid={zxid:#x}"
