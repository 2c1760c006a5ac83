"""A server among its peers: look for a leader, lead or follow, and look again when that ends."""

from __future__ import annotations

import asyncio
import logging

from impl.coordination.config import Config
from impl.coordination.parts import Parts
from impl.coordination.protocol.jute import Malformed
from impl.coordination.replica import Replica
from impl.coordination.zab.election import NOBODY, Election, State, Vote
from impl.coordination.zab.messages import Notification
from impl.coordination.zab.postbox import Postbox
from impl.coordination.zab.roles import Abdicated, Alone, Service
from impl.host import Host

_log = logging.getLogger(__name__)
_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_READ_ONLY_AFTER_S = 2.0
_NS_PER_MS = 1_000_000


class Peer:
    """One server's part in replication."""

    def __init__(
        self, host: Host, config: Config, replica: Replica, service: Service, parts: Parts
    ) -> None:
        self._host = host
        self._config = config
        self._replica = replica
        self._service = service
        self._parts = parts
        self._election = Election(config.me, config.voters, self._send)
        self._postbox = Postbox(config, self._election.receive)

    def _send(self, server: int, notification: Notification) -> None:
        self._postbox.send(server, notification)

    async def run(self) -> None:
        """Take part until cancelled. Raises DiskFailed, and OSError if a port cannot be used."""
        async with asyncio.TaskGroup() as tasks:
            if len(self._config.servers) > 1:
                tasks.create_task(self._postbox.run())
            tasks.create_task(self._terms())

    async def _terms(self) -> None:
        loop, pause_s = asyncio.get_running_loop(), _PAUSE_S
        while True:
            vote = await self._look()
            began_s = loop.time()
            self._election.settle(self._state(vote))
            try:
                # In a task of its own: a task group that fails while it is cancelled raises its
                # errors and forgets the cancellation, so it must not be this task that it forgets.
                await asyncio.create_task(self._term(vote))
            except* (Abdicated, OSError, TimeoutError, Malformed) as ended:
                _log.info("looking for a leader again: %s", _reasons(ended))
            finally:
                self._service.stop()
            _go_on_if_not_cancelled()
            # Terms that end as soon as they begin would follow one another for ever, and each has its
            # fsyncs, connections and votes: where the reason stays, they become rare.
            short = loop.time() - began_s < self._config.tick_s
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S) if short else _PAUSE_S
            await asyncio.sleep(pause_s * self._host.random.random())

    async def _look(self) -> Vote:
        """Find a leader; if that takes long, serve those who are content with reading meanwhile."""
        if not self._config.read_only:
            return await self._election.look(self._my_vote())
        loop = asyncio.get_running_loop()
        patience_s = max(_READ_ONLY_AFTER_S, self._config.tick_s)
        timer = loop.call_later(patience_s, self._service.start, Alone())
        try:
            return await self._election.look(self._my_vote())
        finally:
            timer.cancel()
            self._service.stop()

    async def _term(self, vote: Vote) -> None:
        async with asyncio.TaskGroup() as tasks:
            doubt = tasks.create_task(self._doubt(vote))
            await self._act(vote)
            doubt.cancel()

    async def _doubt(self, vote: Vote) -> None:
        """Not to wait for a leader that others do not follow. Who serves knows better than votes do."""
        await self._election.contradicted()
        if not self._service.serving:
            raise Abdicated(f"the others do not follow server {vote.leader}")

    async def _act(self, vote: Vote) -> None:
        if vote.leader == self._config.me:
            _log.info("elected, with history up to %#x of epoch %d", vote.zxid, vote.epoch)
            await self._parts.leader(
                self._config, self._replica, self._service, self._parts, self._wall_ms
            ).run()
        else:
            _log.info("following server %d", vote.leader)
            await self._parts.follower(self._config, self._replica, self._service, vote.leader).run()

    def _my_vote(self) -> Vote:
        if self._config.observer:
            return NOBODY
        store = self._replica.store
        return Vote(store.epochs.current, store.log.last, self._config.me)

    def _state(self, vote: Vote) -> State:
        if vote.leader == self._config.me:
            return State.LEADING
        return State.OBSERVING if self._config.observer else State.FOLLOWING

    def _wall_ms(self) -> int:
        return self._host.wall_clock_ns() // _NS_PER_MS


def _go_on_if_not_cancelled() -> None:
    """Raise CancelledError if that is what this task has coming."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _reasons(group: BaseExceptionGroup[BaseException]) -> str:
    """What ended a term, in one line."""
    reasons: list[str] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            reasons.append(_reasons(error))
        else:
            reasons.append(str(error) or type(error).__name__)
    return "; ".join(reasons)
