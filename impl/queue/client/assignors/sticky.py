"""Sticky (KIP-54), and its cooperative form (KIP-429): as even as it can be, moving as little as needed.

Even: no partition could go to a member that has two fewer. Members keep what they own, the rest goes to
whoever has least, and then one partition after the other moves from a member that has two more than
another one that wants it. Each move makes the sum of squares smaller, so that it ends.

Cooperatively, a partition that changes hands is taken from its owner in one generation and given to the
next one in another, once the owner has said that it let go: nobody has to stop meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

from impl.queue.client.assignors.assignor import Counts, Dealt, Member
from impl.queue.client.metadata import TopicPartition
from impl.queue.protocol.errors import Malformed
from impl.queue.protocol.membership import NO_GENERATION, Reader, places

_GENERATION_BYTES = 4


def user_data(owned: Sequence[TopicPartition], generation: int) -> bytes:
    """What members of ``sticky`` remember for each other: the last assignment and its generation."""
    return places(owned) + generation.to_bytes(4, "big", signed=True)


def assign(members: Sequence[Member], counts: Counts) -> Dealt:
    """Partitions by member; who owned what is taken from the members' user data."""
    claims = {member.id: _remembered(member.subscription.user_data) for member in members}
    return _balanced(members, counts, claims)


def assign_cooperatively(members: Sequence[Member], counts: Counts) -> Dealt:
    """Partitions by member, less those that somebody else has to give up first."""
    claims = {member.id: _declared(member) for member in members}
    dealt = _balanced(members, counts, claims)
    owners: dict[TopicPartition, list[str]] = {}
    for id, (owned, _) in claims.items():
        for partition in owned:
            owners.setdefault(partition, []).append(id)
    return {
        id: [each for each in partitions if all(owner == id for owner in owners.get(each, ()))]
        for id, partitions in dealt.items()
    }


_Claim = tuple[tuple[TopicPartition, ...], int]


def _remembered(data: bytes) -> _Claim:
    if not data:
        return (), NO_GENERATION
    try:
        reader = Reader(data)
        owned = reader.places()
        generation = reader.number() if reader.left >= _GENERATION_BYTES else NO_GENERATION
    except Malformed:
        return (), NO_GENERATION
    return tuple(TopicPartition(*each) for each in owned), generation


def _declared(member: Member) -> _Claim:
    """What a member says that it owns; the generation of older clients stands in their user data."""
    subscription = member.subscription
    generation = subscription.generation
    if generation == NO_GENERATION and len(subscription.user_data) == _GENERATION_BYTES:
        generation = int.from_bytes(subscription.user_data, "big", signed=True)
    return tuple(TopicPartition(*each) for each in subscription.owned), generation


def _balanced(members: Sequence[Member], counts: Counts, claims: dict[str, _Claim]) -> Dealt:
    ids = [member.id for member in sorted(members, key=lambda member: member.order)]
    wants = {member.id: frozenset(member.subscription.topics) for member in members}
    readers = {topic: [id for id in ids if topic in wants[id]] for topic in counts}
    dealt = _kept(ids, wants, counts, claims)
    held = {partition for partitions in dealt.values() for partition in partitions}
    free = [
        TopicPartition(topic, number)
        for topic, count in sorted(counts.items())
        for number in range(count)
        if readers[topic] and (topic, number) not in held
    ]
    for partition in sorted(free, key=lambda each: (len(readers[each.topic]), each)):
        dealt[min(readers[partition.topic], key=lambda id: len(dealt[id]))].append(partition)
    _even_out(dealt, readers)
    return dealt


def _kept(
    ids: Sequence[str], wants: dict[str, frozenset[str]], counts: Counts, claims: dict[str, _Claim]
) -> Dealt:
    """What members own and still want. Of two claims the later generation's holds, of equals none."""
    best: dict[TopicPartition, tuple[int, list[str]]] = {}
    for id in ids:
        owned, generation = claims[id]
        for partition in dict.fromkeys(owned):
            topic, number = partition
            if topic not in wants[id] or not 0 <= number < counts.get(topic, 0):
                continue
            known, holders = best.get(partition, (generation, []))
            if generation > known:
                known, holders = generation, []
            if generation == known:
                holders = [*holders, id]
            best[partition] = known, holders
    dealt: Dealt = {id: [] for id in ids}
    for partition, (_, holders) in best.items():
        if len(holders) == 1:
            dealt[holders[0]].append(partition)
    return dealt


def _even_out(dealt: Dealt, readers: dict[str, list[str]]) -> None:
    """Move single partitions from whoever has most, the newest first, as long as it helps."""
    while _move_one(dealt, readers):
        pass


def _move_one(dealt: Dealt, readers: dict[str, list[str]]) -> bool:
    for giver in sorted(dealt, key=lambda id: (-len(dealt[id]), id)):
        for partition in reversed(dealt[giver]):
            taker = min(readers[partition.topic], key=lambda other: len(dealt[other]))
            if len(dealt[taker]) + 1 < len(dealt[giver]):
                dealt[giver].remove(partition)
                dealt[taker].append(partition)
                return True
    return False
