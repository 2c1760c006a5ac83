"""The order of a partition's batches over retries, and their sequence numbers."""

from __future__ import annotations

from impl.queue.client.batch import Batch, Identity
from impl.queue.client.errors import DidNotHappen, MayHaveHappened
from impl.queue.client.lane import Lane
from impl.queue.client.metadata import TopicPartition

HERE, THERE = "one connection", "another"
PLACE = TopicPartition("t", 0)
FIRST = Identity(7, 0)


def lane_of(count: int, *, identity: Identity | None = FIRST, records: int = 2) -> Lane:
    """A lane with ``count`` batches that wait, of ``records`` each, the n-th of order n."""
    lane = Lane(PLACE)
    lane.identity = identity
    for order in range(count):
        batch = Batch(PLACE, order=(order,), created_s=0.0, now_ms=0)
        for _ in range(records):
            batch.append(None, b"v", 0, (), 1)
        batch.close("none")
        lane.waiting.append(batch)
    return lane


def proven(count: int) -> tuple[Lane, list[Batch]]:
    """A lane whose identity the broker has accepted, and its batches."""
    lane = lane_of(count + 1)
    lane.landed(lane.take(HERE))
    return lane, list(lane.waiting)


def take_all(lane: Lane, connection: str = HERE) -> list[int]:
    taken = []
    while lane.may_send(connection):
        taken.append(lane.take(connection).order[0])
    return taken


def test_one_batch_goes_alone_until_the_identity_is_accepted() -> None:
    lane = lane_of(3)
    assert take_all(lane) == [0]
    lane.landed(lane.flying[0])
    assert take_all(lane) == [1, 2]


def test_without_an_identity_all_go_at_once_and_have_no_numbers() -> None:
    lane = lane_of(3, identity=None)
    assert take_all(lane) == [0, 1, 2]
    assert all(each.sequence is None for each in lane.flying)


def test_sequences_count_records_and_stay_over_retries() -> None:
    lane, batches = proven(3)
    take_all(lane)
    assert [each.sequence for each in batches] == [2, 4, 6]
    for each in batches:
        lane.returned(each, 0.0)
    assert take_all(lane, THERE) == [1, 2, 3]
    assert [each.sequence for each in batches] == [2, 4, 6]


def test_what_comes_back_takes_its_old_place_and_nothing_leaves_before_all_is_back() -> None:
    lane, batches = proven(3)
    lane.take(HERE)
    lane.take(HERE)
    lane.returned(batches[0], 0.0)
    assert not lane.may_send(HERE)
    lane.returned(batches[1], 0.0)
    assert take_all(lane) == [1, 2, 3]


def test_nothing_goes_to_a_new_leader_while_the_old_one_has_something() -> None:
    lane, batches = proven(2)
    lane.take(HERE)
    assert lane.may_send(HERE)
    assert not lane.may_send(THERE)
    lane.landed(batches[0])
    assert lane.may_send(THERE)


def test_after_a_hole_what_surely_did_not_happen_is_numbered_anew_in_the_next_epoch() -> None:
    lane, batches = proven(3)
    take_all(lane)
    lane.dropped(batches[0])
    for each in batches[1:]:
        lane.returned(each, 0.0)
    assert lane.identity == Identity(7, 1)
    assert take_all(lane) == [2]  # alone: the new epoch isn't accepted yet
    assert (batches[1].identity, batches[1].sequence) == (Identity(7, 1), 0)
    lane.landed(batches[1])
    assert take_all(lane) == [3]
    assert batches[2].sequence == 2


def test_after_a_hole_what_may_be_in_the_log_is_never_sent_under_another_number() -> None:
    lane, batches = proven(3)
    take_all(lane)
    batches[1].uncertain = True
    lane.dropped(batches[0])
    for each in batches[1:]:
        lane.returned(each, 0.0)
    assert batches[1].failure is not None
    assert batches[1].failure.kind is MayHaveHappened
    assert take_all(lane) == [3]
    assert batches[2].sequence == 0


def test_the_epoch_changes_only_when_all_of_the_old_one_is_back() -> None:
    lane, batches = proven(2)
    take_all(lane)
    lane.dropped(batches[0])
    assert lane.identity == Identity(7, 0)
    lane.landed(batches[1])
    assert lane.identity == Identity(7, 1)


def test_a_batch_that_was_never_numbered_leaves_no_hole() -> None:
    lane, batches = proven(2)
    lane.dropped(batches[0])
    assert lane.identity == Identity(7, 0)
    assert take_all(lane) == [2]
    assert batches[1].sequence == 2


def test_after_the_last_epoch_another_producer_id_is_needed() -> None:
    lane = lane_of(2, identity=Identity(7, 0x7FFF))
    batch = lane.take(HERE)
    lane.dropped(batch)
    assert (lane.identity, lane.spent) == (None, 7)


def test_sequences_go_round() -> None:
    lane = lane_of(2)
    lane._next_sequence = (1 << 31) - 1
    lane.take(HERE)
    lane.landed(lane.flying[0])
    assert lane.take(HERE).sequence == 1


def test_what_a_batch_says_when_it_fails_depends_on_whether_it_was_uncertain() -> None:
    lane = lane_of(2)
    sure, unsure = lane.waiting
    unsure.uncertain = True
    for each in (sure, unsure):
        each.fail("the reason")
    kinds = [type(each.failure.exception()) for each in (sure, unsure) if each.failure]
    assert kinds == [DidNotHappen, MayHaveHappened]
