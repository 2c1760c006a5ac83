"""Coordinators that believe the wrong member, or remember the wrong offset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from impl.mutants.mutant import Mutant
from impl.mutants.queue_swap import serve_with
from impl.queue.client.consumer import Consumer
from impl.queue.client.parts import Clients
from impl.queue.groups.coordinator import Coordinator
from impl.queue.groups.messages import Commit
from impl.queue.log import compaction
from impl.queue.log.log import PartitionLog
from impl.queue.metadata.image import PartitionKey
from impl.queue.protocol import records
from impl.queue.protocol.membership import NO_GENERATION
from impl.queue.replication.replicas import Replicas

_NEVER_S = 1e8


class Trusting(Coordinator):
    """A commit is a commit, whoever it comes from and whatever generation that was in."""

    async def commit(
        self,
        group_id: str,
        member_id: str,
        generation: int,
        instance_id: str | None,
        offsets: Mapping[PartitionKey, Commit],
    ) -> None:
        group = self._groups(group_id).get(group_id)
        if group is not None and group.members and generation >= 0:
            generation = group.generation
            if member_id not in group.members:
                member_id = next(iter(group.members))
        await super().commit(group_id, member_id, generation, instance_id, offsets)


class BeatsWithPolls(Consumer):
    """As before KIP-62: who does not poll sends no heartbeat, and learns late that it was expelled."""

    def subscribe(self, *topics: Any, **options: Any) -> None:
        super().subscribe(*topics, **options)
        if (group := self._subscription.group) is not None:
            group.settings = replace(group.settings, heartbeat_s=_NEVER_S)

    async def poll(self, **options: Any) -> list[Any]:
        group = self._subscription.group
        if group is not None and group.generation != NO_GENERATION:
            await group._beat()
        return await super().poll(**options)


def _in_a_hurry(*bootstrap: Any, **options: Any) -> Consumer:
    """Sessions as short as a broker allows."""
    return BeatsWithPolls(*bootstrap, **{**options, "session_timeout_s": 1.0})


async def _keeps_the_oldest(log: PartitionLog, high_watermark: int) -> bool:
    """Of each key the first value stays instead of the last."""
    segments = [each for each in log.segments[:-1] if each.next_offset <= high_watermark]
    if all(each.cleaned for each in segments):
        return False
    oldest: dict[bytes | None, int] = {}
    for segment in segments:
        for batch in segment.batches():
            for record in records.read(batch):
                oldest.setdefault(record.key, record.offset)
    for segment in segments:
        await compaction.rewrite(log, segment, lambda it: oldest[it.key] == it.offset, frozenset())
    return True


MUTANTS = (
    Mutant(
        name="queue-old-generation-commits",
        kind="queue",
        program=serve_with(coordinator=Trusting),
        failure="what generations are for: Kafka's consumers before 0.9 committed without them, and one"
        " that had been replaced overwrote its successor's offsets",
        workload="group",
        caught_by="groups",
        seeds=20,
        clients=Clients(consumer=_in_a_hurry),
    ),
    Mutant(
        name="queue-compaction-keeps-oldest",
        kind="queue",
        program=serve_with(replicas=partial(Replicas, compact=_keeps_the_oldest)),
        failure="a log cleaner that drops a key's newer value: a group's offsets go back, by weeks, when"
        " the next coordinator reads them",
        workload="group",
        caught_by="offsets",
        seeds=30,
        faults=("kill", "power", "partition"),
    ),
)
