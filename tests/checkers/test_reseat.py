"""Failed cas that the canonical order has no place for, and that another order has."""

import random

import numpy as np
import pytest

from checkers import register, reseat
from checkers.contradiction import HOLDS, UNDECIDED
from checkers.reseat import Mutators, Observers
from tests.checkers import oracle
from tests.checkers.oracle import Done


def column(*values):
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(("first_ret", "found"), [(9, True), (2, False)])
def test_two_concurrent_writes_change_places_for_a_failed_cas(first_ret, found):
    """Values 0, 1, 2 in this order; 2 was read, then a cas from 2 failed: was 1 written after it?"""
    writes = Mutators(
        call=column(-1, 0, 3),
        ret=column(-1, first_ret, 8),
        value=column(0, 1, 2),
        expected=column(-1, -1, -1),
    )
    seen = Observers(
        call=column(4, 6), ret=column(5, 7), value=column(2, 2), reads=np.array([True, False])
    )
    assert reseat.fits(writes, seen, column(1, 2, 3)) is found


def test_windows_that_overlap_are_joined():
    assert list(reseat._windows(column(20, 30, 100), 105)) == [(8, 42), (88, 105)]


def test_long_true_histories_with_many_failed_cas_are_decided():
    rng = random.Random(1)
    for _ in range(20):
        ops = oracle.true_register(rng, 2000)
        assert register.decide(oracle.history(ops).operations(), 0) is HOLDS


def test_a_failed_cas_that_must_have_succeeded_is_never_seated():
    ops = [Done("write", 1, None, 0, 1), Done("cas", [1, 2], False, 2, 3, type="fail")]
    assert register.decide(oracle.history(ops).operations(), 0) is UNDECIDED
