"""A connection between two servers: frames of a length, a kind and a record.

First messages are awaited one by one; then ``attend`` has each handled in the very step in which it
arrives, since every hop through the loop is paid by whoever waits for a write.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import TypeVar, cast

from impl.coordination.protocol.jute import Malformed
from impl.coordination.zab.messages import CODECS, KINDS, PROTOCOL, Hello, Message

M = TypeVar("M")
_HEAD = struct.Struct(">IB")
MAX_FRAME_BYTES = 1 << 26
MAX_BUFFERED_BYTES = 1 << 27
_UNREAD_BYTES = 1 << 18


class Link(asyncio.Protocol):
    """Sends and receives messages. What is sent in one step of the loop leaves in one write.

    ``heard_s`` is when something arrived last; ``made`` is told when the connection is there.
    """

    def __init__(self, made: Callable[[Link], None] | None = None) -> None:
        self._made = made
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._buffer = b""
        self._at = 0
        self._handle: Callable[[Message], None] | None = None
        self._arrived: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._ended: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self.heard_s = self._loop.time()

    # --- the transport ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._made is not None:
            self._made(self)

    def data_received(self, data: bytes) -> None:
        self.heard_s = self._loop.time()
        self._buffer = self._buffer[self._at :] + data
        self._at = 0
        if self._handle is not None:
            self._dispatch()
            return
        _wake(self._arrived)
        if len(self._buffer) > _UNREAD_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionResetError("the other server closed the connection"))

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        _wake(self._drained)
        self._drained = None

    def _end(self, error: Exception) -> None:
        self._ended = self._ended or error
        _wake(self._arrived)
        _wake(self._drained)

    # --- sending ------------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Send ``message``, after what was sent before; a link whose peer reads too slowly is closed."""
        if not self._pieces:
            self._loop.call_soon(self.flush)
        kind = KINDS[type(message)]
        at = len(self._pieces)
        self._pieces.append(b"")
        CODECS[kind].write(message, self._pieces)
        length = sum(map(len, self._pieces[at:])) + 1
        self._pieces[at] = _HEAD.pack(length, kind)

    def flush(self) -> None:
        """Send now what was to leave at the end of this step."""
        transport = self._transport
        if not self._pieces or transport is None:
            return
        data = b"".join(self._pieces)
        self._pieces.clear()
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_BUFFERED_BYTES:
            transport.abort()
            return
        transport.write(data)

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was sent. Raises ConnectionError."""
        self.flush()
        if self._drained is not None and self._ended is None:
            await asyncio.shield(self._drained)
        if self._ended is not None:
            raise self._ended

    # --- receiving ----------------------------------------------------------------------------

    async def receive(self) -> Message:
        """The next message. Raises Malformed, and OSError at the end of the stream."""
        while (end := self._frame_end()) < 0:
            if self._ended is not None:
                raise self._ended
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
            self._arrived = self._loop.create_future()
            await self._arrived
        return self._take(end)

    async def expect(self, kind: type[M]) -> M:
        """The next message, which has to be a ``kind``. Raises Malformed if it is another."""
        message = await self.receive()
        if not isinstance(message, kind):
            raise Malformed(f"a {type(message).__name__} came and a {kind.__name__} was due")
        return message

    async def attend(self, handle: Callable[[Message], None]) -> None:
        """Have ``handle`` called with every message from now on, until the connection ends.

        Raises Malformed, OSError at the end of the stream, and whatever ``handle`` raises.
        """
        self._arrived = self._loop.create_future()
        self._handle = handle
        try:
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
            self._dispatch()
            if self._ended is None:
                await self._arrived
        finally:
            self._handle = None
        if self._ended is not None:
            raise self._ended

    def _dispatch(self) -> None:
        try:
            while self._handle is not None and self._ended is None and (end := self._frame_end()) >= 0:
                self._handle(self._take(end))
        except Exception as error:
            self._end(error)

    def _take(self, end: int) -> Message:
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

    def close(self) -> None:
        """End the connection now; what was not sent yet is dropped."""
        if self._transport is not None:
            self._transport.abort()


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


async def dial(host: str, port: int, me: int, timeout_s: float) -> Link:
    """Connect and say who is calling. Raises OSError or TimeoutError."""
    async with asyncio.timeout(timeout_s):
        _, link = await asyncio.get_running_loop().create_connection(Link, host, port)
    link.send(Hello(PROTOCOL, me))
    return link


async def answer(link: Link, timeout_s: float) -> int:
    """Who is calling. Raises Malformed, ConnectionError or TimeoutError."""
    async with asyncio.timeout(timeout_s):
        hello = await link.expect(Hello)
    if hello.protocol != PROTOCOL:
        raise Malformed(f"the caller speaks {hello.protocol!r} and not {PROTOCOL!r}")
    return hello.sender
