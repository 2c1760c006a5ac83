"""What a consumer's poll does about its group: give up, join, take over, and tell who listens.

Everything that changes the assignment happens here, inside of a poll: between two polls a consumer may
rely on what it has. Eagerly, all is given up before joining; cooperatively, only what goes to somebody
else, and reading goes on meanwhile (KIP-429).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from impl.queue.client.errors import DidNotHappen
from impl.queue.client.group import Group, Joined, Lost
from impl.queue.client.metadata import TopicPartition
from impl.queue.client.positions import Position
from impl.queue.protocol.membership import NO_GENERATION

_log = logging.getLogger(__name__)
Told = Awaitable[None] | None


class RebalanceListener(Protocol):
    """Who wants to know. Each method may be a coroutine; the poll waits for it."""

    def revoked(self, partitions: Sequence[TopicPartition]) -> Told:
        """These go to somebody else once this returns; what was read of them can still be committed."""

    def assigned(self, partitions: Sequence[TopicPartition]) -> Told:
        """These are new; reading begins once this returns."""

    def lost(self, partitions: Sequence[TopicPartition]) -> Told:
        """These may belong to somebody else already; a commit for them is refused."""


class Rebalance:
    """See the module. ``owned`` are the positions by partition; ``commit`` commits them, if that is
    automatic, before they are given up."""

    def __init__(
        self,
        group: Group,
        owned: dict[TopicPartition, Position],
        commit: Callable[[Iterable[TopicPartition]], Awaitable[None]],
    ) -> None:
        self.listener: RebalanceListener | None = None
        self.topics: tuple[str, ...] = ()
        self._group = group
        self._owned = owned
        self._commit = commit
        self._join: asyncio.Task[Joined] | None = None

    @property
    def due(self) -> bool:
        """Whether the next poll has something to do here."""
        group = self._group
        waiting = self._join is not None and not self._join.done()
        if group.lost is not None or group.fatal is not None:
            return True
        return not waiting and bool(self.topics) and (self._join is not None or self._must_join)

    @property
    def under_way(self) -> asyncio.Task[Joined] | None:
        """The joining that is under way."""
        return self._join

    @property
    def _must_join(self) -> bool:
        return self._group.rejoin or self._group.generation == NO_GENERATION

    def change_topics(self, topics: tuple[str, ...]) -> None:
        """Another subscription: the next poll joins with it."""
        if topics != self.topics:
            self.topics = topics
            self._group.rejoin = True

    async def attend(self) -> None:
        """Do what is due, without waiting for others. Raises what ends the membership for good."""
        group = self._group
        if group.fatal is not None:
            await self._lose()
            raise group.fatal
        if self._join is not None and self._join.done():
            await self._joined()
        if group.lost is not None:
            await self._stop_joining()
            _log.warning("group %s: %s", group.coordinator.id, group.lost)
            await self._lose()
            group.forget(member=group.settings.instance_id is None)
        if self._join is None and self.topics and self._must_join:
            if not group.settings.cooperative:
                await self._give_up(tuple(self._owned))
            owned = tuple(self._owned)
            self._join = asyncio.get_running_loop().create_task(group.join(self.topics, owned))

    async def _joined(self) -> None:
        join, self._join = self._join, None
        assert join is not None
        try:
            joined = join.result()
        except Lost as error:
            self._group.lost = self._group.lost or str(error)
            return
        except DidNotHappen as error:
            self._group.fatal = error
            await self._lose()
            raise
        gone = [each for each in self._owned if each not in joined.partitions]
        new = [each for each in joined.partitions if each not in self._owned]
        await self._give_up(gone)
        for partition in new:
            self._owned[partition] = Position(partition)
        await self._tell("assigned", new)
        if gone and joined.assignor.cooperative:
            self._group.rejoin = True  # now that it is free, somebody waits for it

    async def _give_up(self, partitions: Sequence[TopicPartition]) -> None:
        if not partitions:
            return
        await self._commit(partitions)
        await self._tell("revoked", partitions)
        for partition in partitions:
            self._owned.pop(partition, None)

    async def _lose(self) -> None:
        partitions = tuple(self._owned)
        self._owned.clear()
        if partitions:
            await self._tell("lost", partitions)

    async def _tell(self, what: str, partitions: Sequence[TopicPartition]) -> None:
        if self.listener is None:
            return
        told = getattr(self.listener, what)(partitions)
        if inspect.isawaitable(told):
            await told

    async def _stop_joining(self) -> None:
        join, self._join = self._join, None
        if join is not None:
            join.cancel()
            await asyncio.gather(join, return_exceptions=True)

    async def leave(self) -> None:
        """Give everything up and leave the group."""
        await self._stop_joining()
        if self._group.lost is None and self._group.fatal is None:
            await self._give_up(tuple(self._owned))
        else:
            await self._lose()
        await self._group.leave()
        self._group.forget()
