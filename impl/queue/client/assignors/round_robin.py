"""Round-robin: all partitions of all topics in turn, passing over members that don't want the topic."""

from __future__ import annotations

from collections.abc import Sequence

from impl.queue.client.assignors.assignor import Counts, Dealt, Member
from impl.queue.client.metadata import TopicPartition


def assign(members: Sequence[Member], counts: Counts) -> Dealt:
    """Partitions by member."""
    dealt: Dealt = {member.id: [] for member in members}
    in_order = sorted(members, key=lambda member: member.order)
    turn = 0
    for topic, count in sorted(counts.items()):
        if not any(topic in each.subscription.topics for each in in_order):
            continue
        for number in range(count):
            while topic not in in_order[turn % len(in_order)].subscription.topics:
                turn += 1
            dealt[in_order[turn % len(in_order)].id].append(TopicPartition(topic, number))
            turn += 1
    return dealt
