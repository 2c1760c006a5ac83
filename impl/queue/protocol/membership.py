"""What group members tell each other through the coordinator: subscriptions and assignments.

Kafka's consumer protocol, versions 0 to 3: opaque to the brokers, and the same for all clients.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from impl.queue.protocol.errors import Malformed

PROTOCOL_TYPE = "consumer"
_VERSION = 3
_SHORT, _INT = struct.Struct(">h"), struct.Struct(">i")
NO_GENERATION = -1

Place = tuple[str, int]
"""A topic and the number of a partition."""


class Subscription(NamedTuple):
    """What a member wants, and what it had: ``owned`` in ``generation`` (-1 if it doesn't say)."""

    topics: tuple[str, ...]
    user_data: bytes = b""
    owned: tuple[Place, ...] = ()
    generation: int = NO_GENERATION
    rack: str | None = None


class Assignment(NamedTuple):
    """What a member gets."""

    partitions: tuple[Place, ...]
    user_data: bytes = b""


def write_subscription(subscription: Subscription) -> bytes:
    """In version 3; older readers take the beginning, which they know."""
    out = [_SHORT.pack(_VERSION), _INT.pack(len(subscription.topics))]
    out += map(_string, subscription.topics)
    out += [_bytes(subscription.user_data), places(subscription.owned)]
    rack = subscription.rack
    out += [_INT.pack(subscription.generation), _SHORT.pack(-1) if rack is None else _string(rack)]
    return b"".join(out)


def read_subscription(data: bytes) -> Subscription:
    """Raises Malformed."""
    reader = Reader(data)
    version = reader.short()
    topics = tuple(reader.string() or "" for _ in range(reader.count()))
    user_data = reader.bytes()
    owned = reader.places() if version >= 1 and reader.left else ()
    generation = reader.number() if version >= 2 and reader.left else NO_GENERATION
    rack = reader.string() if version >= 3 and reader.left else None
    return Subscription(topics, user_data, owned, generation, rack)


def write_assignment(assignment: Assignment) -> bytes:
    """In version 0, in which there is nothing that a later one adds to."""
    return _SHORT.pack(0) + places(assignment.partitions) + _bytes(assignment.user_data)


def read_assignment(data: bytes) -> Assignment:
    """Nothing at all stands for no partitions. Raises Malformed."""
    if not data:
        return Assignment(())
    reader = Reader(data)
    reader.short()
    partitions = reader.places()
    return Assignment(partitions, reader.bytes() if reader.left else b"")


def places(partitions: Iterable[Place]) -> bytes:
    """Partitions by topic."""
    by_topic: dict[str, list[int]] = {}
    for topic, number in partitions:
        by_topic.setdefault(topic, []).append(number)
    out = [_INT.pack(len(by_topic))]
    for topic, numbers in by_topic.items():
        out += [_string(topic), _INT.pack(len(numbers)), *map(_INT.pack, numbers)]
    return b"".join(out)


def _string(value: str) -> bytes:
    raw = value.encode()
    return _SHORT.pack(len(raw)) + raw


def _bytes(value: bytes) -> bytes:
    return _INT.pack(len(value)) + value


class Reader:
    """Reads one field after the other. Each method raises Malformed when there is none."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        if size > self.left:
            raise Malformed(f"a member's message ends where {size} more bytes should be")
        self._at += size
        return self._data[self._at - size : self._at]

    def short(self) -> int:
        """A 16-bit number."""
        return int(_SHORT.unpack(self.take(2))[0])

    def number(self) -> int:
        """A 32-bit number."""
        return int.from_bytes(self.take(4), "big", signed=True)

    def count(self) -> int:
        """The length of an array; at most as many as there are bytes."""
        found = self.number()
        if found > self.left:
            raise Malformed(f"a member's message has {self.left} bytes left for {found} things")
        return max(found, 0)

    def string(self) -> str | None:
        """A string; None for null."""
        size = self.short()
        try:
            return None if size < 0 else self.take(size).decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"a member's message: {error}") from error

    def bytes(self) -> bytes:
        """Bytes; empty for null."""
        size = self.number()
        return b"" if size < 0 else self.take(size)

    def places(self) -> tuple[Place, ...]:
        """Partitions by topic."""
        found: list[Place] = []
        for _ in range(self.count()):
            topic = self.string() or ""
            found += [(topic, self.number()) for _ in range(self.count())]
        return tuple(found)
