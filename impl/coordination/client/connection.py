"""One TCP connection to one server: the handshake, frames out, chunks of frames in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from impl.coordination.client.frames import Frames, frame
from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.records import (
    CONNECT_REQUEST,
    CONNECT_RESPONSE,
    READ_ONLY,
    ConnectRequest,
    ConnectResponse,
    ReadOnly,
)

if TYPE_CHECKING:
    from ssl import SSLContext

_CHUNK_BYTES = 1 << 16
_ISRO_BYTES = 16


class Endpoint(NamedTuple):
    """Where a server listens for clients."""

    host: str
    port: int


class Refused(Exception):
    """The server says that there is no such session, any more or with this password."""


class Welcome(NamedTuple):
    """A server's answer to the handshake, and when the question was sent, in ``loop.time()``."""

    response: ConnectResponse
    read_only: bool
    sent_s: float


class Connection:
    """An open connection. ``heard_s`` is when something came last, in ``loop.time()``."""

    def __init__(
        self,
        endpoint: Endpoint,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        max_frame_bytes: int,
    ) -> None:
        self.endpoint = endpoint
        self.heard_s = asyncio.get_running_loop().time()
        self.send = writer.write
        self._reader = reader
        self._writer = writer
        self._frames = Frames(max_frame_bytes)
        self._reason = ""

    def fail(self, reason: str) -> None:
        """Give the connection up; ``read`` raises with ``reason``."""
        self._reason = self._reason or reason
        self._writer.transport.abort()

    def close(self) -> None:
        """Let the server know that nothing more will come, after all that was sent."""
        self._writer.close()

    async def read(self) -> Iterator[bytes]:
        """The next frames. Raises ConnectionError at the end; the iterator Malformed for garbage."""
        try:
            data = await self._reader.read(_CHUNK_BYTES)
        except OSError as error:
            raise ConnectionError(self._reason or f"{self._name}: {_words(error)}") from error
        if not data or self._reason:
            raise ConnectionError(self._reason or f"{self._name} closed the connection")
        self.heard_s = asyncio.get_running_loop().time()
        return self._frames.feed(data)

    async def greet(self, request: ConnectRequest, *, read_only: bool) -> Welcome:
        """Shake hands. Raises Refused, ConnectionError or Malformed."""
        sent_s = asyncio.get_running_loop().time()
        self.send(frame(CONNECT_REQUEST.encode(request), READ_ONLY.encode(ReadOnly(read_only))))
        while True:
            for answer in await self.read():
                return _welcome(request, answer, sent_s)

    @property
    def _name(self) -> str:
        return f"{self.endpoint.host}:{self.endpoint.port}"


def _welcome(request: ConnectRequest, answer: bytes, sent_s: float) -> Welcome:
    response, at = CONNECT_RESPONSE.read(answer)
    if response.timeout_ms <= 0:
        raise Refused(f"the server knows no session 0x{request.session:x}")
    if request.session and response.session != request.session:
        raise Malformed(f"the server gives session 0x{response.session:x} for 0x{request.session:x}")
    read_only = at < len(answer) and READ_ONLY.decode(answer[at:]).read_only
    return Welcome(response, read_only, sent_s)


async def connect(
    endpoint: Endpoint,
    request: ConnectRequest,
    *,
    read_only: bool,
    max_frame_bytes: int,
    ssl: SSLContext | None,
) -> tuple[Connection, Welcome]:
    """Connect to one server and shake hands. Raises Refused, OSError or Malformed."""
    reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=ssl)
    connection = Connection(endpoint, reader, writer, max_frame_bytes)
    try:
        return connection, await connection.greet(request, read_only=read_only)
    except BaseException:
        connection.fail("the handshake failed")
        raise


async def is_writable(endpoint: Endpoint, ssl: SSLContext | None) -> bool:
    """Ask a server whether it has a quorum: the four-letter word ``isro``. Raises OSError."""
    reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=ssl)
    try:
        writer.write(b"isro")
        return (await reader.read(_ISRO_BYTES)).strip() == b"rw"
    finally:
        writer.transport.abort()


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
