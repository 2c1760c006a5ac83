"""Where replicas lie: leaders in turn and followers shifted against them, as Kafka spreads them."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from impl.queue.metadata.state import Assignment
from impl.queue.protocol.errors import ApiError, Code


def spread(
    brokers: Sequence[int], partitions: int, factor: int, chance: random.Random, *, first: int = 0
) -> Assignment:
    """Replicas for ``partitions`` partitions, of which ``first`` is the number of the first.

    Raises ApiError INVALID_REPLICATION_FACTOR if there are fewer brokers than replicas.
    """
    if not 1 <= factor <= len(brokers):
        raise ApiError(
            Code.invalid_replication_factor,
            f"replication factor {factor} needs as many brokers, and {len(brokers)} are there",
        )
    start, shift = chance.randrange(len(brokers)), chance.randrange(len(brokers))
    return tuple(
        _replicas(sorted(brokers), number, start, shift + number // len(brokers), factor)
        for number in range(first, first + partitions)
    )


def _replicas(
    brokers: Sequence[int], partition: int, start: int, shift: int, factor: int
) -> tuple[int, ...]:
    leader = (partition + start) % len(brokers)
    others = [
        (leader + 1 + (shift + number) % (len(brokers) - 1)) % len(brokers)
        for number in range(factor - 1)
    ]
    return tuple(brokers[at] for at in (leader, *others))


def check_replicas(replicas: Collection[int], brokers: Collection[int]) -> None:
    """Raises ApiError INVALID_REPLICA_ASSIGNMENT unless these are some of ``brokers``, each once."""
    if not replicas or len(set(replicas)) < len(replicas) or not set(replicas) <= set(brokers):
        message = f"{tuple(replicas)} are not distinct brokers that live"
        raise ApiError(Code.invalid_replica_assignment, message)
