"""The cluster's state of a broker that is alone: one file on its disk, replaced at every change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson

from impl.host import Host
from impl.queue.metadata.image import Broker, Image, PartitionKey, PartitionState, Topic
from impl.queue.metadata.state import Assignment, OnChange
from impl.queue.protocol.errors import ApiError, Code

FILE = "cluster.json"
_BLOCK = 1000
_log = logging.getLogger(__name__)


class LocalState:
    """See ``state.ClusterState``; open it with ``open_local``."""

    def __init__(self, host: Host, image: Image, next_producer_id: int) -> None:
        self.image = image
        self._host = host
        self._next_producer_id = next_producer_id
        self._watchers: list[OnChange] = []
        self._changing = asyncio.Lock()

    alone = True
    certain = True
    epoch = 0
    controller = None

    def watch(self, changed: OnChange) -> None:
        self._watchers.append(changed)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def ready(self) -> None:
        """There is nobody to wait for."""

    async def leave(self) -> None:
        """There is nobody to take over."""

    async def close(self) -> None:
        """There is nobody to tell."""

    async def create_topic(self, name: str, assignment: Assignment, settings: Mapping[str, str]) -> None:
        async with self._changing:
            if name in self.image.topics:
                raise ApiError(Code.topic_already_exists, f"Topic '{name}' already exists.")
            topic = Topic(
                name=name,
                id=UUID(bytes=self._host.random.randbytes(16), version=4),
                partitions=tuple(_fresh(replicas) for replicas in assignment),
                settings=MappingProxyType(dict(settings)),
            )
            await self._put(topic)

    async def delete_topic(self, name: str) -> None:
        async with self._changing:
            self._topic(name)
            rest = {key: topic for key, topic in self.image.topics.items() if key != name}
            await self._change(rest)

    async def add_partitions(self, name: str, assignment: Assignment) -> None:
        async with self._changing:
            topic = self._topic(name)
            added = tuple(_fresh(replicas) for replicas in assignment)
            await self._put(replace(topic, partitions=topic.partitions + added))

    async def change_settings(self, name: str, settings: Mapping[str, str | None]) -> None:
        async with self._changing:
            topic = self._topic(name)
            merged = {**topic.settings, **settings}
            kept = {key: value for key, value in merged.items() if value is not None}
            await self._put(replace(topic, settings=MappingProxyType(kept)))

    async def prefer(self, name: str, partitions: Collection[int]) -> None:
        """Whoever is alone leads everything."""
        self._topic(name)

    async def move(self, name: str, targets: Mapping[int, Sequence[int] | None]) -> None:
        """There is nowhere to go, so no move is ever under way."""
        self._topic(name)
        if None in targets.values():
            raise ApiError(Code.no_reassignment_in_progress)

    async def change_isr(
        self, key: PartitionKey, members: Mapping[int, int], seen: PartitionState
    ) -> None:
        """Whoever is alone is in sync with itself for good."""
        raise ApiError(Code.invalid_request)

    async def producer_ids(self) -> range:
        async with self._changing:
            first = self._next_producer_id
            self._next_producer_id += _BLOCK
            await self._save(self.image)
            return range(first, first + _BLOCK)

    def _topic(self, name: str) -> Topic:
        topic = self.image.topics.get(name)
        if topic is None:
            raise ApiError(Code.unknown_topic_or_partition, f"there is no topic {name!r}")
        return topic

    async def _put(self, topic: Topic) -> None:
        await self._change({**self.image.topics, topic.name: topic})

    async def _change(self, topics: Mapping[str, Topic]) -> None:
        before, after = self.image, replace(self.image, topics=MappingProxyType(dict(topics)))
        await self._save(after)
        self.image = after
        for changed in self._watchers:
            changed(before, after)

    async def _save(self, image: Image) -> None:
        try:
            await self._host.disk.replace(FILE, _encode(image, self._next_producer_id))
        except OSError as error:
            raise ApiError(Code.kafka_storage_error, f"{FILE}: {error.strerror}") from error


async def open_local(host: Host, me: Broker, cluster_id: str) -> LocalState:
    """The state as it was, with a new leader epoch for every partition. Raises OSError, ValueError."""
    raw: Mapping[str, Any] = {}
    if host.disk.exists(FILE):
        raw = orjson.loads(host.disk.read(FILE))
    topics = {each["name"]: _topic(each, me.id) for each in raw.get("topics", ())}
    image = Image(
        cluster_id=cluster_id or raw.get("cluster_id") or host.random.randbytes(11).hex(),
        controller=me.id,
        brokers=MappingProxyType({me.id: me}),
        topics=MappingProxyType(topics),
    )
    state = LocalState(host, image, int(raw.get("next_producer_id", 0)))
    await state._save(image)
    return state


def _fresh(replicas: tuple[int, ...]) -> PartitionState:
    return PartitionState(
        leader=replicas[0], leader_epoch=0, replicas=replicas, isr=replicas, isr_epochs=(0,)
    )


def _encode(image: Image, next_producer_id: int) -> bytes:
    topics = [
        {
            "name": topic.name,
            "id": topic.id.hex,
            "settings": dict(topic.settings),
            "epochs": [each.leader_epoch for each in topic.partitions],
        }
        for topic in image.topics.values()
    ]
    return orjson.dumps(
        {"cluster_id": image.cluster_id, "next_producer_id": next_producer_id, "topics": topics}
    )


def _topic(raw: Mapping[str, Any], me: int) -> Topic:
    partitions = tuple(
        PartitionState(leader=me, leader_epoch=epoch + 1, replicas=(me,), isr=(me,), isr_epochs=(0,))
        for epoch in raw["epochs"]
    )
    settings = MappingProxyType(dict(raw["settings"]))
    return Topic(name=raw["name"], id=UUID(raw["id"]), partitions=partitions, settings=settings)
