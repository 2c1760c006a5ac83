"""The life of a session: find a server, stay with it, move on to another, and know when it is over.

As ZooKeeper's own client does it: a ping at a third of the session timeout, another server after two
thirds of silence. While somebody holds something by the session (``hold``), the pings are ``sync``
requests, in which the leader takes part: a follower that has lost its leader goes on answering pings,
and a holder must not believe those. A client that has reached no server for the session timeout takes
its session for lost, counted from the sending of the last request that was answered.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from impl.coordination.client import calls
from impl.coordination.client.backoff import Backoff
from impl.coordination.client.chroot import Chroot
from impl.coordination.client.connection import Connection, Endpoint, Refused, connect, is_writable
from impl.coordination.client.frames import MAX_FRAME_BYTES, request
from impl.coordination.client.identities import Identities
from impl.coordination.client.pipeline import Pipeline
from impl.coordination.client.session import Session
from impl.coordination.client.states import State, States
from impl.coordination.client.watches import ClientWatches, Watch, WatchEvent
from impl.coordination.protocol import opcodes
from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.opcodes import Op
from impl.coordination.protocol.records import (
    REPLY_HEADER,
    WATCHER_EVENT,
    AuthPacket,
    ReplyHeader,
    WatcherEvent,
)
from impl.coordination.watches import Event

if TYPE_CHECKING:
    from ssl import SSLContext

_MAX_PING_INTERVAL_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a client behaves; ``impl.coordination.client.client.Client`` explains each."""

    endpoints: Sequence[Endpoint]
    random: random.Random
    session_timeout_s: float
    request_timeout_s: float
    connect_timeout_s: float
    margin: float
    read_only: bool
    last_zxid: int
    backoff_s: tuple[float, float]
    max_requests: int
    max_frame_bytes: int = MAX_FRAME_BYTES
    ssl: SSLContext | None = None


class _Expired(Exception):
    """The session is over."""


class Lifecycle:
    """One session from beginning to end. ``watch_events`` counts what servers sent to its watches,
    ``on_event`` are told of each.
    """

    def __init__(self, settings: Settings, chroot: Chroot) -> None:
        self._settings = settings
        self._chroot = chroot
        self.session = Session(settings.session_timeout_s, settings.last_zxid)
        self.states = States()
        self.watches = ClientWatches()
        self.pipeline = Pipeline(limit=settings.max_requests, timeout_s=settings.request_timeout_s)
        self.endpoint: Endpoint | None = None
        self.watch_events = 0
        self.on_event: list[Watch] = []
        self._ring = _shuffled(settings.endpoints, settings.random)
        self._backoff = Backoff(
            settings.random,
            free=len(self._ring),
            base_s=settings.backoff_s[0],
            cap_s=settings.backoff_s[1],
        )
        self._connection: Connection | None = None
        self._pings: deque[float] = deque()
        self._identities = Identities()
        self._holds = 0
        self._held_since_s = math.inf
        self._connected_s = math.inf

    async def run(self) -> None:
        """Live until the session is over; the state says how it ended."""
        try:
            while not self.states.now.state.final:
                connection = await self._reach()
                await self._stay(connection)
        except _Expired as expired:
            self.end(State.EXPIRED, str(expired))

    def end(self, state: State, reason: str) -> None:
        """The session is over, whatever the servers say later."""
        if self.states.now.state.final:
            return
        if self._connection is not None:
            self._connection.close()
        self.endpoint = None
        self.states.enter(state, reason)
        self.pipeline.end(f"the session is {state.value}: {reason}")
        self.watches.clear()
        self._identities.end(reason)

    def leave(self) -> None:
        """Go on with another server."""
        if self._connection is not None:
            self._connection.fail("the client moves on to another server")

    @property
    def certain_until_s(self) -> float:
        """Until when, in ``loop.time()``, no server can have ended the session."""
        if self.states.now.state.final:
            return -math.inf
        session = self.session
        return session.confirmed_s + session.timeout_s * (1 - self._settings.margin)

    def hold(self) -> Callable[[], None]:
        """Keep the leader's word for the session fresh until what is returned is called.

        The first to hold has it asked for at once: the last one may be about to run out.
        """
        self._holds += 1
        if self._holds == 1:
            self._held_since_s = asyncio.get_running_loop().time()
            if self._connection is not None and self.states.now.state == State.CONNECTED:
                self._ping(self._connection, self._held_since_s)
        return self._release_one

    def authenticate(self, packet: AuthPacket) -> asyncio.Future[None]:
        """Send ``packet`` now and at the beginning of each further connection."""
        accepted = self._identities.add(packet)
        if (state := self.states.now.state).final:
            self._identities.end(f"the session is {state.value}")
        return accepted

    # --- finding a server ---------------------------------------------------------------------

    async def _reach(self) -> Connection:
        session = self.session
        until_s = session.deadline_s if math.isfinite(session.deadline_s) else None
        try:
            async with asyncio.timeout_at(until_s):
                return await self._try_servers()
        except TimeoutError:
            raise _Expired(
                f"no server was reached for the session timeout, {session.timeout_s:g} s"
            ) from None

    async def _try_servers(self) -> Connection:
        while True:
            await asyncio.sleep(self._backoff.next_s())
            endpoint = self._ring[0]
            self._ring.rotate(-1)
            with suppress(OSError, TimeoutError, Malformed):
                async with asyncio.timeout(self._settings.connect_timeout_s):
                    return await self._try(endpoint)

    async def _try(self, endpoint: Endpoint) -> Connection:
        settings = self._settings
        try:
            connection, welcome = await connect(
                endpoint,
                self.session.introduction(),
                read_only=settings.read_only,
                max_frame_bytes=settings.max_frame_bytes,
                ssl=settings.ssl,
            )
        except Refused as refused:
            raise _Expired(str(refused)) from None
        self.session.adopt(welcome.response, welcome.sent_s, read_only=welcome.read_only)
        self._begin(connection, read_only=welcome.read_only)
        return connection

    def _begin(self, connection: Connection, *, read_only: bool) -> None:
        self._connection, self.endpoint = connection, connection.endpoint
        self._connected_s = asyncio.get_running_loop().time()
        self._pings.clear()
        self._identities.attach(connection.send)
        for op, record in self.watches.requests(self.session.last_zxid):
            connection.send(request(opcodes.XID_SET_WATCHES, op, record))
        state = State.CONNECTED_READ_ONLY if read_only else State.CONNECTED
        self.states.enter(state, f"{connection.endpoint.host}:{connection.endpoint.port}")
        self.pipeline.attach(connection.send)

    # --- staying with it ----------------------------------------------------------------------

    async def _stay(self, connection: Connection) -> None:
        keepers = [asyncio.ensure_future(self._keep_alive(connection))]
        if self.states.now.state == State.CONNECTED_READ_ONLY:
            keepers.append(asyncio.ensure_future(self._look_for_writable(connection)))
        reason = "the client was cancelled"
        try:
            while True:
                for each in await connection.read():
                    self._receive(each)
        except (OSError, Malformed) as error:
            reason = str(error) or type(error).__name__
        finally:
            for keeper in keepers:
                keeper.cancel()
            self._lose(connection, reason)

    def _lose(self, connection: Connection, reason: str) -> None:
        connection.fail(reason)
        self._connection = self.endpoint = None
        self._identities.detach()
        self.states.enter(State.SUSPENDED, reason)
        self.pipeline.detach(reason)

    async def _keep_alive(self, connection: Connection) -> None:
        """Ping at a third of the timeout; give up after two thirds in silence."""
        loop = asyncio.get_running_loop()
        ping_s = loop.time()
        while True:
            interval_s = self.session.timeout_s / 3
            now_s = loop.time()
            give_up_s = self._last_word_s(connection) + 2 * interval_s
            if now_s >= give_up_s:
                connection.fail(f"{connection.endpoint.host} was silent for {2 * interval_s:.3g} s")
                return
            if now_s >= ping_s:
                self._ping(connection, now_s)
                ping_s = now_s + min(interval_s, _MAX_PING_INTERVAL_S)
            await asyncio.sleep(min(ping_s, give_up_s) - now_s)

    def _last_word_s(self, connection: Connection) -> float:
        """Since when the server owes us one: of its own, or while somebody holds, a quorum's."""
        if self._holds and self.states.now.state == State.CONNECTED:
            asked_s = max(self._held_since_s, self._connected_s)
            return min(connection.heard_s, max(self.session.confirmed_s, asked_s))
        return connection.heard_s

    def _ping(self, connection: Connection, now_s: float) -> None:
        if self._holds and self.states.now.state == State.CONNECTED:
            self.pipeline.submit(calls.sync("/")).add_done_callback(_ignore)
        else:
            self._pings.append(now_s)
            connection.send(request(opcodes.XID_PING, Op.PING, b""))

    async def _look_for_writable(self, connection: Connection) -> None:
        """Leave a read-only server as soon as another one has a quorum."""
        while True:
            await asyncio.sleep(self._settings.random.uniform(0.5, 1.0) * self._settings.backoff_s[1])
            endpoint = self._ring[0]
            self._ring.rotate(-1)
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(self._settings.connect_timeout_s):
                    if await is_writable(endpoint, self._settings.ssl):
                        self._ring.rotate(1)
                        connection.fail(f"{endpoint.host}:{endpoint.port} is writable")
                        return

    # --- what comes in ------------------------------------------------------------------------

    def _receive(self, body: bytes) -> None:
        header, at = REPLY_HEADER.read(body)
        self._backoff.reset()
        match header.xid:
            case opcodes.XID_WATCH:
                self._fire(WATCHER_EVENT.read(body, at)[0])
            case opcodes.XID_PING:
                if self._pings:
                    self.session.answered(self._pings.popleft())
            case opcodes.XID_AUTH:
                if not self._identities.judged(accepted=not header.error):
                    self.end(State.AUTH_FAILED, "the server does not accept the credentials")
            case opcodes.XID_SET_WATCHES:
                if header.error:
                    raise Malformed(f"the server answers {header.error} to the watches we had")
            case _:
                self._answered(header, body, at)

    def _answered(self, header: ReplyHeader, body: bytes, at: int) -> None:
        sent = self.pipeline.reply(header, body, at)
        self.session.saw(header.zxid)
        self.session.answered(sent.sent_s)
        if sent.by_leader and self.states.now.state == State.CONNECTED:
            self.session.confirmed(sent.sent_s)

    def _fire(self, event: WatcherEvent) -> None:
        watches = self.watches.fired(event)
        self.watch_events += 1
        told = WatchEvent(Event(event.type), self._chroot.local(event.path))
        for watch in (*self.on_event, *watches):
            asyncio.get_running_loop().call_soon(watch, told)

    def _release_one(self) -> None:
        self._holds -= 1


def _shuffled(endpoints: Sequence[Endpoint], source: random.Random) -> deque[Endpoint]:
    ring = list(endpoints)
    source.shuffle(ring)
    return deque(ring)


def _ignore(outcome: asyncio.Future[object]) -> None:
    if not outcome.cancelled():
        outcome.exception()
