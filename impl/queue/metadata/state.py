"""The seam to where the cluster's state is kept: on this broker's disk, or in znodes.

Whoever implements it changes the state only by compare-and-set, and tells of each change by a new
image. Every method that changes a topic returns once the image shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from impl.queue.metadata.image import Image, PartitionKey, PartitionState

if TYPE_CHECKING:
    from impl.queue.metadata.controller import Controller

Assignment: TypeAlias = tuple[tuple[int, ...], ...]
"""The replicas of each partition, the preferred leader first."""

OnChange: TypeAlias = Callable[[Image, Image], None]
"""Told the image before and the image after."""


class ClusterState(Protocol):
    """What a broker asks of the cluster's state. All raise ApiError with the code for the client."""

    @property
    def image(self) -> Image:
        """The newest picture this broker has."""

    @property
    def alone(self) -> bool:
        """Whether this broker is the whole cluster, for good."""

    @property
    def epoch(self) -> int:
        """The epoch of this broker's registration; -1 while it has none that the image shows."""

    @property
    def certain(self) -> bool:
        """Whether nobody can have taken this broker for dead, so that what the image says it leads it
        leads."""

    @property
    def controller(self) -> Controller | None:
        """The controller's part, while this broker is it."""

    def watch(self, changed: OnChange) -> None:
        """Call ``changed`` after every change of the image."""

    async def run(self) -> None:
        """Keep the image up to date, forever."""

    async def ready(self) -> None:
        """Return when there is an image that shows this broker."""

    async def leave(self) -> None:
        """This broker is about to stop: return when it leads nothing that another can lead."""

    async def close(self) -> None:
        """Say that this broker is gone."""

    async def create_topic(self, name: str, assignment: Assignment, settings: Mapping[str, str]) -> None:
        """Raises TOPIC_ALREADY_EXISTS."""

    async def delete_topic(self, name: str) -> None:
        """Raises UNKNOWN_TOPIC_OR_PARTITION."""

    async def add_partitions(self, name: str, assignment: Assignment) -> None:
        """Append partitions. Raises UNKNOWN_TOPIC_OR_PARTITION."""

    async def change_settings(self, name: str, settings: Mapping[str, str | None]) -> None:
        """Set, or with None unset, settings of a topic. Raises UNKNOWN_TOPIC_OR_PARTITION."""

    async def prefer(self, name: str, partitions: Collection[int]) -> None:
        """Have these partitions of a topic led by their first replicas, where those are in sync.

        Raises UNKNOWN_TOPIC_OR_PARTITION.
        """

    async def move(self, name: str, targets: Mapping[int, Sequence[int] | None]) -> None:
        """Have the replicas of these partitions of a topic moved, the preferred leader first.

        None calls off a move. Returns when it is under way. Raises UNKNOWN_TOPIC_OR_PARTITION,
        INVALID_REPLICA_ASSIGNMENT, NO_REASSIGNMENT_IN_PROGRESS.
        """

    async def change_isr(
        self, key: PartitionKey, members: Mapping[int, int], seen: PartitionState
    ) -> None:
        """Set the ISR, by broker and epoch, if the state is still ``seen``.

        Raises FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION or INELIGIBLE_REPLICA when it is refused, and
        REQUEST_TIMED_OUT when it may have happened or yet may.
        """

    async def producer_ids(self) -> range:
        """A block of producer ids that nobody was given before and nobody will be again."""
