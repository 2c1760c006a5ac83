"""Counters and monotone ids against brute force."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers import counter
from checkers.contradiction import HOLDS, Contradiction
from history.history import PENDING
from tests.checkers import oracle
from tests.checkers.oracle import NOT_KNOWN, Done


def decide(ops):
    return counter.fetch_and_add(oracle.history(ops).operations())


def test_a_dense_counter_agrees_with_brute_force():
    rng = random.Random(1)
    refuted = 0
    for _ in range(4000):
        ops = oracle.random_counter(rng, rng.randint(1, 8))
        expected = oracle.linearizable(oracle.counter, 0, ops)
        assert (decide(ops) is HOLDS) is expected, ops
        refuted += not expected
    assert 400 < refuted < 3600


@settings(max_examples=300, derandomize=True, deadline=None)
@given(rng=st.randoms(use_true_random=False), count=st.integers(1, 8))
def test_a_dense_counter_is_never_judged_wrongly(rng, count):
    ops = oracle.random_counter(rng, count)
    assert (decide(ops) is HOLDS) is oracle.linearizable(oracle.counter, 0, ops)


@settings(max_examples=500, derandomize=True, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 20), st.integers(1, 6)), min_size=1, max_size=8)
)
def test_an_inversion_is_found_exactly_if_there_is_one(ids):
    value, call, length = (np.array(column) for column in zip(*ids, strict=True))
    call = call * 10 + np.arange(len(ids))
    ret = call + length * 10 + 5
    expected = {
        (a, b)
        for a in range(len(ids))
        for b in range(len(ids))
        if ret[a] < call[b] and value[a] >= value[b]
    }
    found = counter.inversion(value, call, ret)
    assert (found is None) == (not expected)
    assert found is None or found in expected


def test_ids_that_never_returned_invert_nothing():
    assert counter.inversion(np.array([5, 1]), np.array([0, 2]), np.array([PENDING, 3])) is None


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        (
            [Done("increment", None, 1, 0, 1), Done("increment", None, 1, 2, 3)],
            "increment to 1 (process 0) and increment to 1 (process 0) were given the same value",
        ),
        (
            [Done("increment", None, 3, 0, 1), Done("increment", None, NOT_KNOWN, 2, None)],
            "increment to 3 (process 0), but at most 2 increments can have happened",
        ),
        (
            [Done("increment", None, 2, 0, 1), Done("increment", None, 1, 2, 3)],
            "increment to 2 (process 0) returned before increment to 1 (process 0) was called, which has"
            " place 1 before its 2",
        ),
        (
            [Done("increment", None, 1, 0, 1), Done("read", None, 0, 2, 3)],
            "read of 0 (process 0), but the counter stood between 1 and 1",
        ),
        ([Done("increment", None, 0, 0, 1)], "increment to 0 (process 0): less than it can ever be"),
    ],
)
def test_a_contradiction_is_told_in_one_sentence(ops, message):
    finding = decide(ops)
    assert isinstance(finding, Contradiction)
    assert finding.message == message
