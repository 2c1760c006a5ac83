"""Applications' own mistakes: how they configure their clients, or what these do for them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from zlib import crc32

from impl.mutants.mutant import Mutant
from impl.queue.client.assignors import sticky
from impl.queue.client.assignors.assignor import Assignor
from impl.queue.client.consumer import Consumer
from impl.queue.client.metadata import TopicPartition
from impl.queue.client.partitioners import Partitions
from impl.queue.client.parts import Clients
from impl.queue.client.producer import Producer
from impl.queue.protocol.membership import NO_GENERATION
from impl.queue.server import serve

_HALF = 0.5


def _not_numbered(*bootstrap: Any, **options: Any) -> Producer:
    """Up to five requests at a time, each tried again by itself."""
    return Producer(*bootstrap, **{**options, "idempotent": False, "max_in_flight": 5})


def _by_crc(topic: str, key: bytes | None, partitions: Partitions) -> int:
    return crc32(key or b"") % partitions.number


def _of_either_language(*bootstrap: Any, **options: Any) -> Producer:
    """Every other application hashes keys as librdkafka does unless told otherwise."""
    by_crc = options["random"].random() < _HALF
    return Producer(*bootstrap, **{**options, **({"partitioner": _by_crc} if by_crc else {})})


def _at_the_end(*bootstrap: Any, **options: Any) -> Consumer:
    """Where nothing was committed it begins with what comes next."""
    reset = "none" if options["auto_offset_reset"] == "none" else "latest"
    return Consumer(*bootstrap, **{**options, "auto_offset_reset": reset})


class CommitsWhatItFetched(Consumer):
    """Commits how far it has fetched, not how far its application has come."""

    async def commit(self, offsets: Any = None, *, within_s: float | None = None) -> None:
        fetched = {
            partition: max(offset, self._positions[partition].fetch_offset)
            if partition in self._positions
            else offset
            for partition, offset in (offsets or {}).items()
        }
        await super().commit(fetched, within_s=within_s)


class CommitsTwice(Consumer):
    """Its last commit is tried again behind the new one, as if its answer had been lost."""

    _before: Mapping[TopicPartition, int] = MappingProxyType({})

    async def commit(self, offsets: Any = None, *, within_s: float | None = None) -> None:
        await super().commit(offsets, within_s=within_s)
        before, self._before = self._before, dict(offsets or {})
        again = {each: at for each, at in before.items() if each in self._before}
        if again:
            await super().commit(again, within_s=within_s)


def _nothing(owned: object, generation: int = NO_GENERATION) -> bytes:
    return b""


_AT_ONCE = Assignor("cooperative-sticky", True, sticky.assign, _nothing)


def _hands_over_at_once(*bootstrap: Any, **options: Any) -> Consumer:
    """Cooperative, but a partition goes to its next owner in the same rebalance."""
    return Consumer(*bootstrap, **{**options, "assignors": (_AT_ONCE,)})


MUTANTS = (
    Mutant(
        name="queue-retries-reorder",
        kind="queue",
        program=serve,
        failure="KAFKA-5494: several requests under way and no sequence numbers: what is tried again"
        " comes behind what followed it, or twice",
        workload="queue",
        caught_by="log",
        seeds=20,
        faults=("partition", "lose", "pause", "slow"),
        on_real_clusters=True,
        clients=Clients(producer=_not_numbered),
    ),
    Mutant(
        name="queue-partitioners-differ",
        kind="queue",
        program=serve,
        failure="librdkafka hashes keys by CRC-32 unless told partitioner=murmur2_random, Java by"
        " murmur2: two applications send one key to two partitions",
        workload="keys",
        caught_by="keys",
        seeds=3,
        on_real_clusters=True,
        clients=Clients(producer=_of_either_language),
    ),
    Mutant(
        name="queue-reset-to-end",
        kind="queue",
        program=serve,
        failure="auto.offset.reset=latest, Kafka's default: a group that has committed nothing yet"
        " passes over all that is there whenever a partition is taken up",
        workload="group",
        caught_by="polls",
        seeds=10,
        on_real_clusters=True,
        clients=Clients(consumer=_at_the_end),
    ),
    Mutant(
        name="queue-commit-before-processing",
        kind="queue",
        program=serve,
        failure="auto-commit ahead of the application: what was fetched and not yet handed out counts as"
        " read, and whoever takes over never sees it",
        workload="group",
        caught_by="offsets",
        seeds=20,
        on_real_clusters=True,
        clients=Clients(consumer=CommitsWhatItFetched),
    ),
    Mutant(
        name="queue-commits-go-back",
        kind="queue",
        program=serve,
        failure="asynchronous commits that are tried again: an older one arrives behind a newer one and"
        " wins; the reason why Kafka's commitAsync does not retry",
        workload="offsets",
        caught_by="offsets",
        seeds=10,
        on_real_clusters=True,
        clients=Clients(consumer=CommitsTwice),
    ),
    Mutant(
        name="queue-handed-over-early",
        kind="queue",
        program=serve,
        failure="what KIP-429 has a second rebalance for: a cooperative assignor that gives a partition"
        " to its next owner while the last one still reads it",
        workload="group",
        caught_by="groups",
        seeds=10,
        clients=Clients(consumer=_hands_over_at_once),
    ),
)
