"""A connection between two servers: frames of a length, a kind and a record, over an asyncio stream."""

from __future__ import annotations

import asyncio
import struct
from typing import TypeVar

from impl.coordination.protocol.jute import Malformed
from impl.coordination.zab.messages import CODECS, KINDS, PROTOCOL, Hello, Message

M = TypeVar("M")
_HEAD = struct.Struct(">IB")
_READ_BYTES = 1 << 16
MAX_FRAME_BYTES = 1 << 26
MAX_BUFFERED_BYTES = 1 << 27


class Link:
    """Sends and receives messages. What is sent in one step of the loop leaves in one write."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._pieces: list[bytes] = []
        self._buffer = b""
        self._at = 0
        self._loop = asyncio.get_running_loop()
        self.heard_s = self._loop.time()

    def send(self, message: Message) -> None:
        """Send ``message``, after what was sent before; a link whose peer reads too slowly is closed."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        kind = KINDS[type(message)]
        at = len(self._pieces)
        self._pieces.append(b"")
        CODECS[kind].write(message, self._pieces)
        length = sum(map(len, self._pieces[at:])) + 1
        self._pieces[at] = _HEAD.pack(length, kind)

    def _flush(self) -> None:
        data = b"".join(self._pieces)
        self._pieces.clear()
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_BUFFERED_BYTES:
            transport.abort()
            return
        transport.write(data)

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was sent. Raises ConnectionError."""
        self._flush()
        await self._writer.drain()

    async def receive(self) -> Message:
        """The next message. Raises Malformed, and ConnectionError at the end of the stream."""
        while (end := self._frame_end()) < 0:
            data = await self._reader.read(_READ_BYTES)
            if not data:
                raise ConnectionResetError("the other server closed the connection")
            self.heard_s = self._loop.time()
            self._buffer = self._buffer[self._at :] + data
            self._at = 0
        kind = self._buffer[self._at + 4]
        frame = self._buffer[self._at + 5 : end]
        self._at = end
        if kind >= len(CODECS):
            raise Malformed(f"a message of the unknown kind {kind}")
        return CODECS[kind].decode(frame)

    def _frame_end(self) -> int:
        if len(self._buffer) - self._at < _HEAD.size:
            return -1
        length = int.from_bytes(self._buffer[self._at : self._at + 4], "big")
        if not 0 < length <= MAX_FRAME_BYTES:
            raise Malformed(f"a message of {length} bytes; at most {MAX_FRAME_BYTES} are taken")
        end = self._at + 4 + length
        return end if end <= len(self._buffer) else -1

    async def expect(self, kind: type[M]) -> M:
        """The next message, which has to be a ``kind``. Raises Malformed if it is another."""
        message = await self.receive()
        if not isinstance(message, kind):
            raise Malformed(f"a {type(message).__name__} came and a {kind.__name__} was due")
        return message

    def close(self) -> None:
        """End the connection now; what was not sent yet is dropped."""
        self._writer.transport.abort()


async def dial(host: str, port: int, me: int, timeout_s: float) -> Link:
    """Connect and say who is calling. Raises OSError or TimeoutError."""
    async with asyncio.timeout(timeout_s):
        link = Link(*await asyncio.open_connection(host, port))
    link.send(Hello(PROTOCOL, me))
    return link


async def answer(link: Link, timeout_s: float) -> int:
    """Who is calling. Raises Malformed, ConnectionError or TimeoutError."""
    async with asyncio.timeout(timeout_s):
        hello = await link.expect(Hello)
    if hello.protocol != PROTOCOL:
        raise Malformed(f"the caller speaks {hello.protocol!r} and not {PROTOCOL!r}")
    return hello.sender
