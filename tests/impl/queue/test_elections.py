"""Who leads and who is in sync, whatever brokers come and go."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from impl.queue.metadata.elections import first_state, given_up, preferred, settled
from impl.queue.metadata.image import NO_LEADER, PartitionState

MANY = settings(max_examples=300, deadline=None, derandomize=True)
LIVE = st.dictionaries(st.integers(1, 4), st.integers(1, 3), max_size=4)
HISTORY = st.lists(LIVE, min_size=1, max_size=6)
REPLICAS = (2, 1, 3)


def state(leader: int, isr: tuple[int, ...], *, epochs: int = 1) -> PartitionState:
    return PartitionState(
        leader=leader, leader_epoch=5, replicas=REPLICAS, isr=isr, isr_epochs=(epochs,) * len(isr)
    )


@given(history=HISTORY, unclean=st.booleans(), leaving=st.sets(st.integers(1, 4)))
@MANY
def test_what_holds_after_every_change(
    history: list[dict[int, int]], unclean: bool, leaving: set[int]
) -> None:
    before = first_state(REPLICAS, history[0])
    for live in history:
        after = settled(before, live, unclean=unclean, leaving=leaving)
        assert after.isr
        assert after.leader == NO_LEADER or (after.leader in after.isr and after.leader in live)
        assert (after.leader != before.leader) <= (after.leader_epoch == before.leader_epoch + 1)
        assert after.leader_epoch >= before.leader_epoch
        if not unclean:
            assert set(after.isr) <= set(before.isr)
            if any(each in live for each in before.isr):
                assert after.leader != NO_LEADER
        assert settled(after, live, unclean=unclean, leaving=leaving) is after
        before = after


def test_a_leader_that_restarted_leads_in_a_new_epoch_or_not_at_all() -> None:
    after = settled(state(2, (2, 1)), {2: 2, 1: 1})
    assert (after.leader, after.leader_epoch, after.isr) == (1, 6, (1,))
    alone = settled(state(2, (2,)), {2: 2, 1: 1})
    assert (alone.leader, alone.leader_epoch, alone.isr_epochs) == (2, 6, (2,))


def test_a_follower_that_restarted_is_out_of_sync_in_the_same_epoch() -> None:
    after = settled(state(2, (2, 1, 3)), {2: 1, 1: 9, 3: 1})
    assert (after.leader, after.leader_epoch, after.isr) == (2, 5, (2, 3))


def test_a_partition_whose_members_are_gone_waits_for_one_of_them() -> None:
    gone = settled(state(2, (2,)), {1: 1, 3: 1})
    assert (gone.leader, gone.isr) == (NO_LEADER, (2,))
    assert settled(gone, {1: 1, 2: 5, 3: 1}).leader == 2


def test_an_unclean_topic_takes_whoever_is_there() -> None:
    after = settled(state(2, (2,)), {1: 1, 3: 1}, unclean=True)
    assert (after.leader, after.isr, after.leader_epoch) == (1, (1,), 6)


def test_a_broker_that_is_leaving_leads_only_what_nobody_else_can() -> None:
    live = {1: 1, 2: 1, 3: 1}
    assert settled(state(2, (2, 3)), live, leaving={2}).leader == 3
    assert settled(state(2, (2,)), live, leaving={2}).leader == 2


def test_the_preferred_leader_is_the_first_replica_once_it_is_in_sync() -> None:
    assert preferred(state(1, (1, 3))).leader == 1
    after = preferred(state(1, (1, 2)))
    assert (after.leader, after.leader_epoch) == (2, 6)
    assert preferred(state(1, (1, 2)), leaving={2}).leader == 1


def test_a_leader_whose_disk_failed_is_followed_by_one_in_sync() -> None:
    after = given_up(state(2, (2, 1, 3)), {1: 1, 3: 1})
    assert (after.leader, after.leader_epoch, after.isr) == (1, 6, (1, 3))
