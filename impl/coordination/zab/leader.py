"""A leader: synchronisation and broadcast, from its side, and what only it may decide.

A server that was elected leads only once a quorum has promised its epoch and taken over its history
(Zab's phases 1 and 2). A transaction is committed when a quorum has it on disk. A leader that did not
hear of a quorum for ``syncLimit`` ticks gives up, so does one whose zxids run out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from impl.coordination import txns
from impl.coordination.config import Config
from impl.coordination.protocol.errors import Code
from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.opcodes import Op
from impl.coordination.protocol.records import PATH_ONLY, PathOnly
from impl.coordination.replica import Pending, Replica
from impl.coordination.requests import Request
from impl.coordination.tree import Result
from impl.coordination.txns import Txn, epoch_of, zxid_of
from impl.coordination.zab.containers import Containers
from impl.coordination.zab.discovery import Discovery
from impl.coordination.zab.gathering import Gathering
from impl.coordination.zab.learners import Learner, past_of, past_of_learner
from impl.coordination.zab.link import Link
from impl.coordination.zab.listener import Listener
from impl.coordination.zab.messages import (
    Ack,
    Commit,
    EpochAck,
    Message,
    Moved,
    NewLeaderAck,
    Ping,
    Pong,
    Proposal,
    Revalidate,
    Revalidated,
    Sync,
    Synced,
    UpToDate,
)
from impl.coordination.zab.roles import Abdicated, Service
from impl.coordination.zab.syncs import Syncs

if TYPE_CHECKING:
    from impl.coordination.parts import Parts

_log = logging.getLogger(__name__)


class Leader:
    """One server's time in office; see ``zab.roles.Role``. ``wall_ms`` dates transactions."""

    def __init__(
        self,
        config: Config,
        replica: Replica,
        service: Service,
        parts: Parts,
        wall_ms: Callable[[], int],
    ) -> None:
        self._config = config
        self._replica = replica
        self._service = service
        self._parts = parts
        self._wall_ms = wall_ms
        self._loop = asyncio.get_running_loop()
        self._discovery = Discovery(config, replica.store, self._give_up)
        self._new_leader_acks = Gathering(config.voters)
        self._established = False
        self._serving = False
        self._learners: dict[int, Learner] = {}
        self._acks: dict[int, int] = {}
        self._zxid = 0
        self._committed = 0
        self._ping = 0
        self._ping_due = False
        self._syncs = Syncs()
        self._fatal: asyncio.Future[None] = self._loop.create_future()
        self._tracker = parts.tracker(config.tick_s)
        self._preparer = parts.preparer(replica.tree, enforce_quotas=config.enforce_quotas)
        self._containers = Containers(replica.tree, config.container_check_ms)

    @property
    def mode(self) -> str:
        return "leader" if len(self._config.servers) > 1 else "standalone"

    @property
    def epoch(self) -> int:
        """The epoch of this time in office; 0 before it is known."""
        return self._discovery.epoch

    async def run(self) -> None:
        """Lead until it is no longer possible. Raises Abdicated, and DiskFailed."""
        me = self._config.servers[self._config.me]
        try:
            async with AsyncExitStack() as stack:
                if len(self._config.servers) > 1:
                    listener = Listener(me.host, me.port, self._attend, self._fail)
                    await stack.enter_async_context(listener)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._reign())
                    tasks.create_task(self._replica.store.log.run(self._durable))
                    tasks.create_task(self._until_fatal())
        finally:
            self._serving = False
            for learner in self._learners.values():
                learner.link.close()

    async def _until_fatal(self) -> None:
        await self._fatal

    def _give_up(self, why: str) -> None:
        self._fail(Abdicated(why))

    def _fail(self, error: BaseException) -> None:
        self._serving = False
        if not self._fatal.done():
            self._fatal.set_exception(error)

    async def _reign(self) -> None:
        config = self._config
        try:
            async with asyncio.timeout(config.init_limit * config.tick_s):
                await self._discovery.run()
                await self._establish()
        except TimeoutError:
            raise Abdicated(f"no quorum followed within {config.init_limit} ticks") from None
        self._begin()
        while True:
            self._send_ping()
            self._expire_sessions()
            self._expire_containers()
            await asyncio.sleep(config.tick_s / 2)
            self._check_quorum()

    # --- synchronisation ----------------------------------------------------------------------

    async def _establish(self) -> None:
        store = self._replica.store
        await store.log.sync()
        await store.epochs.enter(self.epoch)
        self._acks[self._config.me] = store.log.durable
        self._new_leader_acks.add(self._config.me)
        await self._new_leader_acks.quorum.wait()

    def _begin(self) -> None:
        """A quorum has this leader's history: all of it is committed."""
        _log.info("leading epoch %d from %#x on", self.epoch, self._replica.store.log.last)
        self._established = True
        self._zxid = zxid_of(self.epoch, 0)
        self._committed = self._replica.store.log.last
        self._replica.commit(self._committed, self._service.applied)
        self._serving = True
        now_s = self._loop.time()
        for session, (timeout_ms, _) in self._replica.tree.sessions.items():
            self._tracker.add(session, timeout_ms / 1000, now_s)
        self._service.start(self)
        for learner in list(self._learners.values()):
            if learner.new_leader:
                self._activate(learner)

    def _activate(self, learner: Learner) -> None:
        learner.active = True
        learner.send(Commit(self._committed))
        learner.send(UpToDate())

    async def _attend(self, link: Link) -> None:
        """Serve one learner until its connection ends."""
        limit_s = self._config.init_limit * self._config.tick_s
        learner: Learner | None = None
        try:
            async with asyncio.timeout(limit_s):
                server, ack = await self._discovery.meet(link)
                learner = await self._synchronise(server, link, ack)
                await self._hear_first(learner)
            await link.attend(partial(self._handle, learner))
        except (OSError, Malformed, TimeoutError) as error:
            _log.info("learner %s left: %s", learner.server if learner else "?", error)
        finally:
            if learner is not None and self._learners.get(learner.server) is learner:
                del self._learners[learner.server]

    async def _synchronise(self, server: int, link: Link, ack: EpochAck) -> Learner:
        if server in self._learners:
            self._learners[server].link.close()
        learner = self._learners[server] = Learner(server, link)
        plan = self._parts.plan(past_of(self._replica), past_of_learner(ack))
        _log.info("server %d at %#x gets %s from %#x", server, ack.last_zxid, plan.way.value, plan.zxid)
        await learner.synchronise(self._replica, self.epoch, plan)
        return learner

    async def _hear_first(self, learner: Learner) -> None:
        ack = await learner.link.expect(NewLeaderAck)
        learner.new_leader = True
        self._acks[learner.server] = ack.zxid
        self._new_leader_acks.add(learner.server)
        if self._established:
            self._activate(learner)
            self._try_commit()

    # --- broadcast ----------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        if not self._serving:
            return
        zxid = self._parts.next_zxid(self._zxid, self._config.max_counter)
        if zxid is None:
            self._give_up("the zxids of this epoch are used up")
            return
        self._zxid = zxid
        txn = self._prepare(request, zxid)
        data = txns.encode(txn)
        proposal = Proposal(request.server, request.tag, data)
        # First on its way to the others, so that their disks work while this server's does.
        for learner in self._learners.values():
            learner.send(proposal)
        self._replica.propose(txn, data, request.server, request.tag)

    def _prepare(self, request: Request, zxid: int) -> Txn:
        now_s, wall_ms = self._loop.time(), self._wall_ms()
        if request.op == Op.CREATE_SESSION:
            txn = self._preparer.prepare(request, zxid, wall_ms)
            self._tracker.add(request.session, txn.body.timeout_ms / 1000, now_s, owner=request.server)
            return txn
        if request.server:
            code = self._tracker.heard(request.session, request.server, now_s)
            if code != Code.OK:
                return self._preparer.refuse(request, zxid, wall_ms, code)
        if request.op == Op.CLOSE_SESSION:
            self._tracker.closing(request.session)
        return self._preparer.prepare(request, zxid, wall_ms)

    def _durable(self, zxid: int) -> None:
        self._acks[self._config.me] = zxid
        self._try_commit()

    def _try_commit(self) -> None:
        if not self._established:
            return
        zxid = self._parts.committed(self._acks, self._config.voters)
        if zxid <= self._committed or epoch_of(zxid) != self.epoch:
            return
        self._committed = zxid
        for learner in self._learners.values():
            if learner.active:
                learner.send(Commit(zxid))
                learner.link.flush()
        self._replica.commit(zxid, self._applied)
        self._finish_syncs()

    def _applied(self, entry: Pending, result: Result) -> None:
        self._preparer.applied(entry.txn.zxid)
        if result.op == Op.CLOSE_SESSION:
            self._tracker.remove(entry.txn.header.session)
        self._service.applied(entry, result)

    # --- learners -----------------------------------------------------------------------------

    def _handle(self, learner: Learner, message: Message) -> None:
        handle = _HANDLERS.get(type(message))
        if handle is None:
            raise Malformed(f"a {type(message).__name__} came from a learner")
        handle(self, learner, message)

    def _ack(self, learner: Learner, message: Ack) -> None:
        self._acks[learner.server] = message.zxid
        self._try_commit()

    def _pong(self, learner: Learner, message: Pong) -> None:
        learner.pong = message.number
        now_s = self._loop.time()
        for session in message.sessions:
            self._tracker.touch(session, now_s)
        self._finish_syncs()

    def _request(self, learner: Learner, message: Request) -> None:
        self.submit(message._replace(server=learner.server))

    def _sync(self, learner: Learner, message: Sync) -> None:
        self._tracker.heard(message.session, learner.server, self._loop.time())
        self._wait_for_sync(learner.server, message.tag)

    def _revalidate(self, learner: Learner, message: Revalidate) -> None:
        timeout_ms = self._take_over(learner.server, message.session, message.password or b"")
        learner.send(Revalidated(message.tag, message.session, timeout_ms))

    # --- pings, quorum, sync ------------------------------------------------------------------

    def _send_ping(self) -> None:
        self._ping_due = False
        self._ping += 1
        for learner in self._learners.values():
            if learner.active:
                learner.send(Ping(self._ping))

    def _check_quorum(self) -> None:
        limit_s = self._config.sync_limit * self._config.tick_s
        oldest_s = self._loop.time() - limit_s
        with_me = {self._config.me: None}
        for server, learner in list(self._learners.items()):
            if learner.link.heard_s >= oldest_s:
                with_me[server] = None
            elif learner.active:
                learner.link.close()
        if not self._parts.has_quorum(with_me, self._config.voters):
            raise Abdicated(f"of the voters only {list(with_me)} were heard of in {limit_s:.1f} s")

    def sync(self, tag: int, session: int) -> None:
        self._wait_for_sync(self._config.me, tag)

    def _wait_for_sync(self, server: int, tag: int) -> None:
        """Answer when all that is proposed by now is applied, and a quorum still follows."""
        self._syncs.add(self._ping + 1, self._zxid, server, tag)
        if not self._ping_due:
            self._ping_due = True
            self._loop.call_soon(self._confirm)

    def _confirm(self) -> None:
        self._send_ping()
        self._finish_syncs()

    def _finish_syncs(self) -> None:
        if not self._syncs or not self._serving:
            return
        pongs = {server: learner.pong for server, learner in self._learners.items()}
        pongs[self._config.me] = self._ping
        confirmed = self._parts.confirmed(pongs, self._config.voters)
        for server, tag in self._syncs.take(confirmed, self._committed):
            if server == self._config.me:
                self._service.synced(tag)
            elif server in self._learners:
                self._learners[server].send(Synced(tag))

    # --- sessions -----------------------------------------------------------------------------

    def touch(self, session: int) -> None:
        self._tracker.touch(session, self._loop.time())

    def revalidate(self, tag: int, session: int, password: bytes) -> None:
        timeout_ms = self._take_over(self._config.me, session, password)
        self._service.revalidated(tag, timeout_ms)

    def _take_over(self, server: int, session: int, password: bytes) -> int:
        """Give the session to ``server``; its timeout in milliseconds, 0 if there is none such."""
        known = self._replica.tree.sessions.get(session)
        if known is None or known.password != password:
            return 0
        before = self._tracker.move(session, server, self._loop.time())
        if before is None:
            return 0
        if before == self._config.me != server:
            self._service.moved(session)
        elif before != server and before in self._learners:
            self._learners[before].send(Moved(session))
        return known.timeout_ms

    def _expire_sessions(self) -> None:
        for session in self._tracker.expired(self._loop.time()):
            _log.info("session %#x has expired", session)
            self.submit(Request(0, 0, session, 0, Op.CLOSE_SESSION, b"", ()))

    def _expire_containers(self) -> None:
        for path in self._containers.expired(self._loop.time()):
            payload = PATH_ONLY.encode(PathOnly(path))
            self.submit(Request(0, 0, 0, 0, Op.DELETE_CONTAINER, payload, ()))


_Handler: TypeAlias = Callable[[Leader, Learner, Any], None]
_HANDLERS: Mapping[type[Any], _Handler] = MappingProxyType(
    {
        Ack: Leader._ack,
        Pong: Leader._pong,
        Request: Leader._request,
        Sync: Leader._sync,
        Revalidate: Leader._revalidate,
    }
)
