"""Members: the living are there, the dead not for long, and nobody is forgotten."""

from __future__ import annotations

import pytest

from checkers.members import members
from checkers.verdict import Verdict
from tests.checkers.log import Log, names

TIMEOUT_S = 0.005
GRACE_S = 0.003
"""A log has an event every millisecond."""


def judged(log: Log, final_index: int) -> Verdict:
    options = {"final_index": final_index, "session_timeout_s": TIMEOUT_S}
    return members(grace_s=GRACE_S)(log.history(), options)


def joined(log: Log, process: int, host: str) -> int:
    return log.done(process, "join", session=f"0x{process}", host=host)


def saw(log: Log, process: int, live: str, all_: str = "abc") -> int:
    view = {"all": list(all_), "live": list(live)}
    return log.done(process, "view", session=f"0x{process}", zxid=5, view=view)


def later(log: Log, count: int = 5) -> None:
    """Let ``2 * count`` milliseconds pass."""
    for _ in range(count):
        log.done(9, "leave", type_="fail", error="x")


def group(live_at_the_end: str = "bc", *, all_: str = "abc") -> tuple[Log, int]:
    """``a`` dies, ``b`` and ``c`` join in the final phase."""
    log = Log()
    final_index = joined(log, 1, "a") + 1
    joined(log, 2, "b")
    joined(log, 3, "c")
    saw(log, 2, "abc")
    later(log)
    saw(log, 2, live_at_the_end, all_)
    saw(log, 3, "bc", all_)
    return log, final_index


def test_the_living_are_there_and_the_dead_go_within_their_timeout() -> None:
    log, final_index = group()
    verdict = judged(log, final_index)
    assert verdict.valid is True
    assert verdict.counts == {"member-count": 3, "alive-count": 2, "dead-longest-s": 0.004}


def test_a_living_member_that_is_missing_is_named() -> None:
    log, final_index = group("b")
    assert names(judged(log, final_index)) == ["live-member-missing"]


def test_a_dead_member_that_stays_is_named() -> None:
    log, final_index = group("abc")
    verdict = judged(log, final_index)
    assert names(verdict) == ["dead-member"]
    assert verdict.anomalies[0].ops[0] == final_index - 1
    assert "its session was to end within 0.008 s" in verdict.anomalies[0].message


def test_a_dead_member_whose_join_was_never_confirmed_counts_if_it_was_seen_before() -> None:
    log = Log()
    joined(log, 1, "a")
    final_index = saw(log, 1, "ax", "ax") + 1
    joined(log, 2, "b")
    later(log)
    saw(log, 2, "bx", "abx")
    assert names(judged(log, final_index)) == ["dead-member"]


def test_a_host_that_appears_and_dies_in_the_final_phase_is_not_judged() -> None:
    log = Log()
    final_index = joined(log, 1, "a") + 1
    joined(log, 2, "b")
    later(log)
    saw(log, 2, "by", "aby")
    assert judged(log, final_index).valid is True


def test_who_belongs_to_the_group_is_not_forgotten() -> None:
    log, final_index = group(all_="bc")
    assert set(names(judged(log, final_index))) == {"member-forgotten"}
    log = Log()
    final_index = joined(log, 1, "a") + 1
    joined(log, 2, "b")
    first, second = saw(log, 2, "ab", "abx"), saw(log, 2, "ab", "ab")
    later(log)
    saw(log, 2, "b", "ab")
    verdict = judged(log, final_index)
    assert names(verdict) == ["member-forgotten"]
    assert verdict.anomalies[0].ops == (first, second)


def test_without_a_death_a_join_or_a_late_look_nothing_is_known() -> None:
    log, final_index = group()
    assert judged(log, 10_000).reason == "nobody joined or looked in the final phase"
    assert judged(log, 0).reason == "no member ever died"
    log = Log()
    final_index = joined(log, 1, "a") + 1
    joined(log, 2, "b")
    saw(log, 2, "b", "ab")
    assert judged(log, final_index).reason == "nobody looked after the sessions of the dead had expired"


def test_without_a_session_timeout_it_does_not_guess() -> None:
    log, final_index = group()
    with pytest.raises(KeyError, match="session_timeout_s"):
        members()(log.history(), {"final_index": final_index})
