"""Values as numbers: equal ones alike, others apart, whatever they are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.factorize import factorize

values = st.one_of(
    st.lists(st.integers(-5, 5)),
    st.lists(st.integers(-(10**30), 10**30)),
    st.lists(st.one_of(st.none(), st.text(max_size=2), st.integers(0, 3))),
    st.lists(st.one_of(st.integers(0, 2), st.lists(st.integers(0, 2), max_size=2))),
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(values)
def test_equal_values_have_one_number_and_others_have_others(given_values):
    numbers, bound = factorize(given_values)
    assert len(numbers) == len(given_values)
    for value, number in zip(given_values, numbers.tolist(), strict=True):
        assert 0 <= number < bound
        for other, another in zip(given_values, numbers.tolist(), strict=True):
            assert (value == other) == (number == another)


@pytest.mark.parametrize("far", [10**12, 2**63, 2**64, -(2**63)])
def test_integers_far_apart_need_no_large_table(far):
    numbers, bound = factorize([0, far, 0])
    assert numbers[0] == numbers[2] != numbers[1]
    assert bound <= 3
