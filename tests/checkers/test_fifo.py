"""The queue decider against brute force, and one history for each kind of violation."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers import fifo
from checkers.contradiction import HOLDS, UNDECIDED, Contradiction
from tests.checkers import oracle
from tests.checkers.oracle import NOT_KNOWN, Done


def decide(ops):
    return fifo.decide(oracle.history(ops).operations())


def enqueue(value, call, ret):
    return Done("enqueue", value, NOT_KNOWN, call, ret, 0)


def dequeue(value, call, ret):
    return Done("dequeue", None, value, call, ret, 1)


@pytest.mark.parametrize("empties", [True, False])
def test_it_agrees_with_brute_force_and_is_seldom_undecided(empties):
    rng = random.Random(1)
    undecided = refuted = 0
    for _ in range(3000):
        ops = oracle.random_fifo(rng, rng.randint(1, 8), empties=empties)
        finding = decide(ops)
        undecided += finding is UNDECIDED
        if finding is not UNDECIDED:
            expected = oracle.linearizable(oracle.fifo, (), ops)
            assert (finding is HOLDS) is expected, ops
            refuted += not expected
    assert undecided < 200 if empties else undecided == 0
    assert refuted > 200


@settings(max_examples=300, derandomize=True, deadline=None)
@given(rng=st.randoms(use_true_random=False), count=st.integers(1, 8))
def test_it_is_never_wrong(rng, count):
    ops = oracle.random_fifo(rng, count)
    finding = decide(ops)
    if finding is not UNDECIDED:
        assert (finding is HOLDS) is oracle.linearizable(oracle.fifo, (), ops)


@pytest.mark.parametrize(
    ("ops", "message", "rows"),
    [
        pytest.param(
            [dequeue(1, 0, 1), enqueue(1, 2, 3)],
            "dequeue of 1 (process 1) returned before enqueue of 1 (process 0) was called",
            (0, 1),
            id="fresh",
        ),
        pytest.param(
            [dequeue(1, 0, 1)],
            "dequeue of 1 (process 1) gave a value that nobody enqueued",
            (0,),
            id="phantom",
        ),
        pytest.param(
            [enqueue(1, 0, 1), dequeue(1, 2, 3), dequeue(1, 4, 5)],
            "dequeue of 1 (process 1) and dequeue of 1 (process 1) took the same value out",
            (1, 2),
            id="repeated",
        ),
        pytest.param(
            [enqueue(1, 0, 1), enqueue(2, 2, 3), dequeue(2, 4, 5), dequeue(1, 6, 7)],
            "enqueue of 1 (process 0) returned before enqueue of 2 (process 0) was called, but dequeue"
            " of 2 (process 1) came out first: the older value was dequeued only after that",
            (0, 1, 2, 3),
            id="order",
        ),
        pytest.param(
            [enqueue(1, 0, 1), enqueue(2, 2, 3), dequeue(2, 4, 5)],
            "enqueue of 1 (process 0) returned before enqueue of 2 (process 0) was called, but dequeue"
            " of 2 (process 1) came out first: the older value was never dequeued",
            (0, 1, 2),
            id="lost",
        ),
        pytest.param(
            [enqueue(1, 0, 1), dequeue(None, 2, 3)],
            "dequeue that found it empty (process 1), but the queue held the value of enqueue of 1"
            " (process 0) all the while",
            (0, 1),
            id="empty",
        ),
    ],
)
def test_a_violation_is_told_in_one_sentence(ops, message, rows):
    assert decide(ops) == Contradiction(message, rows)


def test_a_queue_is_not_empty_while_the_stays_of_two_values_overlap():
    ops = [
        enqueue(1, 0, 1),
        Done("dequeue", None, None, 2, 9, 2),
        enqueue(2, 3, 4),
        dequeue(1, 5, 6),
    ]
    assert decide(ops).rows == (0, 2, 1)


def test_a_pending_dequeue_may_have_taken_what_is_missing():
    ops = [enqueue(1, 0, 1), enqueue(2, 2, 3), Done("dequeue", None, NOT_KNOWN, 4, None, 2)]
    assert decide([*ops, dequeue(2, 5, 6)]) is HOLDS
    assert isinstance(decide([enqueue(3, -3, -2), *ops, dequeue(2, 5, 6)]), Contradiction)


def test_a_value_enqueued_twice_is_left_to_the_search():
    assert decide([enqueue(1, 0, 1), enqueue(1, 2, 3)]) is UNDECIDED
