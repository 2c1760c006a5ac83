"""One TCP connection to one broker: which versions it speaks, requests out, answers in, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from impl.queue.client.versions import Versions, negotiated
from impl.queue.protocol.calls import Calls
from impl.queue.protocol.errors import Malformed
from impl.queue.protocol.frames import Frames
from impl.queue.protocol.keys import ApiKey

if TYPE_CHECKING:
    from ssl import SSLContext

_LEAST_BYTES, _MOST_BYTES = 4, 256 << 20
_API_VERSIONS_VERSION = 0


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int


class Disconnected(ConnectionError):
    """The connection is gone. ``sent`` says whether the request may have reached the broker."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class _Waiting(NamedTuple):
    correlation_id: int
    key: int
    version: int
    future: asyncio.Future[Any]
    timer: asyncio.TimerHandle


class Connection(asyncio.Protocol):
    """An open connection. A request that isn't answered in time ends it, as order is all it has."""

    def __init__(self, calls: Calls, name: str) -> None:
        self.name = name
        self.versions: Versions = {ApiKey.API_VERSIONS: _API_VERSIONS_VERSION}
        self.on_lost: Callable[[Connection], None] = lambda _: None
        self.on_writable: Callable[[], None] = lambda: None
        self.writable = True
        self._calls = calls
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[_Waiting] = deque()
        self._frames = Frames(least=_LEAST_BYTES, most=_MOST_BYTES)
        self._next_id = 0
        self._reason = ""

    @property
    def open(self) -> bool:
        """Whether requests can be sent."""
        return self._transport is not None

    @property
    def under_way(self) -> int:
        """How many requests wait for their answers."""
        return len(self._waiting)

    # --- asking -------------------------------------------------------------------------------

    def ask(self, key: int, values: Mapping[str, Any], *, timeout_s: float) -> asyncio.Future[Any]:
        """Send a request; the future holds the body of the answer, Disconnected or Malformed."""
        version = self.versions[key]
        return self.ask_body(key, (self._calls.body(key, version, values),), timeout_s=timeout_s)

    def ask_body(
        self, key: int, body: Sequence[bytes], *, timeout_s: float, answered: bool = True
    ) -> asyncio.Future[Any]:
        """As ``ask``, with a body that is written already; ``answered`` is false for acks=0."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._transport is None:
            future.set_exception(Disconnected(self._reason or f"{self.name} is closed", sent=False))
            return future
        version = self.versions[key]
        self._next_id = self._next_id % 0x7FFFFFFF + 1
        head = self._calls.head(key, version, self._next_id, sum(map(len, body)))
        self._transport.writelines((head, *body))
        if not answered:
            future.set_result(None)
            return future
        what = f"{self.name} did not answer {ApiKey(key).name} within {timeout_s:g} s"
        timer = self._loop.call_later(timeout_s, self.fail, what)
        self._waiting.append(_Waiting(self._next_id, key, version, future, timer))
        return future

    def fail(self, reason: str) -> None:
        """Give the connection up; whoever waits is told at once."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
            self._end(reason)

    # --- the transport ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._transport = None
            self._end(f"{self.name}: {error}" if error else f"{self.name} closed the connection")

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self.on_writable()

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                self._answer(*frame)
        except Malformed as error:
            self.fail(f"{self.name}: {error}")

    def _answer(self, data: bytes, at: int, end: int) -> None:
        correlation_id = int.from_bytes(data[at : at + 4], "big", signed=True)
        if not self._waiting or self._waiting[0].correlation_id != correlation_id:
            raise Malformed(f"answer {correlation_id} is not the next that was asked for")
        body = self._calls.response(self._waiting[0].key, self._waiting[0].version, data, at, end)
        waiting = self._waiting.popleft()
        waiting.timer.cancel()
        if not waiting.future.done():
            waiting.future.set_result(body)

    def _end(self, reason: str) -> None:
        self._reason = reason
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            each.timer.cancel()
            if not each.future.done():
                each.future.set_exception(Disconnected(reason, sent=True))
                each.future.exception()  # whoever waits may be gone already
        self.on_lost(self)


async def connect(
    calls: Calls,
    address: Address,
    *,
    timeout_s: float,
    ssl: SSLContext | None,
    max_versions: Versions,
) -> Connection:
    """Connect and learn the broker's versions. Raises OSError, TimeoutError or Malformed."""
    name = f"{address.host}:{address.port}"
    async with asyncio.timeout(timeout_s):
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(calls, name), address.host, address.port, ssl=ssl
        )
        try:
            body = await connection.ask(ApiKey.API_VERSIONS, {}, timeout_s=timeout_s)
            connection.versions = negotiated(body, name, max_versions)
        except BaseException:
            connection.fail("the handshake failed")
            raise
    return connection
