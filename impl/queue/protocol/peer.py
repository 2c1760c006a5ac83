"""A connection to another broker: requests go out, answers come back, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from impl.queue.protocol.codec import Codec
from impl.queue.protocol.errors import Malformed

_LONGEST_BYTES = 1 << 30
PEER_ERRORS = (OSError, TimeoutError, Malformed)
"""What asking another broker may raise when there is no answer."""


class _Waiting(NamedTuple):
    key: int
    version: int
    correlation_id: int
    answer: asyncio.Future[Any]


class Peer(asyncio.Protocol):
    """One connection; open it with ``connect``."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._buffer = bytearray()
        self._waiting: deque[_Waiting] = deque()
        self._next_id = 0
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    async def ask(self, key: int, version: int, values: Mapping[str, Any], timeout_s: float) -> Any:
        """The answer. Raises OSError, TimeoutError or Malformed; then the connection is of no use."""
        if self._transport is None:
            raise ConnectionResetError("the connection to the broker is closed")
        self._next_id = (self._next_id + 1) & 0x7FFFFFFF
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(_Waiting(key, version, self._next_id, answer))
        self._transport.write(self._codec.ask(key, version, self._next_id, values))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except BaseException:
            self.close()
            raise

    @property
    def open(self) -> bool:
        """Whether it can still be used."""
        return self._transport is not None

    def close(self) -> None:
        """End it; who waits for an answer is told."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._fail(ConnectionResetError("the connection to the broker was closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._fail(ConnectionResetError(f"the connection to the broker is lost: {error}"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big", signed=True)
            if not 0 <= length <= _LONGEST_BYTES or not self._waiting:
                self.close()
                return
            if len(self._buffer) < 4 + length:
                return
            frame = bytes(memoryview(self._buffer)[4 : 4 + length])
            del self._buffer[: 4 + length]
            self._take(frame)

    def _take(self, frame: bytes) -> None:
        waiting = self._waiting.popleft()
        try:
            correlation_id, body = self._codec.read_answer(waiting.key, waiting.version, frame)
            if correlation_id != waiting.correlation_id:
                raise Malformed(f"an answer to {correlation_id}, not to {waiting.correlation_id}")
        except Malformed as error:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
            self.close()
            return
        if not waiting.answer.done():
            waiting.answer.set_result(body)

    def _fail(self, error: Exception) -> None:
        while self._waiting:
            answer = self._waiting.popleft().answer
            if not answer.done():
                answer.set_exception(error)


async def connect(codec: Codec, host: str, port: int, timeout_s: float) -> Peer:
    """A connection to the broker at an address. Raises OSError or TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        _, peer = await loop.create_connection(lambda: Peer(codec), host, port)
    return peer
