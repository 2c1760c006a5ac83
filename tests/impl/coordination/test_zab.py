"""Election, quorums, synchronisation plans and session expiry: the bare decisions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.coordination.protocol.errors import Code
from impl.coordination.sessions import SessionTracker
from impl.coordination.txns import epoch_of, zxid_of
from impl.coordination.zab.election import (
    NOBODY,
    Ballot,
    Election,
    State,
    Vote,
    has_quorum,
    reached,
)
from impl.coordination.zab.messages import Notification
from impl.coordination.zab.synchronise import Past, Way, common_zxid, plan


def notification(sender: int, ballot: Ballot, state: State = State.LOOKING) -> Notification:
    epoch, zxid, leader = ballot.vote
    return Notification(sender, state, ballot.round, leader, zxid, epoch)


def elect(votes: dict[int, Vote], rounds: dict[int, int], seed: int) -> dict[int, Ballot]:
    """All servers vote; notifications arrive in a random order, each sender's in its own order."""
    chance = random.Random(seed)
    voters = sorted(votes)
    ballots = {me: Ballot(me, votes[me], rounds[me], voters) for me in voters}
    flying = {(a, b): [notification(a, ballots[a])] for a in voters for b in voters if a != b}
    while waiting := [way for way, queue in flying.items() if queue]:
        sender, me = chance.choice(waiting)
        heard = flying[sender, me].pop(0)
        if ballots[me].take(heard):
            for other in voters:
                if other != me:
                    flying[me, other].append(notification(me, ballots[me]))
        elif heard.round < ballots[me].round:
            flying[me, sender].append(notification(me, ballots[me]))
    return ballots


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=5),
    st.integers(0, 999),
)
def test_all_elect_the_server_with_the_newest_history(histories, seed) -> None:
    votes = {me: Vote(epoch, zxid, me) for me, (epoch, zxid, _) in enumerate(histories, 1)}
    rounds = {me: round for me, (_, _, round) in enumerate(histories, 1)}
    for ballot in elect(votes, rounds, seed).values():
        assert ballot.winner() == (max(votes.values()), True)


def test_who_comes_late_joins_the_leader_in_office_though_its_own_history_is_longer() -> None:
    late = Ballot(1, Vote(9, 9, 1), 1, (1, 2, 3))
    office = Ballot(2, Vote(1, 1, 2), 7, (1, 2, 3))
    late.take(notification(3, office, State.FOLLOWING))
    assert late.winner() is None
    late.take(notification(2, office, State.LEADING))
    assert late.winner() == (office.vote, True)
    assert late.round == 7


def test_a_leader_that_nobody_else_follows_is_not_joined() -> None:
    late = Ballot(1, Vote(0, 0, 1), 1, (1, 2, 3))
    late.take(notification(2, Ballot(2, Vote(1, 1, 2), 7, (1, 2, 3)), State.LEADING))
    assert late.winner() is None


async def found(me: int, leader: int, voters: Collection[int]) -> Election:
    """A first election that all voters have agreed in."""
    election = Election(me, voters, lambda server, notification: None)
    looking = asyncio.create_task(election.look(Vote(0, 0, me)))
    await asyncio.sleep(0)
    for voter in voters:
        if voter != me:
            election.receive(says(voter, leader))
    await looking
    return election


def says(sender: int, leader: int, round: int = 1, state: State = State.LOOKING) -> Notification:
    return Notification(sender, state, round, leader, 0, 0)


async def contradicted(election: Election) -> bool:
    task = asyncio.create_task(election.contradicted())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task.done() or not task.cancel()


@pytest.mark.parametrize(
    ("me", "state", "heard", "expected"),
    [
        (1, State.FOLLOWING, [], False),
        (1, State.FOLLOWING, [says(2, 3)], True),
        (1, State.FOLLOWING, [says(2, 3, 2)], True),
        (1, State.FOLLOWING, [says(2, 2)], False),
        (1, State.FOLLOWING, [says(2, 2, state=State.LEADING)], False),
        (1, State.FOLLOWING, [says(2, 3, 0)], False),
        (1, State.FOLLOWING, [says(3, 3)], False),
        (1, State.FOLLOWING, [says(3, 3), says(4, 3)], False),
        (1, State.FOLLOWING, [says(3, 3), says(4, 3), says(5, 3)], True),
        (1, State.FOLLOWING, [says(3, 3), says(4, 3), says(3, 2), says(5, 3)], False),
        (1, State.FOLLOWING, [says(7, 3), says(8, 3), says(9, 3)], False),
        (2, State.LEADING, [says(3, 3), says(4, 3)], False),
        (2, State.LEADING, [says(3, 3), says(4, 3), says(1, 3)], True),
    ],
)
def test_a_leader_is_contradicted_by_itself_and_by_a_majority(me, state, heard, expected) -> None:
    async def told() -> bool:
        election = await found(me, 2, (1, 2, 3, 4, 5))
        election.settle(state)
        for notification in heard:
            election.receive(notification)
        return await contradicted(election)

    assert asyncio.run(told()) is expected


def test_what_was_heard_while_the_leader_was_found_contradicts_it_too_and_not_the_next() -> None:
    async def told() -> list[bool]:
        election = await found(1, 2, (1, 2, 3))
        election.receive(says(2, 3))
        election.settle(State.FOLLOWING)
        first = await contradicted(election)
        election.settle(State.FOLLOWING)
        return [first, await contradicted(election)]

    assert asyncio.run(told()) == [True, False]


def test_an_observer_finds_the_leader_and_its_own_vote_does_not_count() -> None:
    observer = Ballot(4, NOBODY, 1, (1, 2, 3))
    vote = Vote(1, 5, 3)
    for sender in (1, 2):
        assert observer.winner() is None
        observer.take(Notification(sender, State.LOOKING, 1, vote.leader, vote.zxid, vote.epoch))
    assert observer.winner() == (vote, False)


def test_votes_of_observers_and_strangers_are_not_counted() -> None:
    ballot = Ballot(1, Vote(1, 1, 1), 1, (1, 2, 3))
    for stranger in (4, 5):
        ballot.take(Notification(stranger, State.LOOKING, 1, 1, 1, 1))
    assert ballot.winner() is None


@settings(max_examples=200, derandomize=True)
@given(st.dictionaries(st.integers(1, 7), st.integers(0, 20)), st.integers(1, 7))
def test_what_is_committed_is_durable_at_a_quorum_and_nothing_higher_is(acks, count) -> None:
    voters = range(1, count + 1)
    zxid = reached(acks, voters)
    at_least = [voter for voter in voters if acks.get(voter, 0) >= zxid]
    beyond = [voter for voter in voters if acks.get(voter, 0) > zxid]
    assert has_quorum(at_least, voters)
    assert not has_quorum(beyond, voters)


def past(zxids: list[int], base: int = 0) -> Past:
    ends: list[int] = []
    for zxid in zxids:
        if ends and epoch_of(ends[-1]) == epoch_of(zxid):
            ends.pop()
        ends.append(zxid)
    return Past(base, zxids[-1] if zxids else 0, ends)


EPOCHS = st.lists(st.integers(0, 3), max_size=4)


def history(counts: list[int], first: int = 1) -> list[int]:
    return [
        zxid_of(epoch, at) for epoch, count in enumerate(counts, first) for at in range(1, count + 1)
    ]


@settings(max_examples=300, derandomize=True)
@given(EPOCHS, EPOCHS, EPOCHS, st.integers(0, 2))
def test_two_histories_agree_up_to_the_common_zxid(shared, mine, theirs, spare) -> None:
    """As in Zab, an epoch that both have is either shared or a prefix of the other's."""
    base = history(shared)
    first = len(shared) + 1
    leader = base + history(mine, first)
    learner = base + history(theirs, first + len(mine) + spare)
    common = [zxid for zxid in leader if zxid in learner]
    expected = common[-1] if common else 0
    assert common_zxid(past(leader), past(learner)) == expected
    way = plan(past(leader), past(learner))
    assert way == (Way.TRUNC if past(learner).last > expected else Way.DIFF, expected)


def test_a_learner_that_is_behind_the_leaders_log_gets_a_snapshot() -> None:
    leader = past([zxid_of(2, counter) for counter in range(5, 9)], base=zxid_of(2, 4))
    assert plan(leader, past([zxid_of(2, 1), zxid_of(2, 2)])).way is Way.SNAP
    assert plan(leader, past([])).way is Way.SNAP
    assert plan(leader, past([zxid_of(2, 4)])) == (Way.DIFF, zxid_of(2, 4))


def test_a_session_ends_when_nothing_is_heard_of_it_for_its_timeout() -> None:
    tracker = SessionTracker(0.5)
    tracker.add(1, 4.0, 100.0)
    tracker.add(2, 4.0, 100.0)
    tracker.touch(1, 103.9)
    assert tracker.expired(103.9) == []
    assert tracker.expired(104.6) == [2]
    assert tracker.expired(107.8) == []
    assert tracker.expired(108.5) == [1]
    assert tracker.expired(200.0) == []


def test_a_session_that_is_closing_is_neither_touched_nor_moved_nor_used() -> None:
    tracker = SessionTracker(0.5)
    tracker.add(1, 4.0, 0.0, owner=3)
    tracker.closing(1)
    tracker.touch(1, 1.0)
    assert tracker.move(1, 2, 1.0) is None
    assert tracker.check(1, 3) == Code.SESSION_EXPIRED
    assert tracker.expired(99.0) == []


def test_a_session_that_moved_is_refused_to_the_server_it_left() -> None:
    tracker = SessionTracker(0.5)
    tracker.add(1, 4.0, 0.0, owner=3)
    assert tracker.check(1, 3) == Code.OK
    assert tracker.move(1, 2, 1.0) == 3
    assert tracker.check(1, 3) == Code.SESSION_MOVED
    assert tracker.check(1, 2) == Code.OK


def test_only_a_request_through_its_own_server_is_a_sign_of_a_sessions_life() -> None:
    tracker = SessionTracker(0.5)
    tracker.add(1, 4.0, 0.0, owner=3)
    assert tracker.heard(1, 2, 2.0) == Code.SESSION_MOVED
    assert tracker.heard(2, 3, 2.0) == Code.SESSION_EXPIRED
    assert tracker.expired(4.6) == [1]
    tracker.add(2, 4.0, 0.0, owner=3)
    assert tracker.heard(2, 3, 2.0) == Code.OK
    assert tracker.expired(5.9) == []
    assert tracker.expired(6.6) == [2]
