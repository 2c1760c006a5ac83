"""A follower or observer: discovery, synchronisation and broadcast, from the learner's side.

Phases 1 to 3 of Zab (Junqueira et al., DSN 2011): promise the epoch, take over the leader's history,
then log what is proposed and apply what is committed. Whatever is promised or acknowledged is on disk
before. A leader that falls silent for ``syncLimit`` ticks is left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from impl.coordination import txns
from impl.coordination.config import Config
from impl.coordination.protocol.jute import Malformed
from impl.coordination.replica import Replica
from impl.coordination.requests import Request
from impl.coordination.storage.log import follows
from impl.coordination.storage.snapshot import Assembler
from impl.coordination.zab.link import Link, dial
from impl.coordination.zab.messages import (
    Ack,
    Commit,
    Diff,
    EpochAck,
    LeaderInfo,
    LearnerInfo,
    Message,
    Moved,
    NewLeader,
    NewLeaderAck,
    Ping,
    Pong,
    Proposal,
    Revalidate,
    Revalidated,
    SnapshotChunk,
    Sync,
    Synced,
    Truncate,
    UpToDate,
)
from impl.coordination.zab.roles import Abdicated, Service

_log = logging.getLogger(__name__)
_DIAL_AGAIN_S, _LONGEST_PAUSE_S = 0.01, 0.2


class Follower:
    """One server's time under the leader ``leader``; see ``zab.roles.Role``."""

    def __init__(self, config: Config, replica: Replica, service: Service, leader: int) -> None:
        self._config = config
        self._replica = replica
        self._service = service
        self._leader = leader
        self._link: Link | None = None
        self._touched: dict[int, None] = {}

    @property
    def mode(self) -> str:
        return "observer" if self._config.observer else "follower"

    async def run(self) -> None:
        """Follow until the leader is lost. Raises Abdicated, OSError, TimeoutError or Malformed."""
        config = self._config
        link = self._link = await self._dial()
        try:
            async with asyncio.timeout(config.init_limit * config.tick_s):
                await self._discover(link)
                await self._synchronise(link)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._replica.store.log.run(self._durable))
                tasks.create_task(self._watch(link))
                tasks.create_task(link.attend(self._obey))
        finally:
            link.close()

    async def _dial(self) -> Link:
        config, leader = self._config, self._config.servers[self._leader]
        async with asyncio.timeout(config.sync_limit * config.tick_s):
            pause_s = _DIAL_AGAIN_S
            while True:
                try:
                    return await dial(leader.host, leader.port, config.me, config.tick_s)
                except OSError:
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    # --- discovery ----------------------------------------------------------------------------

    async def _discover(self, link: Link) -> None:
        epochs, log = self._replica.store.epochs, self._replica.store.log
        link.send(LearnerInfo(self._config.me, epochs.accepted, self._config.observer))
        epoch = (await link.expect(LeaderInfo)).epoch
        if epoch < epochs.accepted:
            raise Abdicated(f"epoch {epoch} was offered and {epochs.accepted} is promised")
        fresh = epoch > epochs.accepted
        if fresh:
            await epochs.accept(epoch)
        link.send(EpochAck(fresh, epochs.current, log.last, tuple(log.ends)))

    # --- synchronisation ----------------------------------------------------------------------

    async def _synchronise(self, link: Link) -> None:
        match await link.receive():
            case Diff():
                pass
            case Truncate(zxid=zxid):
                await self._truncate(zxid)
            case SnapshotChunk(chunk=chunk):
                await self._install(link, chunk or b"")
            case other:
                raise Malformed(f"a {type(other).__name__} came instead of the leader's history")
        while not isinstance(message := await link.receive(), NewLeader):
            if not isinstance(message, Proposal):
                raise Malformed(f"a {type(message).__name__} came amid the leader's history")
            self._propose(message)
        store = self._replica.store
        await store.log.sync()
        if message.epoch != store.epochs.current:
            await store.epochs.enter(message.epoch)
        link.send(NewLeaderAck(message.epoch, store.log.durable))

    async def _truncate(self, zxid: int) -> None:
        _log.info("forgetting what is logged after %#x", zxid)
        try:
            await self._replica.truncate(zxid)
        except ValueError as error:
            raise Abdicated(str(error)) from None

    async def _install(self, link: Link, chunk: bytes) -> None:
        assembler = Assembler()
        while (frozen := assembler.add(chunk)) is None:
            chunk = (await link.expect(SnapshotChunk)).chunk or b""
        _log.info("taking over the leader's snapshot of %#x", frozen.zxid)
        await self._replica.install(frozen)

    # --- broadcast ----------------------------------------------------------------------------

    def _obey(self, message: Message) -> None:
        handle = _HANDLERS.get(type(message))
        if handle is None:
            raise Malformed(f"a {type(message).__name__} came from the leader")
        handle(self, message)

    async def _watch(self, link: Link) -> None:
        limit_s = self._config.sync_limit * self._config.tick_s
        loop = asyncio.get_running_loop()
        while (silent_s := loop.time() - link.heard_s) < limit_s:
            await asyncio.sleep(limit_s - silent_s)
        raise Abdicated(f"the leader, {self._leader}, was silent for {silent_s:.1f} s")

    def _propose(self, message: Proposal) -> None:
        data = message.txn or b""
        txn = txns.decode(data)
        if not follows(txn.zxid, self._replica.store.log.last):
            raise Malformed(f"{txn.zxid:#x} was proposed after {self._replica.store.log.last:#x}")
        self._replica.propose(txn, data, message.server, message.tag)

    def _durable(self, zxid: int) -> None:
        self._send(Ack(zxid))
        if self._link is not None:
            self._link.flush()

    def _commit(self, message: Commit) -> None:
        self._replica.commit(message.zxid, self._service.applied)

    def _up_to_date(self, message: UpToDate) -> None:
        self._service.start(self)

    def _pong(self, message: Ping) -> None:
        sessions = tuple(self._touched)
        self._touched.clear()
        self._send(Pong(message.number, sessions))

    def _synced(self, message: Synced) -> None:
        self._service.synced(message.tag)

    def _revalidated(self, message: Revalidated) -> None:
        self._service.revalidated(message.tag, message.timeout_ms)

    def _moved(self, message: Moved) -> None:
        self._service.moved(message.session)

    # --- for clients --------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        self._send(request)

    def sync(self, tag: int, session: int) -> None:
        self._send(Sync(tag, session))

    def revalidate(self, tag: int, session: int, password: bytes) -> None:
        self._send(Revalidate(tag, session, password))

    def touch(self, session: int) -> None:
        self._touched[session] = None

    def _send(self, message: Any) -> None:
        if self._link is not None:
            self._link.send(message)


_Handler: TypeAlias = Callable[[Follower, Any], None]
_HANDLERS: Mapping[type[Any], _Handler] = MappingProxyType(
    {
        Proposal: Follower._propose,
        Commit: Follower._commit,
        Ping: Follower._pong,
        UpToDate: Follower._up_to_date,
        Synced: Follower._synced,
        Revalidated: Follower._revalidated,
        Moved: Follower._moved,
    }
)
