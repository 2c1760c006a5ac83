"""A client that speaks the protocol and does nothing of its own accord: for tests."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from impl.coordination.protocol import multi, records
from impl.coordination.protocol.opcodes import SHAPES, XID_AUTH, XID_PING, Op
from impl.coordination.protocol.records import (
    CONNECT_REQUEST,
    OPEN_ACL,
    READ_ONLY,
    ConnectRequest,
    CreateRequest,
    PathVersion,
    PathWatch,
    ReadOnly,
    SetDataRequest,
)
from impl.coordination.serving.handshake import parse_response


class Failed(Exception):
    """The server answered with an error code."""

    def __init__(self, code: int, zxid: int) -> None:
        super().__init__(str(code))
        self.code = code
        self.zxid = zxid


class RawClient:
    """One connection. ``events`` are the watches that fired, as (type, path)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.xid = 0
        self.session, self.password, self.timeout_ms = 0, bytes(16), 0
        self.zxid = 0
        self.read_only = False
        self.events: list[tuple[int, str]] = []
        self.seen: list[Any] = []

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        *,
        timeout_ms: int = 4000,
        session: int = 0,
        password: bytes = bytes(16),
        last_zxid: int = 0,
        read_only: bool = False,
    ) -> RawClient:
        """Open or take over a session. ``session`` of the result is 0 if it was refused."""
        client = cls(*await asyncio.open_connection(host, port))
        request = ConnectRequest(0, last_zxid, timeout_ms, session, password)
        frame = CONNECT_REQUEST.encode(request) + READ_ONLY.encode(ReadOnly(read_only))
        client.write(frame)
        answer, client.read_only = parse_response(await client.frame())
        client.session, client.password = answer.session, answer.password or b""
        client.timeout_ms, client.zxid = answer.timeout_ms, last_zxid
        return client

    def write(self, frame: bytes) -> None:
        self.writer.write(struct.pack(">i", len(frame)) + frame)

    async def frame(self) -> bytes:
        (length,) = struct.unpack(">i", await self.reader.readexactly(4))
        return await self.reader.readexactly(length)

    def send(self, op: int, record: Any = None) -> int:
        """Put a request on the wire; its xid, which for a ping and for credentials is a fixed one."""
        self.xid += 1
        xid = {Op.PING: XID_PING, Op.AUTH: XID_AUTH}.get(op, self.xid)
        body = record if isinstance(record, bytes) else b""
        if record is not None and not isinstance(record, bytes):
            body = SHAPES[op].request.encode(record)
        self.write(struct.pack(">ii", xid, op) + body)
        return xid

    async def receive(self) -> tuple[int, int, int, bytes]:
        """The next reply: xid, zxid, error, body. Events on the way go to ``events``."""
        while True:
            frame = await self.frame()
            xid, zxid, error = struct.unpack_from(">iqi", frame)
            if xid != -1:
                self.seen.append(xid)
                if zxid > 0:
                    self.zxid = zxid
                return xid, zxid, error, frame[16:]
            event = records.WATCHER_EVENT.decode(frame[16:])
            self.events.append((event.type, event.path))
            self.seen.append(event)

    async def call(self, op: int, record: Any = None) -> Any:
        """Ask and wait for the answer. Raises Failed."""
        xid = self.send(op, record)
        got, zxid, error, body = await self.receive()
        assert got == xid, f"reply {got} to request {xid}"
        if error:
            raise Failed(error, zxid)
        if op in (Op.MULTI, Op.MULTI_READ):
            return multi.read_results(body)
        return SHAPES[op].response.decode(body) if body else None

    async def create(self, path: str, data: bytes = b"", flags: int = 0) -> str:
        return (await self.call(Op.CREATE, CreateRequest(path, data, OPEN_ACL, flags))).path

    async def get(self, path: str, watch: bool = False) -> Any:
        return await self.call(Op.GET_DATA, PathWatch(path, watch))

    async def set(self, path: str, data: bytes, version: int = -1) -> Any:
        return (await self.call(Op.SET_DATA, SetDataRequest(path, data, version))).stat

    async def delete(self, path: str, version: int = -1) -> None:
        await self.call(Op.DELETE, PathVersion(path, version))

    async def exists(self, path: str, watch: bool = False) -> Any:
        return (await self.call(Op.EXISTS, PathWatch(path, watch))).stat

    async def children(self, path: str, watch: bool = False) -> tuple[str, ...]:
        return (await self.call(Op.GET_CHILDREN, PathWatch(path, watch))).names

    async def sync(self, path: str = "/") -> None:
        await self.call(Op.SYNC, records.PathOnly(path))

    async def close_session(self) -> None:
        await self.call(Op.CLOSE_SESSION)

    def drop(self) -> None:
        """Cut the connection; the session goes on."""
        self.writer.transport.abort()
