"""What the handlers of requests share: the parts of one broker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from impl.host import Host
from impl.queue import topics
from impl.queue.config import Config
from impl.queue.groups.coordinator import Coordinator
from impl.queue.metadata import assignment
from impl.queue.metadata.image import Image
from impl.queue.metadata.state import ClusterState
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.replication.replicas import Replicas
from impl.queue.serving.producer_ids import ProducerIds


@dataclass(slots=True, kw_only=True)
class Broker:
    """One broker. ``ready`` is set once it knows what it leads."""

    host: Host
    config: Config
    state: ClusterState
    replicas: Replicas
    coordinator: Coordinator
    producer_ids: ProducerIds
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _creating: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def image(self) -> Image:
        return self.state.image

    async def create(self, name: str, partitions: int, factor: int, **settings: str) -> None:
        """Create a topic spread over the brokers; when it exists already that is well."""
        brokers = sorted(self.image.brokers)
        spread = assignment.spread(brokers, partitions, factor, self.host.random)
        try:
            await self.state.create_topic(
                name, spread, {k.replace("_", "."): v for k, v in settings.items()}
            )
        except ApiError as error:
            if error.code is not Code.topic_already_exists:
                raise
        await self.replicas.settled()

    async def have_offsets_topic(self) -> None:
        """Create the offsets topic unless it is there."""
        async with self._creating:
            if topics.OFFSETS not in self.image.topics:
                factor = self.config.offsets_replication_factor
                await self.create(
                    topics.OFFSETS,
                    self.config.offsets_partitions,
                    1 if self.state.alone else factor,
                    cleanup_policy="compact",
                    segment_bytes=str(self.config.offsets_segment_bytes),
                    compression_type="producer",
                )
