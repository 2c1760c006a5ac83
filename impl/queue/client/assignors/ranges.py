"""Range: each topic on its own, in runs of neighbours, the first members getting one more.

Partitions of the same number of different topics fall to the same member if the topics are alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from impl.queue.client.assignors.assignor import Counts, Dealt, Member
from impl.queue.client.metadata import TopicPartition


def assign(members: Sequence[Member], counts: Counts) -> Dealt:
    """Partitions by member."""
    dealt: Dealt = {member.id: [] for member in members}
    in_order = sorted(members, key=lambda member: member.order)
    for topic, count in sorted(counts.items()):
        readers = [each for each in in_order if topic in each.subscription.topics]
        first = 0
        for at, reader in enumerate(readers):
            size = count // len(readers) + (at < count % len(readers))
            dealt[reader.id] += [TopicPartition(topic, first + number) for number in range(size)]
            first += size
    return dealt
