"""Zab's phase 1 from the leader's side: a quorum promises an epoch that none of it promised before.

Source: Junqueira, Reed and Serafini, "Zab: High-performance broadcast for primary-backup systems",
2011, section IV. The history that a quorum then takes over is the leader's own, so none of those who
promised may know more than it does; elections see to that, and here it is checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from impl.coordination.config import Config
from impl.coordination.protocol.jute import Malformed
from impl.coordination.storage.store import Store
from impl.coordination.zab.gathering import Gathering
from impl.coordination.zab.link import Link, answer
from impl.coordination.zab.messages import EpochAck, LeaderInfo, LearnerInfo


class Discovery:
    """How one server that was elected finds its epoch; ``give_up(why)`` ends its time in office."""

    def __init__(self, config: Config, store: Store, give_up: Callable[[str], None]) -> None:
        self._config = config
        self._epochs = store.epochs
        self._give_up = give_up
        self._history = (store.epochs.current, store.log.last)
        self._epoch: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._promised = Gathering(config.voters)
        self._acks = Gathering(config.voters)
        self._accepted = 0

    @property
    def epoch(self) -> int:
        """The epoch of this time in office; 0 before it is known."""
        return self._epoch.result() if self._epoch.done() and not self._epoch.cancelled() else 0

    async def run(self) -> None:
        """Return when a quorum, this server among it, has promised the epoch. Raises DiskFailed."""
        self._promise(self._config.me, self._epochs.accepted)
        await self._promised.quorum.wait()
        epoch = self._accepted + 1
        await self._epochs.accept(epoch)
        self._epoch.set_result(epoch)
        self._acks.add(self._config.me)
        await self._acks.quorum.wait()

    async def meet(self, link: Link) -> tuple[int, EpochAck]:
        """Who connected, and the history it has, once a quorum promised. Raises Malformed, OSError."""
        server = await answer(link, self._config.tick_s)
        info = await link.expect(LearnerInfo)
        if server not in self._config.servers or server == self._config.me:
            raise Malformed(f"server {server} is not in the configuration")
        self._promise(server, info.accepted_epoch)
        epoch = await asyncio.shield(self._epoch)
        if info.accepted_epoch > epoch and not info.observer:
            # It will never follow this leader; a new election finds an epoch for all.
            self._give_up(f"server {server} has promised epoch {info.accepted_epoch}")
        link.send(LeaderInfo(epoch))
        ack = await link.expect(EpochAck)
        self._check_ahead(server, ack)
        await self._acks.quorum.wait()
        return server, ack

    def _promise(self, server: int, accepted: int) -> None:
        if not self._promised.quorum.is_set():
            self._accepted = max(self._accepted, accepted)
        self._promised.add(server)

    def _check_ahead(self, server: int, ack: EpochAck) -> None:
        """A learner that was counted on to follow must not know more than the leader does."""
        if self._acks.quorum.is_set() or not ack.counts:
            return
        if (ack.current_epoch, ack.last_zxid) > self._history:
            self._give_up(f"server {server} has the newer history")
            raise Malformed(f"server {server} is ahead of its leader")
        self._acks.add(server)
