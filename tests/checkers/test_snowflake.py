from typing import Any

import pytest

from checkers.snowflake import snowflake
from impl.ids.snowflake import encode
from tests.checkers.ids_history import MS, Script

check = snowflake("next")
EPOCH_MS = 1_288_834_974_657
START_MS = EPOCH_MS + 1_000_000
OPTIONS = {
    "epoch_ms": EPOCH_MS,
    "start_wall_ns": START_MS * MS,
    "node_ids": {"n1": 1, "n2": 2},
    "clock_tolerance_ms": 1,
}


def made(at_ms: float, node_id: int = 1, sequence: int = 0) -> int:
    """An ID of a clock that is ``at_ms`` past the start of the run."""
    return encode(int(START_MS + at_ms - EPOCH_MS), node_id, sequence)


def names(script: Script, **options: Any) -> list[str]:
    return [anomaly.name for anomaly in check(script.history(), {**OPTIONS, **options}).anomalies]


def test_ids_that_say_the_truth_are_valid() -> None:
    verdict = check(Script().next([made(1), made(1, 1, 1)]).next([made(4, 2)], "n2").history(), OPTIONS)
    assert verdict.valid is True
    assert verdict.counts["id-count"] == 3


def test_another_node_s_id_is_invalid() -> None:
    verdict = check(Script().next([made(1), made(1, 2)]).history(), OPTIONS)
    [anomaly] = verdict.anomalies
    assert (verdict.valid, anomaly.name, anomaly.ops) == (False, "wrong-node-id", (1,))
    assert "says it is of node id 2, not 1" in anomaly.message


@pytest.mark.parametrize("off_ms", [-50, 50])
def test_a_timestamp_that_no_clock_showed_is_invalid(off_ms: int) -> None:
    assert "timestamp-off-clock" in names(Script().next([made(1 + off_ms)]))


def test_a_clock_that_was_bumped_excuses_its_own_node_only() -> None:
    bumped = Script().clock("start", (0, 50))
    assert names(bumped.next([made(53)], "n1")) == []
    bumped = Script().clock("start", (0, 50))
    assert "timestamp-off-clock" in names(bumped.next([made(53, 2)], "n2"))


def test_a_bumped_clock_must_show_what_was_read_back() -> None:
    bumped = Script().clock("start", (0, 50)).next([made(3)], "n1").clock("end", (50, 0))
    assert names(bumped) == ["timestamp-off-clock"]


def test_after_a_bump_has_ended_the_clock_is_true_again() -> None:
    over = Script().clock("start", (0, 50)).clock("end", (50, 0))
    assert names(over.next([made(6)])) == []
    over = Script().clock("start", (0, 50)).clock("end", (50, 0))
    assert names(over.next([made(55)])) == ["timestamp-off-clock"]


def test_a_drift_lies_between_its_readings() -> None:
    drifting = Script().clock("start", (0, 0), f="clock-drift").next([made(3 + 20)])
    drifting.clock("end", (0.05, 0), f="clock-drift")
    assert names(drifting) == []
    drifting = Script().clock("start", (0, 0), f="clock-drift").next([made(3 + 80)])
    drifting.clock("end", (0.05, 0), f="clock-drift")
    assert names(drifting) == ["timestamp-off-clock"]


@pytest.mark.parametrize(
    ("at_ms", "valid"), [(3, True), (53, True), (103, True), (-47, False), (153, False)]
)
def test_a_strobe_may_be_anywhere_within_its_swing(at_ms: float, valid: bool) -> None:
    strobing = Script().clock("start", (0, 0.05), f="clock-strobe", args={"offset_s": 0.05})
    strobing.next([made(at_ms)]).clock("end", (0.05, 0), f="clock-strobe")
    assert (names(strobing) == []) is valid


def test_the_final_heal_makes_clocks_true_and_what_was_before_it_unknown() -> None:
    cut_off = Script().clock("start", (0, 50)).next([made(999)]).heal()
    assert names(cut_off.next([made(7)])) == []
    cut_off = Script().clock("start", (0, 50)).heal().next([made(999)])
    assert names(cut_off) == ["timestamp-off-clock"]


def test_a_clock_that_could_not_be_read_may_have_shown_anything() -> None:
    assert names(Script().clock("start", None).next([made(999)])) == []


def test_what_the_nemesis_did_to_clocks_must_be_understood() -> None:
    odd = Script().event("nemesis", "info", "clock-bump", "n1").event("nemesis", "info", "clock-bump", 5)
    with pytest.raises(ValueError, match="clock fault without 'nodes'"):
        check(odd.next([made(1)]).history(), OPTIONS)
    value = {"fault": 0, "phase": "start", "nodes": ["n1"]}
    odd = Script().event("nemesis", "info", "clock-bump", value)
    odd.event("nemesis", "info", "clock-bump", value | {"effect": {"clock": {"n1": {"off": 3}}}})
    with pytest.raises(ValueError, match="unknown shape"):
        check(odd.next([made(1)]).history(), OPTIONS)


def test_order_across_nodes_is_bounded_by_the_skew() -> None:
    """Without the start of the run only the order can be judged."""
    assert names(Script().next([made(5)]).next([made(4, 2)], "n2"), start_wall_ns=None) == []
    far = Script().next([made(500)]).next([made(4, 2)], "n2")
    [anomaly] = check(far.history(), {**OPTIONS, "start_wall_ns": None}).anomalies
    assert (anomaly.name, anomaly.ops) == ("order-beyond-skew", (1, 3))
    skewed = Script().clock("start", (0, 0.5)).next([made(503)]).next([made(5, 2)], "n2")
    assert names(skewed, start_wall_ns=None) == []


def test_without_the_true_time_timestamps_are_unknown() -> None:
    verdict = check(Script().next([made(1)]).history(), {**OPTIONS, "start_wall_ns": None})
    assert verdict.valid == "unknown"


def test_without_an_id_nothing_is_known() -> None:
    assert check(Script().invoke(0).history(), OPTIONS).valid == "unknown"


def test_a_node_without_a_known_node_id_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="'node_ids' does not name node 'n9'"):
        check(Script().next([made(1)], "n9").history(), OPTIONS)
