"""Locks against brute force, tokens, reentrance, and the witnesses."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers import lock
from checkers.contradiction import HOLDS, UNDECIDED, Contradiction
from tests.checkers import oracle
from tests.checkers.oracle import NOT_KNOWN, Done


def operations(ops):
    return oracle.history(ops).operations()


def holds(f, owner, call, ret, type="ok"):
    return Done(f, owner, NOT_KNOWN, call, ret, owner, type)


def owned_agrees(ops):
    expected = oracle.linearizable(oracle.owned, None, oracle.that_happened(ops))
    return (lock.decide_owned(operations(ops)) is HOLDS) is expected


def test_owned_locks_agree_with_brute_force():
    rng = random.Random(1)
    refuted = 0
    for _ in range(4000):
        ops = oracle.random_lock(rng, rng.randint(1, 8))
        assert owned_agrees(ops), ops
        refuted += lock.decide_owned(operations(ops)) is not HOLDS
    assert 400 < refuted < 3600


@settings(max_examples=300, derandomize=True, deadline=None)
@given(rng=st.randoms(use_true_random=False), count=st.integers(1, 8))
def test_owned_locks_are_never_judged_wrongly(rng, count):
    assert owned_agrees(oracle.random_lock(rng, count))


def test_anonymous_mutexes_agree_with_brute_force():
    rng = random.Random(2)
    refuted = 0
    for _ in range(4000):
        ops = oracle.random_mutex(rng, rng.randint(1, 8))
        expected = oracle.linearizable(oracle.mutex, None, oracle.that_happened(ops))
        finding = lock.decide_anonymous(operations(ops))
        assert (finding is HOLDS) is expected, ops
        refuted += not expected
    assert 300 < refuted < 3700


def test_reentrant_locks_agree_with_brute_force():
    rng = random.Random(3)
    refuted = 0
    for _ in range(4000):
        ops = [op for op in oracle.random_lock(rng, rng.randint(1, 8)) if op.f != "try-acquire"]
        expected = oracle.linearizable(oracle.reentrant, (None, 0), oracle.that_happened(ops))
        finding = lock.mutual_exclusion(operations(ops), reentrant=True)
        assert (finding is HOLDS) is expected, ops
        refuted += not expected
    assert 300 < refuted < 3700


def test_two_holders_at_once_are_told_with_the_release_that_came_too_late():
    ops = [holds("acquire", 1, 0, 1), holds("acquire", 2, 2, 3), holds("release", 1, 4, 5)]
    assert lock.decide_owned(operations(ops)) == Contradiction(
        "two holders at once: acquire by process 1 and acquire by process 2 had both succeeded before"
        " release by process 1 was called",
        (0, 1, 2),
    )


def test_a_holder_that_never_released_keeps_all_others_out():
    ops = [holds("acquire", 1, 0, 1), holds("acquire", 2, 2, 3)]
    assert isinstance(lock.decide_owned(operations(ops)), Contradiction)


def test_a_pending_release_lets_the_next_one_in():
    ops = [holds("acquire", 1, 0, 1), holds("release", 1, 2, None), holds("acquire", 2, 3, 4)]
    assert lock.decide_owned(operations(ops)) is HOLDS


def test_a_release_of_what_one_does_not_hold_must_fail():
    assert lock.decide_owned(operations([holds("release", 1, 0, 1, "fail")])) is HOLDS
    assert isinstance(lock.decide_owned(operations([holds("release", 1, 0, 1)])), Contradiction)


def test_a_try_acquire_cannot_find_a_free_lock_held():
    denied = holds("try-acquire", 1, 0, 1, "fail")
    assert isinstance(lock.decide_owned(operations([denied])), Contradiction)
    waiting = holds("acquire", 2, 0, None)
    later = holds("try-acquire", 1, 1, 2, "fail")
    assert lock.decide_owned(operations([waiting, later])) is HOLDS


def two_tenures():
    return [
        holds("acquire", 1, 0, 1),
        holds("release", 1, 2, 3),
        holds("acquire", 2, 4, 5),
        holds("release", 2, 6, 7),
    ]


@pytest.mark.parametrize(
    ("tokens", "fine"), [((1, 2), True), ((1, 1), False), ((2, 1), False), ((None, 1), True)]
)
def test_fencing_tokens_must_grow_from_tenure_to_tenure(tokens, fine):
    first, second = tokens
    finding = lock.mutual_exclusion(operations(two_tenures()), tokens=[first, None, second, None])
    assert (finding is HOLDS) is fine
    assert fine or finding.rows == (0, 2)


def test_an_owner_may_be_a_session_instead_of_a_process():
    ops = [holds("acquire", 1, 0, 1), holds("release", 2, 2, 3)]
    assert lock.mutual_exclusion(operations(ops), owners=["s1", "s1"]) is HOLDS
    assert isinstance(lock.mutual_exclusion(operations(ops)), Contradiction)


def test_a_lock_held_at_the_start_is_left_to_the_search():
    assert lock.decide_owned(operations(two_tenures()), 3) is UNDECIDED


def test_an_anonymous_mutex_may_be_released_by_anyone():
    ops = [holds("acquire", 1, 0, 1), holds("release", 2, 2, 3)]
    assert lock.decide_anonymous(operations(ops)) is HOLDS


def test_an_anonymous_mutex_acquired_twice_is_told_with_the_first():
    ops = [holds("acquire", 1, 0, 1), holds("acquire", 2, 2, 3)]
    assert lock.decide_anonymous(operations(ops)) == Contradiction(
        "acquire by process 2 succeeded, but the mutex was held since acquire by process 1, and no"
        " release was open that could have come between",
        (0, 1),
    )
