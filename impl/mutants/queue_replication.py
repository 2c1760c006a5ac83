"""Brokers that call a message safe when it is not, or forget what came before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from impl.mutants.mutant import Mutant
from impl.mutants.queue_controller import by_name
from impl.mutants.queue_swap import LONELY, serve_with
from impl.queue.metadata.controller import Rules
from impl.queue.metadata.image import PartitionKey, PartitionState
from impl.queue.replication.partition import Partition
from impl.queue.replication.replicas import Replicas
from impl.queue.replication.rules import RULES

_NEVER = str((1 << 63) - 1)
_UNFLUSHED = MappingProxyType({"log.flush.interval.messages": _NEVER})
_PATIENT = MappingProxyType({"replica.lag.time.max.ms": 10_000})
"""Kafka's default until 2.5: a follower that stands still is held to be in sync for as long."""


class Eager(Partition):
    """Acknowledges as soon as the leader has it; consumers still see only what is committed."""

    def is_committed(self, end_offset: int) -> bool:
        return True


def _furthest(own_end: int, ends: Mapping[int, int], followers: Iterable[int]) -> int:
    """The high watermark is where the first follower is, not the last."""
    return min(own_end, max((ends.get(each, 0) for each in followers), default=own_end))


class CutsToWatermark(Replicas):
    """Whoever begins to follow cuts its log to the high watermark it knows of, none after a restart."""

    async def _have(self, key: PartitionKey, *further: Any) -> None:
        partition = self._open[key]
        before = partition.leader_epoch
        await super()._have(key, *further)
        if partition.leader_epoch != before and not partition.leads:
            async with partition.changing:
                await partition.log.truncate(max(partition.high_watermark, partition.log.start_offset))


class Zombie(Partition):
    """Shrinks the in-sync set by itself, and goes on serving while it can't know if it still leads."""

    def check_leader(self, epoch: int = -1, *, replica: bool = False) -> None:
        super().check_leader(epoch, replica=True)

    def drop_laggards(self, longest_s: float) -> None:
        kept = self.followers.without_laggards(longest_s, self.log.end_offset)
        if self.leads and kept is not None and self.state is not None:
            isr = tuple(each for each in self.state.replicas if each in kept)
            epochs = tuple(kept[each] for each in isr)
            self.state = replace(self.state, isr=isr, isr_epochs=epochs)
            self.followers.follow(self.state)
            self.advance()


class Forgetful(Partition):
    """A new leader starts with no producer known."""

    def become(self, state: PartitionState) -> None:
        led = self.leads and self.leader_epoch == state.leader_epoch
        super().become(state)
        if self.leads and not led:
            self.log.producers.load(())


MUTANTS = (
    Mutant(
        name="queue-ack-before-isr",
        kind="queue",
        program=serve_with(_PATIENT, replicas=partial(Replicas, partition=Eager)),
        failure="acks=all answered as acks=1 is: the leader dies before a follower has the message."
        " Until Kafka 3.0 acks=1 was what producers did unless told otherwise (KIP-679)",
        workload="queue",
        caught_by="log",
        seeds=20,
        faults=("kill", "power", "partition"),
    ),
    Mutant(
        name="queue-watermark-ahead",
        kind="queue",
        program=serve_with(
            _PATIENT,
            controller_rules=replace(Rules(), settled=by_name),
            replica_rules=replace(RULES, committed_end=_furthest),
        ),
        failure="the high watermark follows the fastest replica: a slower one is elected and what"
        " consumers had seen is gone, which KIP-101 describes for watermarks that replicas disagree on",
        workload="queue",
        caught_by="log",
        seeds=30,
        faults=("kill", "power", "partition"),
    ),
    Mutant(
        name="queue-truncate-to-watermark",
        kind="queue",
        program=serve_with(controller_rules=replace(Rules(), settled=by_name), replicas=CutsToWatermark),
        failure="KIP-101, and KAFKA-1647, where the watermark is lost with the process: a follower cuts"
        " its log to the high watermark it knows of, and is elected before it has fetched again",
        workload="queue",
        caught_by="log",
        seeds=30,
        faults=("kill", "power", "rolling-restart", "partition"),
    ),
    Mutant(
        name="queue-zombie-leader",
        kind="queue",
        program=serve_with(
            LONELY,
            replicas=partial(Replicas, partition=Zombie),
        ),
        failure="Jepsen: Kafka (2013): an isolated leader shrinks its in-sync set to itself and goes on"
        " acknowledging, while the others elect another",
        workload="queue",
        caught_by="log",
        seeds=20,
        faults=("partition", "pause"),
    ),
    Mutant(
        name="queue-min-isr-ignored",
        kind="queue",
        program=serve_with(
            {**_UNFLUSHED, "replica.lag.time.max.ms": 500},
            replica_rules=replace(RULES, enough=lambda in_sync, min_isr: True),
        ),
        failure="KIP-966, the last replica standing: acknowledged with nobody else in sync, and lost"
        " with the power of that one broker",
        workload="queue",
        caught_by="log",
        seeds=50,
        faults=("power",),
    ),
    Mutant(
        name="queue-ack-before-fsync",
        kind="queue",
        program=serve_with({**_UNFLUSHED, "default.replication.factor": 1, "min.insync.replicas": 1}),
        failure="Kafka's own defaults, no fsync and one replica: what was acknowledged is in the page"
        " cache, and goes with the power (KIP-966 names such shutdowns unclean)",
        workload="queue",
        caught_by="log",
        seeds=20,
        faults=("power",),
    ),
    Mutant(
        name="queue-sequences-forgotten",
        kind="queue",
        program=serve_with(replicas=partial(Replicas, partition=Forgetful)),
        failure="KIP-98 has followers keep the producers' sequences for this: a new leader that doesn't"
        " know them takes a retry for a new message",
        workload="queue",
        caught_by="log",
        seeds=50,
        faults=("kill", "power", "partition", "slow"),
    ),
)
