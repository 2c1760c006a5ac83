"""What the queue workloads ask of a Kafka client, whoever wrote it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from cluster.api import Endpoint
from impl.queue.client.parts import CLIENTS, Clients

Partition: TypeAlias = int
Polled: TypeAlias = Mapping[Partition, Sequence[tuple[int, bytes]]]
"""Messages by partition: offset and value, in the order in which they came."""


class Message(NamedTuple):
    """To be sent; the client's own partitioner decides where no partition is given."""

    value: bytes
    partition: Partition | None = None
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a message: ``ok`` with its place, ``fail``: certainly not written, or ``info``."""

    type: Literal["ok", "fail", "info"]
    partition: Partition | None = None
    offset: int | None = None
    error: str | None = None


class CommitRefused(Exception):
    """The offsets were certainly not committed."""


class CommitUnknown(Exception):
    """The offsets may have been committed, or may be later."""


class Member(NamedTuple):
    """Who a consumer is in its group; the generation is -1 while it is in none."""

    id: str
    generation: int


Moved: TypeAlias = Callable[[Sequence[Partition]], Awaitable[None]]
"""Told which partitions were assigned or revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How clients are configured; times in seconds.

    ``acks``, ``idempotent`` and ``in_flight`` are the producer's. A consumer with a ``group`` can
    subscribe; it begins at the partition's start where nothing is committed, and commits only when
    it is told to; ``assignor`` is the strategy of its group. ``clients`` are what our own are made with.
    """

    topic: str
    acks: Literal["all", 1, 0] = "all"
    idempotent: bool = True
    in_flight: int = 5
    request_timeout_s: float = 2.0
    delivery_timeout_s: float = 4.0
    group: str | None = None
    assignor: str = "range"
    clients: Clients = CLIENTS
    session_timeout_s: float = 3.0
    most_polled: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a client runs: the brokers it may ask first, its own name, a seed."""

    endpoints: Mapping[str, Endpoint]
    name: str
    seed: int
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def addresses(self) -> list[str]:
        """``host:port`` of every broker."""
        return [f"{endpoint.host}:{endpoint.port}" for endpoint in self.endpoints.values()]


class Producer(Protocol):
    """Sends messages to the topic."""

    async def start(self) -> None:
        """Raises OSError or TimeoutError when no broker can be reached."""

    async def send(self, messages: Sequence[Message]) -> list[Placed]:
        """Send them one right after the other, and wait until each has its answer. Never raises."""

    async def close(self) -> None:
        """Give everything back; what is still under way may be dropped or not."""


class Consumer(Protocol):
    """Polls the topic's messages. Whatever cannot be done raises OSError or TimeoutError."""

    async def start(self) -> None:
        """Connect."""

    async def assign(self, positions: Mapping[Partition, int]) -> None:
        """Poll these partitions from these offsets on, and no others."""

    async def subscribe(self, assigned: Moved, revoked: Moved) -> None:
        """Join the group for the topic; all rebalances are told."""

    async def poll(self, timeout_s: float) -> Polled:
        """What has come in, or comes within ``timeout_s``; nothing is polled before it is told of."""

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Raises CommitRefused or CommitUnknown."""

    async def committed(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        """What the group has committed; None where it never did."""

    async def ends(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """The offsets that the next messages will get, as far as consumers may see."""

    def member(self) -> Member:
        """Who it is in its group."""

    async def close(self, *, leave: bool = True) -> None:
        """Give everything back; the group hears of it only if it is to ``leave``."""


class Maker(Protocol):
    """Makes the clients of one library."""

    def producer(self, place: Place, settings: Settings) -> Producer:
        """Not started yet."""

    def consumer(self, place: Place, settings: Settings) -> Consumer:
        """Not started yet."""
