from __future__ import annotations

from typing import Any

from reports.clocks import clocks
from tests.reports.samples import Row, history, row


def action(time_s: float, phase: str, kind: str, read_s: Any, **more: Any) -> list[Row]:
    begun = {"fault": 0, "phase": phase, "nodes": ["n1"], **more}
    done = {**begun, "effect": {"clock": {"n1": {"read_s": read_s}}}}
    return [row(time_s, "nemesis", "info", kind, begun), row(time_s, "nemesis", "info", kind, done)]


def spans(*actions: list[Row]) -> tuple[tuple[int, int, int | None, int | None], ...]:
    (clock,) = clocks(history([one for rows in actions for one in rows]), ["n1", "n2"], 5_000_000_000)
    assert clock.node == "n1"
    return clock.spans


def test_a_bump_is_a_step_there_and_back() -> None:
    found = spans(
        action(1, "start", "clock-bump", [0.0, 0.5]), action(2, "end", "clock-bump", [0.5, 0.0])
    )
    assert found == (
        (0, 1_000_000, 0, 0),
        (1_000_000, 2_000_000, 500_000, 500_000),
        (2_000_000, 5_000_000, 0, 0),
    )


def test_a_drift_lies_between_its_readings() -> None:
    found = spans(
        action(1, "start", "clock-drift", [0.0, 0.0]), action(2, "end", "clock-drift", [0.1, 0.0])
    )
    assert found[1] == (1_000_000, 2_000_000, 0, 100_000)


def test_a_strobe_swings_between_its_offset_and_none() -> None:
    found = spans(
        action(1, "start", "clock-strobe", [0.0, -2.0], args={"offset_s": -2.0}),
        action(2, "end", "clock-strobe", [-2.0, 0.0]),
    )
    assert found[1] == (1_000_000, 2_000_000, -2_000_000, 0)


def test_a_clock_that_cannot_be_read_is_unknown_until_it_can() -> None:
    found = spans(action(1, "start", "clock-bump", None), action(2, "end", "clock-bump", [0.5, 0.0]))
    assert found[0][2:] == (None, None)
    assert found[1][2:] == (None, None)
    assert found[2] == (2_000_000, 5_000_000, 0, 0)


def test_clocks_that_nobody_touched_are_not_drawn() -> None:
    assert clocks(history([row(1, 0, "invoke", "read")]), ["n1"], 10**9) == ()
