"""What a client knows of the cluster: brokers, and who leads which partition, as any broker tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from impl.queue.client.connection import Address
from impl.queue.protocol.errors import Code

NO_LEADER = -1
NO_EPOCH = -1


class TopicPartition(NamedTuple):
    """Which partition."""

    topic: str
    partition: int


class Leadership(NamedTuple):
    """Who leads a partition; -1 for nobody, and for an epoch that the broker doesn't tell."""

    leader: int
    epoch: int
    replicas: tuple[int, ...] = ()
    isr: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: its partitions by number, and the error if there are none."""

    name: str
    error: Code
    partitions: Mapping[int, Leadership]
    available: tuple[int, ...]
    """Partitions that have a leader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """One picture of the cluster."""

    cluster_id: str | None = None
    controller: int = -1
    brokers: Mapping[int, Address] = field(default_factory=lambda: MappingProxyType({}))
    topics: Mapping[str, Topic] = field(default_factory=lambda: MappingProxyType({}))

    def leadership(self, partition: TopicPartition) -> Leadership | None:
        """Who leads ``partition``, if it is known."""
        topic = self.topics.get(partition.topic)
        return topic.partitions.get(partition.partition) if topic is not None else None


def updated(before: Metadata, body: Any, *, all_topics: bool) -> Metadata:
    """The picture after the answer ``body``. Topics that it doesn't mention stay as they were, unless it
    is about ``all_topics``.

    A leader of an older epoch than the known one is news from before (KIP-320) and not taken, unless
    the topic may be another one of that name.
    """
    topics = {} if all_topics else dict(before.topics)
    for each in body.topics:
        topics[each.name] = _topic(each, before.topics.get(each.name))
    return Metadata(
        cluster_id=getattr(body, "cluster_id", None),
        controller=getattr(body, "controller_id", -1),
        brokers={each.node_id: Address(each.host, each.port) for each in body.brokers},
        topics=topics,
    )


def _topic(told: Any, before: Topic | None) -> Topic:
    partitions = {}
    for each in sorted(told.partitions, key=lambda one: int(one.partition_index)):
        new = Leadership(
            each.leader_id,
            getattr(each, "leader_epoch", NO_EPOCH),
            tuple(each.replica_nodes),
            tuple(each.isr_nodes),
        )
        old = before.partitions.get(each.partition_index) if before is not None else None
        stale = old is not None and NO_EPOCH < new.epoch < old.epoch and old.replicas == new.replicas
        partitions[each.partition_index] = old if stale and old is not None else new
    available = tuple(number for number, who in partitions.items() if who.leader != NO_LEADER)
    return Topic(told.name, told.error_code, partitions, available)
