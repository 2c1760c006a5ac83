"""The cluster as its brokers know it: an immutable picture, replaced by the next one when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

NO_LEADER = -1


class PartitionKey(NamedTuple):
    """Which partition."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Broker:
    """A live broker; ``listeners`` maps names to (host, port) as advertised.

    ``epoch`` tells its registrations apart: it grows with each, so also with each restart.
    """

    id: int
    listeners: Mapping[str, tuple[str, int]]
    rack: str | None = None
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionState:
    """Who holds a partition. ``version`` counts its changes, which go by compare-and-set.

    ``isr_epochs`` are the broker epochs in which the members of ``isr`` came into it.
    """

    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    isr_epochs: tuple[int, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where a partition's replicas are to be, and where they were; until they are, it has both."""

    target: tuple[int, ...]
    origin: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic: its id, which no later topic of that name shares, its partitions and own settings.

    ``moves`` are those of its partitions whose replicas are being moved.
    """

    name: str
    id: UUID
    partitions: tuple[PartitionState, ...]
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    moves: Mapping[int, Move] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Everything. ``controller`` is a broker's id, or -1.

    ``controller_epoch`` and ``version`` order images: the controller counts what it changes.
    """

    cluster_id: str
    controller: int = -1
    controller_epoch: int = 0
    version: int = 0
    brokers: Mapping[int, Broker] = field(default_factory=lambda: MappingProxyType({}))
    topics: Mapping[str, Topic] = field(default_factory=lambda: MappingProxyType({}))

    def partition(self, key: PartitionKey) -> PartitionState | None:
        """The state of a partition; None if there is no such."""
        topic = self.topics.get(key.topic)
        if topic is None or not 0 <= key.partition < len(topic.partitions):
            return None
        return topic.partitions[key.partition]

    def by_id(self, id: UUID) -> Topic | None:
        """The topic with this id."""
        return next((topic for topic in self.topics.values() if topic.id == id), None)

    def with_states(self, states: Mapping[PartitionKey, PartitionState]) -> Image:
        """The image in which these partitions are as given; those of unknown topics are left out."""
        topics = dict(self.topics)
        for key, state in states.items():
            topic = topics.get(key.topic)
            if topic is not None and key.partition < len(topic.partitions):
                parts = list(topic.partitions)
                parts[key.partition] = state
                topics[key.topic] = replace(topic, partitions=tuple(parts))
        return replace(self, topics=MappingProxyType(topics))


NO_STATE = PartitionState(leader=NO_LEADER, leader_epoch=-1, replicas=(), isr=(), version=-1)
"""Of a partition that the controller has not placed yet."""
