"""The known-order lemma against trying every placement."""

import random
from itertools import product

import numpy as np
import pytest

from checkers import known_order
from checkers.known_order import Misfit
from history.history import PENDING
from tests.checkers import oracle


def placements_exist(precedes, mutators, observers, sets):
    """Whether observers can be put among the mutators: ``precedes(a, b)`` says what must hold."""
    if any(precedes(b, a) for i, a in enumerate(mutators) for b in mutators[i + 1 :]):
        return False
    for places in product(*sets):
        fits = all(
            not (precedes(m, x) and place <= i) and not (precedes(x, m) and place > i)
            for x, place in zip(observers, places, strict=True)
            for i, m in enumerate(mutators)
        )
        ordered = all(
            not precedes(x, y) or p <= q
            for x, p in zip(observers, places, strict=True)
            for y, q in zip(observers, places, strict=True)
        )
        if fits and ordered:
            return True
    return False


def in_real_time(a, b):
    return a[2] is not None and a[2] < b[1]


def in_session(a, b):
    return a[0] == b[0] and a[1] < b[1]


def drawn(rng):
    """Mutators mostly in order of call, observers, and the positions each observer may take."""
    spans = oracle.times(rng, rng.randint(1, 7))
    rng.shuffle(spans)
    cut = rng.randint(0, len(spans))
    mutators = sorted(spans[:cut], key=lambda span: span[1] + rng.choice([0, 0, 3]))
    observers = [span for span in spans[cut:] if span[2] is not None]
    places = range(len(mutators) + 1)
    sets = [sorted(rng.sample(places, rng.randint(1, min(2, len(places))))) for _ in observers]
    return mutators, observers, sets


def column(spans, place):
    return np.array([PENDING if s[place] is None else s[place] for s in spans], dtype=np.int64)


def as_listed(sets):
    starts = np.cumsum([0, *map(len, sets)])
    return known_order.listed(starts, np.array([p for s in sets for p in s], dtype=np.int64))


def test_any_sets_of_positions_agree_with_trying_every_placement():
    rng = random.Random(1)
    refuted = 0
    for _ in range(4000):
        mutators, observers, sets = drawn(rng)
        found = known_order.misfit(
            column(mutators, 1),
            column(mutators, 2),
            column(observers, 1),
            column(observers, 2),
            as_listed(sets),
        )
        assert (found is None) == placements_exist(in_real_time, mutators, observers, sets)
        refuted += found is not None
    assert 500 < refuted < 3500


def test_session_order_agrees_with_trying_every_placement():
    rng = random.Random(2)
    refuted = 0
    for _ in range(4000):
        mutators, observers, sets = drawn(rng)
        found = known_order.misfit_in_sessions(
            column(mutators, 0),
            column(mutators, 1),
            column(observers, 0),
            column(observers, 1),
            as_listed(sets),
        )
        assert (found is None) == placements_exist(in_session, mutators, observers, sets)
        refuted += found is not None
    assert 200 < refuted < 3800


@pytest.mark.parametrize(
    ("allowed", "sets"),
    [
        (known_order.exactly(np.array([2])), [2]),
        (known_order.anything_but(np.array([2])), [0, 1, 3, 4]),
        (known_order.anything_but(np.array([-1])), [0, 1, 2, 3, 4]),
        (known_order.parity(np.array([True])), [1, 3]),
        (known_order.parity(np.array([False])), [0, 2, 4]),
        (known_order.listed(np.array([0, 2]), np.array([1, 4])), [1, 4]),
        (known_order.holding(np.array([7, 8, 7, 7, 9]), np.array([7])), [0, 2, 3]),
        (known_order.holding(np.array([7, 8, 7, 7, 9]), np.array([6])), []),
        (known_order.lacking(np.array([7, 8, 7, 7, 9]), np.array([7])), [1, 4]),
        (known_order.lacking(np.array([9, 8, 7, 7, 7]), np.array([7])), [0, 1]),
        (known_order.listed(np.array([0, 0]), np.array([], dtype=np.int64)), []),
    ],
)
def test_a_set_of_positions_gives_the_least_from_there_on(allowed, sets):
    for least in range(5):
        given = int(allowed(np.array([0]), np.array([least]))[0])
        expected = min((place for place in sets if place >= least), default=None)
        assert given == expected if expected is not None else given > 4


def one_write_then_read(position):
    """A write from 0 to 1, one from 4 to 5, and a read from 2 to 3 that saw ``position`` writes."""
    return known_order.misfit(
        np.array([0, 4]),
        np.array([1, 5]),
        np.array([2]),
        np.array([3]),
        known_order.exactly(np.array([position])),
    )


def test_a_read_between_two_writes_sees_the_first():
    assert one_write_then_read(1) is None


def test_a_stale_read_is_explained_by_the_write_that_had_returned():
    assert one_write_then_read(0) == Misfit(observer=0, after=0, before=1, low=1, high=1)


def test_an_early_read_is_explained_by_the_write_that_was_not_called_yet():
    assert one_write_then_read(2) == Misfit(observer=0, after=0, before=1, low=1, high=1)


def test_mutators_against_real_time_are_explained_by_both():
    nothing = np.empty(0, dtype=np.int64)
    found = known_order.misfit(
        np.array([2, 0]), np.array([3, 1]), nothing, nothing, known_order.exactly(nothing)
    )
    assert found == Misfit(after=1, before=0)


def test_a_read_that_goes_back_is_explained_by_the_earlier_read():
    found = known_order.misfit(
        np.array([0]),
        np.array([9]),
        np.array([1, 3]),
        np.array([2, 4]),
        known_order.exactly(np.array([1, 0])),
    )
    assert found == Misfit(observer=1, previous=0, low=1, high=1)
