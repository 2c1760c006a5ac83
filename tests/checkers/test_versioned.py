"""Registers with recorded versions against brute force, and what each contradiction says."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers import versioned
from checkers.contradiction import HOLDS, UNDECIDED, Contradiction
from tests.checkers import oracle
from tests.checkers.oracle import NOT_KNOWN, Done

START = (0, 0, 0)


def decide(ops, initial=0):
    plain, versions = oracle.unversioned(ops)
    return versioned.decide(oracle.history(plain).operations(), versions, initial=initial)


def agrees(ops):
    finding = decide(ops)
    if finding is UNDECIDED:
        return True
    return (finding is HOLDS) is oracle.linearizable(oracle.versioned, START, ops)


def test_it_agrees_with_brute_force_and_is_seldom_undecided():
    rng = random.Random(1)
    undecided = refuted = 0
    for _ in range(4000):
        ops = oracle.random_versioned(rng, rng.randint(1, 7))
        assert agrees(ops), ops
        finding = decide(ops)
        undecided += finding is UNDECIDED
        refuted += isinstance(finding, Contradiction)
    assert undecided < 400
    assert 500 < refuted < 3000


@settings(max_examples=300, derandomize=True, deadline=None)
@given(rng=st.randoms(use_true_random=False), count=st.integers(1, 7))
def test_it_is_never_wrong(rng, count):
    assert agrees(oracle.random_versioned(rng, count))


def test_without_crashes_it_is_always_decided():
    rng = random.Random(2)
    for _ in range(2000):
        ops = [op for op in oracle.random_versioned(rng, rng.randint(1, 7)) if op.ret is not None]
        finding = decide(ops)
        assert finding is not UNDECIDED
        assert (finding is HOLDS) is oracle.linearizable(oracle.versioned, START, ops), ops


@pytest.mark.parametrize(
    ("ops", "message", "rows"),
    [
        pytest.param(
            [Done("write", 1, (None, 4), 0, 1), Done("read", None, (0, 0), 2, 3)],
            "read of 0 (process 0) saw version 0, but the register stood between versions 4 and 4 then",
            (0, 1),
            id="stale",
        ),
        pytest.param(
            [Done("write", 1, (None, 4), 0, 1), Done("write", 2, (None, 4), 2, 3)],
            "write of 1 (process 0) and write of 2 (process 0) both wrote version 4",
            (0, 1),
            id="twice",
        ),
        pytest.param(
            [Done("write", 1, (None, 4), 0, 1), Done("write", 2, (None, 3), 2, 3)],
            "write of 1 (process 0) returned before write of 2 (process 0) was called, but wrote version"
            " 4 after its 3",
            (0, 1),
            id="order",
        ),
        pytest.param(
            [Done("write", 1, (None, 4), 0, 1), Done("read", None, (2, 4), 2, 3)],
            "read of 2 (process 0) saw version 4, which holds 1",
            (1,),
            id="misread",
        ),
        pytest.param(
            [Done("read", None, (1, 4), 0, 1)],
            "read of 1 (process 0) saw version 4, which nobody wrote",
            (0,),
            id="orphan",
        ),
        pytest.param(
            [Done("cas", [5, 1], (True, 4), 0, 1)],
            "cas from 5 to 1 (process 0) wrote version 4, but the version before held 0",
            (0,),
            id="cas",
        ),
        pytest.param(
            [Done("cas", [0, 1], (False, None), 0, 1, type="fail")],
            "failed cas from 0 to 1 (process 0): the register stood between versions 0 and 0 then",
            (0,),
            id="failed-cas",
        ),
    ],
)
def test_a_contradiction_is_told_in_one_sentence(ops, message, rows):
    assert decide(ops) == Contradiction(message, rows)


def test_a_version_that_was_seen_belongs_to_a_pending_write_of_that_value():
    pending = Done("write", 1, NOT_KNOWN, 0, None)
    assert decide([pending, Done("read", None, (1, 4), 1, 2, 1)]) is HOLDS


def test_a_write_that_was_not_told_its_version_is_left_to_others():
    assert decide([Done("write", 1, (None, None), 0, 1)]) is UNDECIDED
