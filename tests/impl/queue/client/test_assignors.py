"""Assignors by property: every partition once, evenly, and moving no more than needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from impl.queue.client.assignors import ASSIGNORS, COOPERATIVE_STICKY, RANGE, ROUND_ROBIN, STICKY
from impl.queue.client.assignors.assignor import Counts, Dealt, Member
from impl.queue.client.metadata import TopicPartition
from impl.queue.protocol.membership import Subscription

TOPICS = ("a", "b", "c")
counts_by_topic = st.dictionaries(st.sampled_from(TOPICS), st.integers(1, 12), min_size=1)
some_topics = st.sets(st.sampled_from(TOPICS), min_size=1).map(lambda each: tuple(sorted(each)))
wishes = st.lists(some_topics, min_size=1, max_size=8)


def members_of(wanted: list[tuple[str, ...]], dealt: Dealt | None = None) -> list[Member]:
    """Members m0, m1, ...; they own what was dealt to them in generation 1."""
    members = []
    for number, topics in enumerate(wanted):
        id = f"m{number}"
        owned = tuple((dealt or {}).get(id, ()))
        data = STICKY.user_data([TopicPartition(*each) for each in owned], 1) if dealt else b""
        members.append(Member(id, None, Subscription(topics, data, owned, 1 if dealt else -1)))
    return members


def everything(members: list[Member], counts: Counts) -> set[TopicPartition]:
    wanted = {topic for each in members for topic in each.subscription.topics}
    return {TopicPartition(t, n) for t, count in counts.items() if t in wanted for n in range(count)}


def check_dealt(members: list[Member], counts: Counts, dealt: Dealt) -> None:
    """Each partition that anybody wants has one owner, who wants it."""
    assert set(dealt) == {each.id for each in members}
    flat = [each for partitions in dealt.values() for each in partitions]
    assert len(flat) == len(set(flat))
    assert set(flat) == everything(members, counts)
    for member in members:
        assert {each.topic for each in dealt[member.id]} <= set(member.subscription.topics)


def check_even(members: list[Member], dealt: Dealt) -> None:
    """Nobody has two more than somebody who could take one of them."""
    for giver in members:
        for partition in dealt[giver.id]:
            for taker in members:
                if partition.topic in taker.subscription.topics:
                    assert len(dealt[taker.id]) >= len(dealt[giver.id]) - 1


def settle(members: list[Member], counts: Counts) -> Dealt:
    """What cooperative members have once everybody has let go and joined again."""
    wanted = [each.subscription.topics for each in members]
    dealt = COOPERATIVE_STICKY.assign(members, counts)
    for _ in range(3):
        dealt = COOPERATIVE_STICKY.assign(members_of(wanted, dealt), counts)
    return dealt


@given(wishes, counts_by_topic)
def test_every_partition_has_exactly_one_owner_that_wants_it(
    wanted: list[tuple[str, ...]], counts: Counts
) -> None:
    members = members_of(wanted)
    for assignor in ASSIGNORS.values():
        check_dealt(members, counts, assignor.assign(members, counts))


@given(wishes, counts_by_topic)
def test_sticky_is_even(wanted: list[tuple[str, ...]], counts: Counts) -> None:
    members = members_of(wanted)
    check_even(members, STICKY.assign(members, counts))


@given(st.integers(1, 8), counts_by_topic)
def test_round_robin_over_equal_wishes_is_even(number: int, counts: Counts) -> None:
    members = members_of([TOPICS] * number)
    check_even(members, ROUND_ROBIN.assign(members, counts))


@given(wishes, counts_by_topic, st.randoms(use_true_random=False))
def test_sticky_stays_even_and_complete_from_wherever_it_begins(
    wanted: list[tuple[str, ...]], counts: Counts, chance: object
) -> None:
    members = members_of(wanted)
    before: Dealt = {each.id: [] for each in members}
    for partition in sorted(everything(members, counts)):
        before[chance.choice(members).id].append(partition)  # type: ignore[attr-defined]
    again = members_of(wanted, before)
    dealt = STICKY.assign(again, counts)
    check_dealt(again, counts, dealt)
    check_even(again, dealt)
    settled = settle(again, counts)
    check_dealt(again, counts, settled)
    check_even(again, settled)


@given(wishes, counts_by_topic)
def test_sticky_moves_nothing_when_nothing_changed(
    wanted: list[tuple[str, ...]], counts: Counts
) -> None:
    dealt = STICKY.assign(members_of(wanted), counts)
    again = STICKY.assign(members_of(wanted, dealt), counts)
    assert {id: set(each) for id, each in again.items()} == {id: set(each) for id, each in dealt.items()}


@given(st.integers(2, 8), counts_by_topic, st.integers(0, 7))
def test_when_a_member_goes_nobody_else_loses_anything(number: int, counts: Counts, gone: int) -> None:
    dealt = STICKY.assign(members_of([TOPICS] * number), counts)
    left = [each for each in members_of([TOPICS] * number, dealt) if each.id != f"m{gone % number}"]
    again = STICKY.assign(left, counts)
    for member in left:
        assert set(dealt[member.id]) <= set(again[member.id])


@given(st.integers(1, 7), counts_by_topic)
def test_when_a_member_comes_only_what_it_gets_is_moved(number: int, counts: Counts) -> None:
    dealt = STICKY.assign(members_of([TOPICS] * number), counts)
    again = STICKY.assign(members_of([TOPICS] * (number + 1), dealt), counts)
    for id, partitions in dealt.items():
        assert set(again[id]) <= set(partitions)


@given(wishes, counts_by_topic, st.randoms(use_true_random=False))
def test_cooperatively_nothing_is_given_to_one_while_another_has_it(
    wanted: list[tuple[str, ...]], counts: Counts, chance: object
) -> None:
    members = members_of(wanted)
    before: Dealt = {each.id: [] for each in members}
    for partition in sorted(everything(members, counts)):
        before[chance.choice(members).id].append(partition)  # type: ignore[attr-defined]
    dealt = COOPERATIVE_STICKY.assign(members_of(wanted, before), counts)
    for id, partitions in dealt.items():
        for partition in partitions:
            assert all(partition not in before[other] for other in before if other != id)


def test_of_two_claims_the_later_generations_holds() -> None:
    place = TopicPartition("a", 0)
    stale = Member("m0", None, Subscription(("a",), STICKY.user_data([place], 3)))
    fresh = Member("m1", None, Subscription(("a",), STICKY.user_data([place], 4)))
    assert STICKY.assign([stale, fresh], {"a": 1})["m1"] == [place]
    assert STICKY.assign([fresh, stale], {"a": 1})["m1"] == [place]


def test_user_data_that_is_no_such_thing_counts_for_nothing() -> None:
    members = [Member("m0", None, Subscription(("a",), b"\xff" * 7))]
    assert STICKY.assign(members, {"a": 2})["m0"] == [TopicPartition("a", 0), TopicPartition("a", 1)]


def test_range_gives_neighbours_and_the_first_members_one_more() -> None:
    dealt = RANGE.assign(members_of([("a", "b")] * 2), {"a": 3, "b": 3})
    assert dealt["m0"] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert dealt["m1"] == [("a", 2), ("b", 2)]


def test_static_members_are_dealt_to_in_the_order_of_their_own_ids() -> None:
    members = [
        Member("x1", "second", Subscription(("a",))),
        Member("x2", None, Subscription(("a",))),
        Member("x3", "first", Subscription(("a",))),
    ]
    dealt = RANGE.assign(members, {"a": 3})
    assert [dealt[id] for id in ("x3", "x1", "x2")] == [[("a", 0)], [("a", 1)], [("a", 2)]]
