"""The client: one session, and every operation of the protocol.

``async with Client([("n1", 2181), ("n2", 2181)], session_timeout_s=6.0, random=host.random) as client:``

Requests may be made at any time, also while no server is connected, and many at once; they are sent and
answered in order. Each ends with a result or with one of the exceptions of
``impl.coordination.client.errors``: ServerError, DidNotHappen or MayHaveHappened. Reads are asked again
after a reconnect; writes that were sent never are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from impl.coordination.client import calls
from impl.coordination.client.calls import Watching
from impl.coordination.client.chroot import Chroot
from impl.coordination.client.connection import Endpoint
from impl.coordination.client.errors import OUTAGES, DidNotHappen, ServerError
from impl.coordination.client.lifecycle import Lifecycle, Settings
from impl.coordination.client.pipeline import Call
from impl.coordination.client.results import (
    AclOf,
    Changed,
    Children,
    Count,
    Created,
    CreateMode,
    Data,
    Done,
    Existing,
    Identities,
    Paths,
)
from impl.coordination.client.states import Listener, State, Transition
from impl.coordination.client.transaction import Transaction
from impl.coordination.client.watches import Watch
from impl.coordination.protocol.errors import Code
from impl.coordination.protocol.multi import Part
from impl.coordination.protocol.opcodes import Op
from impl.coordination.protocol.records import OPEN_ACL, Acl, AuthPacket
from impl.coordination.watches import Kind, Mode

if TYPE_CHECKING:
    import random
    from ssl import SSLContext

ANY_VERSION = -1


class Client:
    """One session with the ensemble at ``endpoints``, tried in an order drawn from ``random``.

    ``session_timeout_s`` is what is asked for; servers may grant another. A request that is not
    answered within ``request_timeout_s`` (the session timeout unless given) ends without a result, a
    server that does not shake hands within ``connect_timeout_s`` (the session timeout shared by all
    servers unless given) is passed over. All paths are below ``chroot``. ``read_only`` accepts
    servers without a quorum. ``last_zxid`` is what an earlier session had seen: servers that are
    behind it are refused. ``margin`` is the part of the session timeout by which ``certain_until_s``
    ends early, for clocks of different speed and for servers that tell their leader of a client only
    now and then; ``backoff_s`` is the first limit and the last of the wait between tries.
    """

    def __init__(
        self,
        endpoints: Sequence[tuple[str, int]],
        *,
        session_timeout_s: float,
        random: random.Random,
        chroot: str = "",
        read_only: bool = False,
        request_timeout_s: float | None = None,
        connect_timeout_s: float | None = None,
        last_zxid: int = 0,
        margin: float = 0.25,
        backoff_s: tuple[float, float] = (0.1, 1.0),
        max_requests: int = 10_000,
        ssl: SSLContext | None = None,
    ) -> None:
        if not endpoints:
            raise ValueError("Client has no endpoints; give it at least one (host, port)")
        if session_timeout_s <= 0 or not 0 <= margin < 1:
            raise ValueError(
                f"session_timeout_s is {session_timeout_s} and margin {margin}; "
                "the one must be above 0, the other at least 0 and below 1"
            )
        self._chroot = Chroot(chroot)
        self._life = Lifecycle(
            Settings(
                endpoints=tuple(Endpoint(*each) for each in endpoints),
                random=random,
                session_timeout_s=session_timeout_s,
                request_timeout_s=request_timeout_s or session_timeout_s,
                connect_timeout_s=connect_timeout_s or session_timeout_s / len(endpoints),
                margin=margin,
                read_only=read_only,
                last_zxid=last_zxid,
                backoff_s=backoff_s,
                max_requests=max_requests,
                ssl=ssl,
            ),
            self._chroot,
        )
        self.random = random
        self._run: asyncio.Task[None] | None = None
        self._errands: dict[asyncio.Task[Any], None] = {}

    # --- the session --------------------------------------------------------------------------

    async def __aenter__(self) -> Client:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def start(self) -> None:
        """Begin to look for a server."""
        if self._run is None:
            self._run = asyncio.ensure_future(self._life.run())

    async def close(self) -> bool:
        """End the session, if a server can be told so now; whether one has confirmed it."""
        confirmed = False
        if self.state.connected:
            try:
                await self._ask(calls.close_session())
                confirmed = True
            except (*OUTAGES, ServerError):
                pass
        await self._finish("the client was closed")
        return confirmed

    async def abandon(self) -> None:
        """Drop the connection and say nothing, as a crash would: the servers let the session expire."""
        await self._finish("the client was abandoned")

    @property
    def state(self) -> State:
        """The state now."""
        return self._life.states.now.state

    @property
    def transition(self) -> Transition:
        """The state now, and why it was entered."""
        return self._life.states.now

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have ``listener`` told of every change of state; call what is returned to end that."""
        return self._life.states.listen(listener)

    async def connected(self) -> None:
        """Return once a server is connected. Raises DidNotHappen when the session is over instead."""
        state, reason = await self._life.states.reach(lambda state: state.connected)
        if state.final:
            raise DidNotHappen(f"connecting: the session is {state.value}: {reason}")

    async def reached(self, *states: State) -> Transition:
        """Return once one of ``states`` is entered, or a final one."""
        return await self._life.states.reach(lambda state: state in states)

    @property
    def session_id(self) -> int:
        """The session's number, which its ephemerals have as their owner; 0 before there is one."""
        return self._life.session.id

    @property
    def session_timeout_s(self) -> float:
        """What the servers have granted."""
        return self._life.session.timeout_s

    @property
    def last_zxid(self) -> int:
        """The last change that this client may have seen."""
        return self._life.session.last_zxid

    @property
    def endpoint(self) -> tuple[str, int] | None:
        """The server that is connected."""
        return self._life.endpoint

    @property
    def watch_events(self) -> int:
        """How many events servers have sent to this client's watches: how often it was woken."""
        return self._life.watch_events

    def listen_events(self, listener: Watch) -> None:
        """Have ``listener`` told of every event that a server sends, before the watch it is for."""
        self._life.on_event.append(listener)

    def move(self) -> None:
        """Leave the server for another one, with the same session; what was sent may have happened."""
        self._life.leave()

    @property
    def certain_until_s(self) -> float:
        """Until when, in ``loop.time()``, no server can have ended the session.

        Counted from the sending of the last request in whose answer a quorum took part; kept
        fresh while somebody ``hold``s.
        """
        return self._life.certain_until_s

    def hold(self) -> Callable[[], None]:
        """Keep ``certain_until_s`` fresh: the pings pass through the leader. Call the result to end."""
        return self._life.hold()

    def errand(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run ``work`` on its own until it is done or the session is over."""
        task = asyncio.ensure_future(work)
        self._errands[task] = None
        task.add_done_callback(self._errand_done)
        return task

    def _errand_done(self, task: asyncio.Task[Any]) -> None:
        """Whoever awaits an errand is told what it raised; nobody else needs to be."""
        del self._errands[task]
        if not task.cancelled():
            task.exception()

    # --- changes ------------------------------------------------------------------------------

    async def create(
        self,
        path: str,
        data: bytes = b"",
        *,
        mode: CreateMode = CreateMode.PERSISTENT,
        acl: Sequence[Acl] = OPEN_ACL,
        ttl_ms: int = 0,
    ) -> Created:
        """Make a znode. ``ttl_ms`` belongs to the modes with a TTL."""
        part = calls.create_part(self._chroot.full(path), data, acl, mode, ttl_ms)
        created: Created = await self._ask(calls.change(part, self._chroot.local))
        return created

    async def delete(self, path: str, *, version: int = ANY_VERSION) -> Done:
        """Remove a znode without children."""
        part = calls.delete_part(self._chroot.full(path), version)
        done: Done = await self._ask(calls.change(part, self._chroot.local))
        return done

    async def set(self, path: str, data: bytes, *, version: int = ANY_VERSION) -> Changed:
        """Replace a znode's data."""
        part = calls.set_part(self._chroot.full(path), data, version)
        changed: Changed = await self._ask(calls.change(part, self._chroot.local))
        return changed

    async def set_acl(self, path: str, acl: Sequence[Acl], *, version: int = ANY_VERSION) -> Changed:
        """Replace a znode's access control list; ``version`` is its ``aversion``."""
        changed: Changed = await self._ask(calls.set_acl(self._chroot.full(path), acl, version))
        return changed

    def transaction(self) -> Transaction:
        """Changes that are made all together or not at all."""
        return Transaction(self._chroot, self._multi)

    # --- reads --------------------------------------------------------------------------------

    async def exists(self, path: str, *, watch: Watch | None = None) -> Existing:
        """Whether there is a znode. ``watch`` is called once, when it comes, goes or changes."""
        full = self._chroot.full(path)
        existing: Existing = await self._ask(calls.exists(full, self._watching(full, watch)))
        return existing

    async def get(self, path: str, *, watch: Watch | None = None) -> Data:
        """A znode's data. ``watch`` is called once, when it changes or goes."""
        full = self._chroot.full(path)
        data: Data = await self._ask(calls.get(full, self._watching(full, watch)))
        return data

    async def children(self, path: str, *, watch: Watch | None = None) -> Children:
        """Names of the children. ``watch`` is called once, when one comes or goes, or their parent."""
        full = self._chroot.full(path)
        children: Children = await self._ask(calls.children(full, self._watching(full, watch)))
        return children

    async def get_acl(self, path: str) -> AclOf:
        """A znode's access control list."""
        acl: AclOf = await self._ask(calls.get_acl(self._chroot.full(path)))
        return acl

    async def get_many(self, *paths: str) -> list[Data | Code]:
        """The data of several znodes at one moment; in place of one that fails stands why."""
        reads = [(Op.GET_DATA, self._chroot.full(path)) for path in paths]
        results: list[Data | Code] = await self._ask(calls.multi_read(reads))
        return results

    async def children_of_many(self, *paths: str) -> list[tuple[str, ...] | Code]:
        """The children of several znodes at one moment; in place of one that fails stands why."""
        reads = [(Op.GET_CHILDREN, self._chroot.full(path)) for path in paths]
        results: list[tuple[str, ...] | Code] = await self._ask(calls.multi_read(reads))
        return results

    async def sync(self, path: str = "/") -> Done:
        """Have the server catch up with all that was done before; reads that follow see it."""
        done: Done = await self._ask(calls.sync(self._chroot.full(path)))
        return done

    async def ephemerals(self, prefix: str = "/") -> Paths:
        """This session's ephemeral znodes whose paths begin with ``prefix``."""
        call = calls.ephemerals(self._chroot.full(prefix), self._chroot.local)
        paths: Paths = await self._ask(call)
        return paths

    async def count(self, path: str) -> Count:
        """How many znodes there are below ``path``, at any depth."""
        count: Count = await self._ask(calls.count(self._chroot.full(path)))
        return count

    # --- watches ------------------------------------------------------------------------------

    async def add_watch(self, path: str, watch: Watch, *, recursive: bool = False) -> Done:
        """Call ``watch`` for each event at ``path``, or with ``recursive`` also for all below it."""
        full = self._chroot.full(path)
        mode = Mode.RECURSIVE if recursive else Mode.PERSISTENT

        def watching(table: Any) -> None:
            self._life.watches.add(table, full, watch)

        done: Done = await self._ask(calls.add_watch(full, mode, watching))
        return done

    async def check_watches(self, path: str, kind: Kind = Kind.ANY) -> Done:
        """Raises ServerError NO_WATCHER if the server has no such watch of this client."""
        done: Done = await self._ask(calls.check_watches(self._chroot.full(path), kind))
        return done

    async def remove_watches(self, path: str, kind: Kind = Kind.ANY) -> Done:
        """Take back all watches of a kind. Raises ServerError NO_WATCHER if there are none."""
        full = self._chroot.full(path)
        removed = calls.remove_watches(full, kind, lambda: self._life.watches.remove(full, kind))
        done: Done = await self._ask(removed)
        return done

    def discard_watch(self, path: str, watch: Watch) -> None:
        """Never call ``watch`` for ``path`` again. The server is not told: its event finds nobody."""
        self._life.watches.discard(self._chroot.full(path), watch)

    # --- identity -----------------------------------------------------------------------------

    async def authenticate(self, scheme: str, credentials: bytes) -> None:
        """Prove who we are, now and to each further server; refusal ends the session.

        Raises DidNotHappen.
        """
        await self._life.authenticate(AuthPacket(0, scheme, credentials))

    async def who_am_i(self) -> Identities:
        """As whom the server knows us."""
        identities: Identities = await self._ask(calls.who_am_i())
        return identities

    # --- within -------------------------------------------------------------------------------

    async def _ask(self, call: Call) -> Any:
        return await self._life.pipeline.submit(call)

    async def _multi(self, parts: Sequence[Part]) -> list[Any]:
        results: list[Any] = await self._ask(calls.multi_change(parts, self._chroot.local))
        return results

    def _watching(self, full: str, watch: Watch | None) -> Watching | None:
        if watch is None:
            return None
        return lambda table: self._life.watches.add(table, full, watch)

    async def _finish(self, reason: str) -> None:
        self._life.end(State.CLOSED, reason)
        tasks = [*self._errands] if self._run is None else [self._run, *self._errands]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
