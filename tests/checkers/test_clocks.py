"""What a clock may have shown while something was being done to it."""

from __future__ import annotations

import numpy as np
import pytest

from checkers.clocks import Timeline, bounds

S = 1_000_000_000


def during(clock: Timeline, start_ns: int, end_ns: int) -> tuple[int, int]:
    low, high = bounds(clock, np.array([start_ns]), np.array([end_ns]))
    return int(low[0]), int(high[0])


def test_a_clock_that_jumps_lies_between_its_readings_while_it_is_set() -> None:
    clock = Timeline()
    clock.action(10 * S, 11 * S, (0, 5 * S))
    assert during(clock, 10 * S + 1, 11 * S - 1) == (0, 5 * S)


def test_a_clock_that_drifts_goes_on_drifting_while_it_is_read_and_set() -> None:
    clock = Timeline()
    clock.action(10 * S, 11 * S, (2 * S, 0), pace=0.5)
    assert during(clock, 10 * S + 1, 11 * S - 1) == (-S // 2, 5 * S // 2)
    assert during(clock, 9 * S, 10 * S - 1) == (0, 2 * S)


def test_rates_of_faults_that_overlap_multiply() -> None:
    assert Timeline().pace == 0
    assert Timeline(rates={1: 1.5, 2: 1.5}).pace == pytest.approx(1.25)
    assert Timeline(rates={1: 0.5, 2: 2.0}).pace == 0
