"""The units theorem against the definition, and the order that it promises."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers import zones

stamps = st.integers(0, 12)
units = st.lists(st.tuples(stamps, stamps), min_size=1, max_size=7)


def arrays(pairs):
    return np.array([f for f, _ in pairs]), np.array([s for _, s in pairs])


def before(first, second):
    """Whether the first unit must come before the second."""
    return first[0] < second[1]


def contradicting_pairs(pairs):
    return {
        frozenset((i, j))
        for i in range(len(pairs))
        for j in range(i)
        if before(pairs[i], pairs[j]) and before(pairs[j], pairs[i])
    }


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(units)
def test_two_units_contradict_each_other_exactly_if_the_definition_says_so(pairs):
    found = zones.conflict(*arrays(pairs))
    expected = contradicting_pairs(pairs)
    assert (found is None) == (not expected)
    assert found is None or frozenset(found) in expected


@settings(max_examples=1000, derandomize=True, deadline=None)
@given(units)
def test_without_a_conflict_the_order_respects_real_time(pairs):
    if contradicting_pairs(pairs):
        return
    order = zones.order(*arrays(pairs)).tolist()
    assert sorted(order) == list(range(len(pairs)))
    for place, unit in enumerate(order):
        assert not any(before(pairs[later], pairs[unit]) for later in order[place + 1 :])


def test_no_unit_has_no_conflict():
    nothing = np.empty(0, dtype=np.int64)
    assert zones.conflict(nothing, nothing) is None
    assert zones.order(nothing, nothing).tolist() == []


def test_a_thousand_random_units_agree_with_the_definition_too():
    rng = random.Random(1)
    for _ in range(200):
        pairs = []
        clock = 0
        for _ in range(40):  # nearly sequential, or every case would be a conflict
            clock += rng.randrange(4)
            pairs.append((clock, clock + rng.randrange(-3, 4)))
        assert (zones.conflict(*arrays(pairs)) is None) == (not contradicting_pairs(pairs))


def only_forward(first, last):
    """A bug: backward zones are forgotten."""
    forward = first < last
    return zones.conflict(first[forward], last[forward])


def touching(first, last):
    """A bug: zones that only touch are taken to overlap."""
    return zones.conflict(first, last + 1)


@pytest.mark.parametrize("broken", [only_forward, touching])
def test_the_comparison_catches_a_broken_theorem(broken):
    rng = random.Random(2)
    for _ in range(2000):
        pairs = [(rng.randrange(12), rng.randrange(12)) for _ in range(3)]
        if (broken(*arrays(pairs)) is None) != (not contradicting_pairs(pairs)):
            return
    pytest.fail("2000 cases did not show the bug")
