"""The register decider against brute force, and its witnesses."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers import register
from checkers.contradiction import HOLDS, UNDECIDED, Contradiction
from tests.checkers import oracle
from tests.checkers.oracle import NOT_KNOWN, Done


def decide(ops, initial=0):
    return register.decide(oracle.history(ops).operations(), initial)


def agrees(ops):
    """Whether the finding is right; undecided is, too."""
    finding = decide(ops)
    if finding is UNDECIDED:
        return True
    return (finding is HOLDS) is oracle.linearizable(oracle.register, 0, ops)


def test_it_agrees_with_brute_force_and_is_seldom_undecided():
    rng = random.Random(1)
    undecided = refuted = 0
    for _ in range(5000):
        ops = oracle.random_register(rng, rng.randint(1, 7), unique=True)
        assert agrees(ops), ops
        finding = decide(ops)
        undecided += finding is UNDECIDED
        refuted += isinstance(finding, Contradiction)
    assert undecided < 500
    assert refuted > 500


def test_without_failed_cas_it_is_always_decided():
    rng = random.Random(2)
    for _ in range(3000):
        ops = oracle.random_register(rng, rng.randint(1, 7), unique=True)
        ops = [op for op in ops if op.type != "fail"]
        finding = decide(ops)
        assert finding is not UNDECIDED
        assert (finding is HOLDS) is oracle.linearizable(oracle.register, 0, ops), ops


@settings(max_examples=300, derandomize=True, deadline=None)
@given(rng=st.randoms(use_true_random=False), count=st.integers(1, 7), unique=st.booleans())
def test_it_is_never_wrong(rng, count, unique):
    assert agrees(oracle.random_register(rng, count, unique=unique))


def test_the_operations_of_a_witness_contradict_each_other_by_themselves():
    """With the writers of the values they observe, that is: those are part of any explanation."""
    rng = random.Random(3)
    for _ in range(2000):
        ops = [op for op in oracle.random_register(rng, 7, unique=True) if op.type != "fail"]
        finding = decide(ops)
        if not isinstance(finding, Contradiction):
            continue
        assert len(finding.rows) <= 4 or "needs" in finding.message
        few = oracle.with_writers(ops, finding.rows)
        assert not oracle.linearizable(oracle.register, 0, few), (finding, few)


def test_a_repeated_value_is_left_to_the_search():
    assert decide([Done("write", 1, None, 0, 1), Done("write", 1, None, 2, 3)]) is UNDECIDED
    assert decide([Done("write", 0, None, 0, 1)]) is UNDECIDED


@pytest.mark.parametrize(
    ("ops", "message", "rows"),
    [
        pytest.param(
            [Done("read", None, 7, 0, 1)],
            "read of 7 (process 0) observed a value that is neither the initial one nor written by"
            " anyone",
            (0,),
            id="never-written",
        ),
        pytest.param(
            [Done("write", 1, None, 0, 1), Done("read", None, 0, 2, 3)],
            "the initial value was there before write of 1 (process 0) was called, yet write of 1"
            " (process 0) returned before read of 0 (process 0) was called: each value must come wholly"
            " before the other",
            (0, 1),
            id="stale",
        ),
        pytest.param(
            [Done("read", None, 1, 0, 1), Done("write", 1, None, 2, 3)],
            "read of 1 (process 0) returned before write of 1 (process 0) was called, but depends on it",
            (0, 1),
            id="early",
        ),
        pytest.param(
            [Done("cas", [0, 1], True, 0, 2), Done("cas", [0, 2], True, 1, 3, 1)],
            "cas from 0 to 1 (process 0) and cas from 0 to 2 (process 1) both succeeded on a value"
            " written once",
            (0, 1),
            id="twice",
        ),
        pytest.param(
            [Done("cas", [1, 2], True, 0, 2), Done("cas", [2, 1], True, 1, 3, 1)],
            "cas from 2 to 1 (process 1) needs cas from 1 to 2 (process 0) needs the first of them:"
            " no write begins the chain",
            (1, 0),
            id="circle",
        ),
    ],
)
def test_a_contradiction_is_told_in_one_sentence(ops, message, rows):
    assert decide(ops) == Contradiction(message, rows)


def test_a_pending_write_happened_exactly_if_its_value_was_seen():
    pending = Done("write", 1, NOT_KNOWN, 0, None)
    assert decide([pending, Done("read", None, 0, 1, 2, 1)]) is HOLDS
    assert decide([pending, Done("read", None, 1, 1, 2, 1)]) is HOLDS
    there_and_back = [Done("read", None, 1, 1, 2, 1), Done("read", None, 0, 3, 4, 1)]
    assert isinstance(decide([pending, *there_and_back]), Contradiction)


def test_a_pending_cas_happened_if_what_it_led_to_was_seen():
    chain = [Done("cas", [0, 1], NOT_KNOWN, 0, None), Done("cas", [1, 2], NOT_KNOWN, 1, None, 1)]
    assert decide([*chain, Done("read", None, 2, 2, 3, 2)]) is HOLDS
    assert isinstance(
        decide([*chain, Done("read", None, 2, 2, 3, 2), Done("read", None, 0, 4, 5, 2)]), Contradiction
    )


def test_none_is_another_name_of_the_initial_value():
    assert decide([Done("read", None, None, 0, 1)]) is HOLDS
    lost = [Done("write", 1, None, 0, 1), Done("read", None, None, 2, 3)]
    assert isinstance(decide(lost), Contradiction)


def test_values_of_any_kind_are_compared_by_content():
    ops = [Done("write", ["a", {"b": 1}], None, 0, 1), Done("read", None, ["a", {"b": 1}], 2, 3)]
    assert decide(ops, None) is HOLDS
