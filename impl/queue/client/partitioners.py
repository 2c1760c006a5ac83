"""Which partition a record goes to, when its sender doesn't say.

A partitioner is any callable of the topic's name, the record's key and the topic's partitions. One that
also has a method ``batch_closed(topic, partition)`` is told when a batch is complete.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class Partitions(NamedTuple):
    """A topic's partitions: 0 to ``number`` - 1, of which ``available`` have a leader at present."""

    number: int
    available: tuple[int, ...]

    @property
    def preferred(self) -> tuple[int, ...]:
        """Those with a leader, or all if none has."""
        return self.available or tuple(range(self.number))


Partitioner: TypeAlias = Callable[[str, "bytes | None", Partitions], int]

_SEED, _M, _MASK = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Kafka's hash of a key, as ``org.apache.kafka.common.utils.Utils.murmur2``, as an unsigned int.

    Austin Appleby's MurmurHash2 with 32 bits and a seed of Kafka's.
    """
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        k ^= k >> 24
        h = (h * _M & _MASK) ^ (k * _M & _MASK)
    if length > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: bytes, count: int) -> int:
    """The partition of ``key`` among ``count``: the same as the Java client's."""
    return (murmur2(key) & 0x7FFFFFFF) % count


class Sticky:
    """One partition until its batch is complete, then another by chance: larger batches (KIP-480)."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._current: dict[str, int] = {}

    def __call__(self, topic: str, key: bytes | None, partitions: Partitions) -> int:
        current = self._current.get(topic)
        if current is None or current >= partitions.number:
            current = self._current[topic] = self._random.choice(partitions.preferred)
        return current

    def batch_closed(self, topic: str, partition: int) -> None:
        """Choose anew if it was the present one."""
        if self._current.get(topic) == partition:
            del self._current[topic]


class ByKey:
    """Records with a key by its hash, as the Java client's; the others by ``otherwise``."""

    def __init__(self, otherwise: Partitioner) -> None:
        self._otherwise = otherwise

    def __call__(self, topic: str, key: bytes | None, partitions: Partitions) -> int:
        if key is None:
            return self._otherwise(topic, key, partitions)
        return (murmur2(key) & 0x7FFFFFFF) % partitions.number

    def batch_closed(self, topic: str, partition: int) -> None:
        """Passed on to the other one."""
        tell = getattr(self._otherwise, "batch_closed", None)
        if tell is not None:
            tell(topic, partition)


class RoundRobin:
    """One partition after the other, whatever the key, passing over those without a leader."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def __call__(self, topic: str, key: bytes | None, partitions: Partitions) -> int:
        preferred = partitions.preferred
        turn = self._next.get(topic, 0)
        self._next[topic] = turn + 1
        return preferred[turn % len(preferred)]


class Uniform:
    """Any partition by chance, whatever the key."""

    def __init__(self, source: random.Random) -> None:
        self._random = source

    def __call__(self, topic: str, key: bytes | None, partitions: Partitions) -> int:
        return self._random.choice(partitions.preferred)


def standard(source: random.Random) -> Partitioner:
    """Kafka's own: by the hash of the key, sticky for records without one."""
    return ByKey(Sticky(source))
