"""A server that does what a test tells it to, and a client that meets it in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from cluster.api import Endpoint, System
from cluster.sim.cluster import SimCluster
from impl.coordination.client.client import Client
from impl.coordination.client.frames import frame
from impl.coordination.protocol.opcodes import SHAPES, XID_PING, XID_WATCH, Op
from impl.coordination.protocol.records import (
    CONNECT_REQUEST,
    CONNECT_RESPONSE,
    READ_ONLY,
    REPLY_HEADER,
    REQUEST_HEADER,
    WATCHER_EVENT,
    ConnectRequest,
    ConnectResponse,
    DataResponse,
    PathStatResponse,
    ReadOnly,
    ReplyHeader,
    Stat,
    StatResponse,
    WatcherEvent,
)

T = TypeVar("T")
PORT = 2181
SESSION, PASSWORD = 0x1234, b"p" * 16
STAT = Stat(7, 7, 0, 0, 0, 0, 0, 0, 0, 0, 7)


class Asked(NamedTuple):
    """A request as it came; ``record`` is None when it has none."""

    xid: int
    op: int
    record: Any
    at_s: float


class Peer:
    """One connection, from the server's side; ``number`` counts them from 1."""

    def __init__(
        self, number: int, node: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.node = node
        self.pings = 0
        self._reader = reader
        self._writer = writer

    async def frame(self) -> bytes:
        return await self.rest(await self.word())

    async def word(self) -> bytes:
        """The first four bytes, of a frame or of a question in words."""
        return await self._reader.readexactly(4)

    async def rest(self, length: bytes) -> bytes:
        """The frame of this length."""
        return await self._reader.readexactly(int.from_bytes(length, "big"))

    async def greeting(self) -> ConnectRequest:
        return CONNECT_REQUEST.decode(await self.frame())

    def welcome(
        self, *, timeout_ms: int = 3000, session: int = SESSION, read_only: bool = False
    ) -> None:
        response = ConnectResponse(0, timeout_ms, session, PASSWORD)
        self.raw(frame(CONNECT_RESPONSE.encode(response), READ_ONLY.encode(ReadOnly(read_only))))

    async def handshake(self, **options: Any) -> ConnectRequest:
        request = await self.greeting()
        self.welcome(**options)
        return request

    async def asked(self, *, pings: bool = False) -> Asked:
        """The next request; pings are answered on the way unless wanted."""
        while True:
            body = await self.frame()
            header, at = REQUEST_HEADER.read(body)
            now_s = asyncio.get_running_loop().time()
            if header.op == Op.PING and not pings:
                self.pings += 1
                self.reply(XID_PING)
                continue
            shape = SHAPES.get(header.op)
            return Asked(header.xid, header.op, shape and shape.request.decode(body[at:]), now_s)

    def reply(self, xid: int, *, zxid: int = 9, error: int = 0, body: bytes = b"") -> None:
        self.raw(frame(REPLY_HEADER.encode(ReplyHeader(xid, zxid, error)), body))

    def data(self, xid: int, data: bytes, *, zxid: int = 9) -> None:
        body = SHAPES[Op.GET_DATA].response.encode(DataResponse(data, STAT))
        self.reply(xid, zxid=zxid, body=body)

    def stat(self, xid: int, *, zxid: int = 9) -> None:
        self.reply(xid, zxid=zxid, body=SHAPES[Op.EXISTS].response.encode(StatResponse(STAT)))

    def created(self, xid: int, path: str, *, zxid: int = 9) -> None:
        body = SHAPES[Op.CREATE2].response.encode(PathStatResponse(path, STAT))
        self.reply(xid, zxid=zxid, body=body)

    def event(self, type: int, path: str) -> None:
        header = REPLY_HEADER.encode(ReplyHeader(XID_WATCH, -1, 0))
        self.raw(frame(header, WATCHER_EVENT.encode(WatcherEvent(type, 3, path))))

    def raw(self, data: bytes) -> None:
        self._writer.write(data)

    def close(self) -> None:
        self._writer.close()

    async def silence(self) -> None:
        """Read on and answer nothing, until the client goes."""
        while await self._reader.read(1000):
            pass

    async def serve(self) -> None:
        """Answer pings, and everything else with an error, until the client goes."""
        while True:
            asked = await self.asked()
            self.reply(asked.xid, error=-101)


Script = Callable[[Peer], Awaitable[None]]


class Play(NamedTuple):
    """What a test's own part gets: the simulated cluster, to hurt it, and a way to make clients."""

    cluster: SimCluster
    client: Callable[..., Client]


def play(script: Script, main: Callable[[Play], Awaitable[T]], *, nodes: tuple[str, ...] = ("n1",)) -> T:
    """Run ``main`` while each connection to one of ``nodes`` is met by ``script``.

    A script that returns leaves its connection open; one that fails for another reason than that the
    client is gone fails the test.
    """
    failed: list[BaseException] = []
    count = 0

    async def program(host: Any, config: Mapping[str, Any]) -> None:
        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            count += 1
            try:
                await script(Peer(count, host.name, reader, writer))
            except (asyncio.IncompleteReadError, OSError):
                writer.close()
            except Exception as error:
                failed.append(error)

        server = await asyncio.start_server(meet, host.name, PORT)
        await server.serve_forever()

    async def ready(endpoint: Endpoint) -> None:
        return

    system = System(
        name="scripted",
        program=program,
        command=(),
        configure=lambda node, nodes: {},
        ports={"client": PORT},
        port="client",
        ready=ready,
    )
    cluster = SimCluster(system, nodes=nodes, seed=1)

    def client(**options: Any) -> Client:
        options = {"session_timeout_s": 3.0, "random": random.Random(1)} | options
        return Client([(node, PORT) for node in nodes], **options)

    async def all_of_it() -> T:
        await cluster.start()
        await asyncio.sleep(0.01)
        return await main(Play(cluster, client))

    result = cluster.run(all_of_it)
    if failed:
        raise failed[0]
    return result
