"""One client's connection: frames in, answers out, in the order of the requests.

As in Kafka a request waits until the one before it is answered, with one exception: appends are done
at once, in order, and only their answers wait, so that a producer's pipeline isn't held up by
replication.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from impl.queue.protocol.codec import Codec, Request
from impl.queue.protocol.errors import Malformed
from impl.queue.protocol.keys import ApiKey

Frame: TypeAlias = Sequence[bytes | memoryview] | None
"""The pieces of an answer; None if there is none (acks=0)."""

_MOST_WAITING = 512
_MOST_BUFFERED_BYTES = 4 << 20
_AT_ONCE_BYTES = 256 << 10
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks: the listener it came in by, and its address."""

    listener: str
    client_host: str


ToCome: TypeAlias = Coroutine[Any, Any, Frame]
Handler: TypeAlias = Callable[[Request, Context], Frame | ToCome]


class Connections:
    """All connections of a broker, bounded in number."""

    def __init__(self, codec: Codec, handler: Handler, *, most: int, frame_bytes: int, idle_s: float):
        self.codec = codec
        self.handler = handler
        self.frame_bytes = frame_bytes
        self.idle_s = idle_s
        self.open: dict[Connection, None] = {}
        self._most = most

    def admit(self, connection: Connection) -> bool:
        """Whether there is room for one more."""
        if len(self.open) >= self._most:
            return False
        self.open[connection] = None
        return True

    def close(self) -> None:
        """Close them all."""
        for connection in list(self.open):
            connection.close()


class Connection(asyncio.Protocol):
    """See the module."""

    def __init__(self, connections: Connections, listener: str) -> None:
        self._connections = connections
        self._listener = listener
        self._context = Context(listener, "")
        self._buffer = bytearray()
        self._answers: deque[asyncio.Task[Frame]] = deque()
        self._unsent: deque[bytes | memoryview] = deque()
        self._busy = False
        self._transport: asyncio.Transport | None = None
        self._reading = True
        self._writable = True
        self._loop = asyncio.get_running_loop()
        self._heard_s = self._loop.time()
        self._idle: asyncio.TimerHandle | None = None

    # --- the transport ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername") or ("",)
        self._context = Context(self._listener, f"/{peer[0]}")
        if not self._connections.admit(self):
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=0)
        self._watch_idle()

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.open.pop(self, None)
        self._transport = None
        self._buffer.clear()
        self._unsent.clear()
        if self._idle is not None:
            self._idle.cancel()
        for task in self._answers:
            task.cancel()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._send()
        self._advance()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._advance()

    def close(self) -> None:
        """Close it; what is under way is not answered."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _watch_idle(self) -> None:
        if 0 <= self._connections.idle_s < 1e9:
            left_s = self._heard_s + self._connections.idle_s - self._loop.time()
            if left_s <= 0 and not self._answers:
                self.close()
            else:
                self._idle = self._loop.call_later(max(left_s, 1.0), self._watch_idle)

    # --- requests -----------------------------------------------------------------------------

    def _advance(self) -> None:
        """Take the requests in the buffer, as far as they may be begun."""
        try:
            while self._transport is not None and self._may_begin():
                frame = self._next()
                if frame is None:
                    break
                self._begin(frame)
        except Malformed as error:
            _log.info("%s: %s; closed", self._context.client_host, error)
            self.close()
        except Exception:
            _log.exception("%s: a request failed; closed", self._context.client_host)
            self.close()
        self._throttle()

    def _may_begin(self) -> bool:
        if not self._writable or len(self._answers) >= _MOST_WAITING:
            return False
        if not self._answers:
            return True
        return not self._busy and self._buffer[4:6] == b"\0\0"  # ApiKey.PRODUCE

    def _next(self) -> bytes | None:
        """The next whole frame. Raises Malformed for a length that can't be."""
        if len(self._buffer) < 4:
            return None
        length = int.from_bytes(self._buffer[:4], "big", signed=True)
        if not 0 <= length <= self._connections.frame_bytes:
            raise Malformed(f"a frame of {length} bytes")
        if len(self._buffer) < 4 + length:
            return None
        frame = bytes(memoryview(self._buffer)[4 : 4 + length])
        del self._buffer[: 4 + length]
        return frame

    def _begin(self, frame: bytes) -> None:
        self._heard_s = self._loop.time()
        request = self._connections.codec.request(frame)
        answer = self._connections.handler(request, self._context)
        if not isinstance(answer, Coroutine):
            if not self._answers:
                self._write(answer)
                return
            answer = _known(answer)
        self._busy = request.key != ApiKey.PRODUCE
        task = self._loop.create_task(answer)
        self._answers.append(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[Frame]) -> None:
        while self._answers and self._answers[0].done():
            first = self._answers.popleft()
            if first.cancelled():
                continue
            if (error := first.exception()) is not None:
                _log.error("%s: a request failed; closed", self._context.client_host, exc_info=error)
                self.close()
            elif self._transport is not None:
                self._write(first.result())
        if not self._answers:
            self._busy = False
        self._advance()

    def _write(self, answer: Frame) -> None:
        if answer is not None and self._transport is not None:
            small = sum(map(len, answer)) <= _AT_ONCE_BYTES
            self._unsent += (b"".join(answer),) if small else answer
            self._send()

    def _send(self) -> None:
        """Give the transport only what it can pass on: what it has to keep it copies."""
        while self._unsent and self._writable and self._transport is not None:
            piece = self._unsent.popleft()
            if len(piece) > _AT_ONCE_BYTES:
                view = memoryview(piece)
                self._unsent.appendleft(view[_AT_ONCE_BYTES:])
                piece = view[:_AT_ONCE_BYTES]
            self._transport.write(piece)

    def _throttle(self) -> None:
        """Stop reading while what was read can't be begun."""
        if self._transport is None:
            return
        full = len(self._buffer) > _MOST_BUFFERED_BYTES and not self._may_begin()
        if full == self._reading:
            (self._transport.pause_reading if full else self._transport.resume_reading)()
            self._reading = not full


async def _known(answer: Frame) -> Frame:
    return answer
