"""What a consumer reads: partitions that it was told, or topics that its group shares out."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable

from impl.queue.client.cluster import Cluster
from impl.queue.client.coordinator import Coordinator
from impl.queue.client.group import Group, GroupSettings
from impl.queue.client.metadata import TopicPartition
from impl.queue.client.positions import Position
from impl.queue.client.rebalance import Rebalance, RebalanceListener
from impl.queue.topics import INTERNAL


class Subscription:
    """Assigned or subscribed, never both; ``positions`` are kept to what is to be read.

    ``coordinator`` is None without a group. ``commit`` commits partitions, if that is automatic, before
    they are given up; ``wake`` is called when the next poll has something to do. ``group`` and
    ``rebalance`` are None unless subscribed.
    """

    def __init__(
        self,
        cluster: Cluster,
        coordinator: Coordinator | None,
        settings: GroupSettings,
        positions: dict[TopicPartition, Position],
        *,
        commit: Callable[[Iterable[TopicPartition]], Awaitable[None]],
        wake: Callable[[], None],
    ) -> None:
        self.group: Group | None = None
        self.rebalance: Rebalance | None = None
        self._cluster = cluster
        self._coordinator = coordinator
        self._settings = settings
        self._positions = positions
        self._commit = commit
        self._wake = wake
        self._pattern: re.Pattern[str] | None = None
        self._assigned = False

    @property
    def due(self) -> bool:
        """Whether the next poll has something to do for the group; says that this consumer is alive."""
        if self.group is None or self.rebalance is None:
            return False
        self.group.polled()
        return self.rebalance.due

    def subscribe(
        self,
        topics: Iterable[str] | None,
        listener: RebalanceListener | None,
        pattern: str | re.Pattern[str] | None,
    ) -> None:
        """Have the group share ``topics`` out, or what ``pattern`` matches. Raises ValueError."""
        if self._coordinator is None:
            raise ValueError("subscribe needs a group_id; without a group, use assign")
        if self._assigned:
            raise ValueError("partitions were assigned; call unsubscribe first")
        names = None if topics is None else tuple(sorted(dict.fromkeys(topics)))
        if names == ():
            raise ValueError("subscribe to at least one topic; unsubscribe to read nothing")
        compiled = None if pattern is None else re.compile(pattern)
        if self.rebalance is None:
            self.group = Group(self._cluster, self._coordinator, self._settings, wake=self._wake)
            self.rebalance = Rebalance(self.group, self._positions, self._commit)
        self.rebalance.listener = listener or self.rebalance.listener
        self._pattern = compiled
        if names is None:
            self._cluster.watch_all()
            self.match()
            return
        self._cluster.watch(names)
        self.rebalance.change_topics(names)
        self._wake()

    def match(self) -> None:
        """Subscribe to what the pattern matches now; while nothing does it stays as it is."""
        if self._pattern is None or self.rebalance is None:
            return
        known = self._cluster.metadata.topics.values()
        found = [each.name for each in known if each.partitions and each.name not in INTERNAL]
        names = tuple(sorted(name for name in found if self._pattern.fullmatch(name)))
        if names and names != self.rebalance.topics:
            self.rebalance.change_topics(names)
            self._wake()

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Have exactly these partitions read. Raises ValueError after ``subscribe``."""
        if self.rebalance is not None:
            raise ValueError("the consumer is subscribed; call unsubscribe first")
        self._assigned = True
        wanted = [TopicPartition(*each) for each in dict.fromkeys(partitions)]
        self._cluster.watch(dict.fromkeys(each.topic for each in wanted))
        for gone in [each for each in self._positions if each not in wanted]:
            del self._positions[gone]
        for new in wanted:
            if new not in self._positions:
                self._positions[new] = Position(new)

    async def unsubscribe(self) -> None:
        """Have nothing read any more; leaves the group."""
        if self.rebalance is not None:
            await self.rebalance.leave()
            self.rebalance = None
        await self.close()
        self.group = None
        self._assigned = False
        self._pattern = None
        self._positions.clear()

    async def close(self) -> None:
        """End what the group has under way."""
        if self.group is not None:
            await self.group.close()
