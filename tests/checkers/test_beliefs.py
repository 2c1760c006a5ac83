"""Beliefs, as operations tell of them bit by bit, and which of them overlap."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from checkers.beliefs import Belief, beliefs, overlaps
from tests.checkers.log import Log

S = 1_000_000_000


def told(log: Log) -> list[Belief]:
    return beliefs(log.history().operations())


def test_a_belief_lasts_from_its_beginning_to_its_end() -> None:
    log = Log()
    first = log.done(1, "acquire", token=7, from_ns=2 * S, path="/lock/a")
    log.done(1, "use", token=7, from_ns=2 * S, believed_ns=3 * S)
    last = log.done(1, "release", token=7, from_ns=2 * S, until_ns=4 * S)
    (belief,) = told(log)
    assert (belief.from_ns, belief.until_ns, belief.path) == (2 * S, 4 * S, "/lock/a")
    assert (belief.ops, belief.ended) == ((first, last), True)


def test_without_an_end_it_is_known_up_to_the_last_look() -> None:
    log = Log()
    log.done(1, "acquire", token=7, from_ns=2 * S)
    seen = log.done(1, "use", token=7, from_ns=2 * S, believed_ns=3 * S)
    log.done(1, "use", type_="fail", error="lost")
    (belief,) = told(log)
    assert (belief.until_ns, belief.last, belief.ended) == (3 * S, seen, False)


def test_an_end_that_came_before_the_last_look_by_the_same_clock_ends_it() -> None:
    log = Log()
    log.done(1, "acquire", token=7, from_ns=2 * S)
    log.done(1, "use", token=7, from_ns=2 * S, believed_ns=3 * S, until_ns=2 * S + 1)
    assert told(log)[0].until_ns == 2 * S + 1


def test_who_acts_after_a_pause_believed_until_then() -> None:
    log = Log()
    log.done(1, "acquire", token=7, from_ns=2 * S)
    log.done(1, "use", token=7, from_ns=2 * S, believed_ns=8 * S, paused_s=4.0)
    (belief,) = told(log)
    assert (belief.until_ns, belief.paused_s) == (8 * S, 4.0)


def test_what_names_no_token_or_no_beginning_is_no_belief() -> None:
    log = Log()
    log.done(1, "acquire", type_="fail", error="still queueing", woken=[[1, "/lock"]])
    log.done(1, "use", type_="fail", refused=7, error="stale-token")
    log.done(1, "use", token=7)
    assert told(log) == []


def test_two_tenures_of_one_process_with_one_token_are_two_beliefs() -> None:
    log = Log()
    log.done(1, "acquire", token=7, from_ns=2 * S)
    log.done(1, "release", token=7, from_ns=2 * S, until_ns=3 * S)
    log.done(1, "acquire", token=7, from_ns=5 * S)
    assert [one.from_ns for one in told(log)] == [2 * S, 5 * S]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6)), max_size=8))
def test_overlaps_are_found_exactly_when_two_beliefs_share_a_moment(
    spans: list[tuple[int, int]],
) -> None:
    line = sorted(
        (Belief(n, n, start, start + length, n, n) for n, (start, length) in enumerate(spans)),
        key=lambda one: (one.from_ns, one.token),
    )
    found = overlaps(line)
    assert all(second.from_ns < first.until_ns for first, second in found)
    shared = {
        second.process for first, second in combinations(line, 2) if second.from_ns < first.until_ns
    }
    assert {second.process for _, second in found} == shared
