"""Controllers that give partitions away too easily, or believe whoever says that it leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from impl.mutants.mutant import Mutant
from impl.mutants.queue_swap import LONELY, serve_with
from impl.queue.metadata import elections
from impl.queue.metadata.controller import Rules
from impl.queue.metadata.image import PartitionState


def by_name(state: PartitionState, live: Mapping[int, int], **further: Any) -> PartitionState:
    """As before KIP-903: a follower that has restarted is the replica in sync that it was."""
    epochs = (
        epoch if each == state.leader else live.get(each, epoch)
        for each, epoch in zip(state.isr, state.isr_epochs, strict=True)
    )
    return elections.settled(replace(state, isr_epochs=tuple(epochs)), live, **further)


def _unclean(state: PartitionState, live: Mapping[int, int], **further: Any) -> PartitionState:
    """A topic would rather lose messages than wait, whatever its settings say."""
    return elections.settled(state, live, **{**further, "unclean": True})


def _believed(*change: Any) -> None:
    """Whoever says who is in sync is right, however long ago it led."""


MUTANTS = (
    Mutant(
        name="queue-unclean-election",
        kind="queue",
        program=serve_with(LONELY, controller_rules=replace(Rules(), settled=_unclean)),
        failure="Jepsen: Kafka (2013), and Kafka's default until 0.11 (KIP-106): a replica that lags is"
        " elected because the ones in sync are away",
        workload="queue",
        caught_by="log",
        seeds=20,
        faults=("kill", "power", "partition", "rolling-restart"),
        nodes=5,
    ),
    Mutant(
        name="queue-isr-without-cas",
        kind="queue",
        program=serve_with(
            {"replica.lag.time.max.ms": 500},
            controller_rules=replace(Rules(), check_change=_believed, version_of=lambda state: -1),
        ),
        failure="what KIP-497 has versions and KIP-380 (KAFKA-7235) broker epochs for: a leader that was"
        " deposed without noticing writes its in-sync set over its successor's",
        workload="queue",
        caught_by="log",
        seeds=20,
        faults=("partition",),
        weather=("partition",),
    ),
)
