from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.ids.snowflake import (
    PER_MS,
    TIMESTAMP_END,
    BeforeEpoch,
    BeyondCeiling,
    ClockMovedBack,
    SequenceExhausted,
    Snowflake,
    decode,
    encode,
)

EPOCH_MS = 1_000_000
MS = 1_000_000


class Clock:
    def __init__(self, since_epoch_ms: float = 5.0) -> None:
        self.set(since_epoch_ms)

    def set(self, since_epoch_ms: float) -> None:
        self.ns = EPOCH_MS * MS + round(since_epoch_ms * MS)

    def __call__(self) -> int:
        return self.ns


def core(clock: Clock, **limits: int) -> Snowflake:
    return Snowflake(7, clock, epoch_ms=EPOCH_MS, **limits)


@given(st.integers(0, TIMESTAMP_END - 1), st.integers(0, 1023), st.integers(0, 4095))
@settings(derandomize=True)
def test_decode_undoes_encode(timestamp: int, node_id: int, sequence: int) -> None:
    snowflake = encode(timestamp, node_id, sequence)
    assert decode(snowflake) == (timestamp, node_id, sequence)
    assert 0 <= snowflake < 2**63


def test_a_published_id_of_twitter_is_decoded() -> None:
    parts = decode(1541815603606036480)  # the example in Wikipedia's article on Snowflake IDs
    assert parts == (367597485448, 378, 0)


@pytest.mark.parametrize("wrong", [-1, 1 << 63])
def test_what_has_no_63_bits_is_not_decoded(wrong: int) -> None:
    with pytest.raises(ValueError, match="63 bits"):
        decode(wrong)


@pytest.mark.parametrize("wrong", [-1, 1024])
def test_a_node_id_has_ten_bits(wrong: int) -> None:
    with pytest.raises(ValueError, match="0 to 1023"):
        Snowflake(wrong, Clock(), epoch_ms=0)


def test_the_sequence_counts_within_a_millisecond_and_begins_anew_with_the_next() -> None:
    clock = Clock(5)
    ids = core(clock)
    first = [decode(ids.next_id()) for _ in range(3)]
    clock.set(6.9)
    assert first == [(5, 7, 0), (5, 7, 1), (5, 7, 2)]
    assert decode(ids.next_id()) == (6, 7, 0)


def test_a_millisecond_has_4096_ids_and_says_when_the_next_begins() -> None:
    clock = Clock(5.25)
    ids = core(clock)
    assert len({ids.next_id() for _ in range(PER_MS)}) == PER_MS
    with pytest.raises(SequenceExhausted) as exhausted:
        ids.next_id()
    assert exhausted.value.wait_ns == 750_000
    clock.set(6)
    assert decode(ids.next_id()) == (6, 7, 0)


def test_take_gives_what_is_left_of_the_millisecond() -> None:
    ids = core(Clock(5))
    first, second = ids.take(4000), ids.take(4000)
    assert (len(first), len(second)) == (4000, 96)
    assert len({*first, *second}) == PER_MS
    with pytest.raises(SequenceExhausted):
        ids.take(1)


def test_a_clock_that_went_back_is_an_error_until_it_has_caught_up() -> None:
    clock = Clock(100)
    ids = core(clock)
    last = ids.next_id()
    clock.set(40)
    with pytest.raises(ClockMovedBack) as moved:
        ids.next_id()
    assert moved.value.behind_ns == 60 * MS
    clock.set(100)
    assert ids.next_id() == last + 1


def test_below_the_floor_it_is_as_if_the_clock_had_gone_back() -> None:
    clock = Clock(5)
    ids = core(clock, floor_ms=9)
    with pytest.raises(ClockMovedBack):
        ids.next_id()
    clock.set(9)
    assert decode(ids.next_id()) == (9, 7, 0)


def test_the_ceiling_is_not_reached_until_it_is_raised() -> None:
    clock = Clock(5)
    ids = core(clock, ceiling_ms=5)
    with pytest.raises(BeyondCeiling) as beyond:
        ids.next_id()
    assert beyond.value.timestamp_ms == 5
    ids.ceiling_ms = 6
    assert decode(ids.next_id()) == (5, 7, 0)


def test_41_bits_end() -> None:
    clock = Clock(TIMESTAMP_END - 1)
    ids = core(clock)
    assert decode(ids.next_id()).timestamp_ms == TIMESTAMP_END - 1
    clock.set(TIMESTAMP_END)
    with pytest.raises(BeyondCeiling):
        ids.next_id()


def test_before_the_epoch_there_are_no_ids() -> None:
    with pytest.raises(BeforeEpoch):
        core(Clock(-0.001)).next_id()


@given(st.lists(st.tuples(st.integers(-3_000_000, 5_000_000), st.integers(1, 5000)), max_size=40))
@settings(derandomize=True)
def test_whatever_the_clock_does_ids_grow(steps: list[tuple[int, int]]) -> None:
    clock = Clock(1000)
    ids = core(clock)
    given_out: list[int] = []
    for step_ns, count in steps:
        clock.ns += step_ns
        try:
            given_out += ids.take(count)
        except (ClockMovedBack, SequenceExhausted):
            continue
    assert all(a < b for a, b in pairwise(given_out))
