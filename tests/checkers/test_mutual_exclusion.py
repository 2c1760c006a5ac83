"""One holder at a time, tokens that grow, and a resource that is guarded by them."""

from __future__ import annotations

from typing import Any

from checkers.mutual_exclusion import guarded_resource, mutual_exclusion
from checkers.verdict import Verdict
from tests.checkers.log import Log, names

S = 1_000_000_000


def judged(log: Log, **options: Any) -> Verdict:
    return mutual_exclusion(**options)(log.history(), {})


def guarded(log: Log, *, pauses: bool = False) -> Verdict:
    return guarded_resource(pauses=pauses)(log.history(), {})


def holds(log: Log, process: int, token: int, from_s: float, until_s: float | None = None) -> int:
    begun: dict[str, Any] = {"token": token, "from_ns": int(from_s * S)}
    index = log.done(process, "acquire", **begun)
    if until_s is not None:
        log.done(process, "release", **begun, until_ns=int(until_s * S))
    return index


def used(log: Log, process: int, token: int, seq: int, **more: Any) -> int:
    return log.done(process, "use", token=token, seq=seq, **more)


def test_one_after_another_with_growing_tokens_is_valid() -> None:
    log = Log()
    holds(log, 1, 5, 1.0, 2.0)
    holds(log, 2, 9, 2.0, 3.0)
    holds(log, 1, 10, 4.0)
    verdict = judged(log)
    assert verdict.valid is True
    assert verdict.counts == {"tenure-count": 3, "held-s": 2.0}


def test_one_tenure_alone_tests_nothing() -> None:
    log = Log()
    holds(log, 1, 5, 1.0, 2.0)
    assert judged(log).valid == "unknown"
    assert judged(Log()).valid == "unknown"


def test_two_that_believe_at_once_are_named_with_how_long() -> None:
    log = Log()
    first, second = holds(log, 1, 5, 1.0, 2.5), holds(log, 2, 9, 2.0, 3.0)
    verdict = judged(log, holder="leader", thing="office")
    assert names(verdict) == ["two-leaders"]
    assert verdict.anomalies[0].ops == (first, second, first + 2)
    assert "both held the office for 0.500 s" in verdict.anomalies[0].message


def test_a_belief_within_a_longer_one_is_found_though_others_lie_between() -> None:
    log = Log()
    holds(log, 1, 5, 1.0, 9.0)
    holds(log, 2, 6, 2.0, 3.0)
    holds(log, 3, 7, 4.0, 5.0)
    assert names(judged(log)) == ["two-holders", "two-holders"]


def test_a_token_that_is_used_again_or_goes_back_is_wrong_also_by_the_same_process() -> None:
    for process, token, name in (
        (2, 5, "token-reused"),
        (1, 5, "token-reused"),
        (2, 4, "token-went-back"),
    ):
        log = Log()
        first = holds(log, 1, 5, 1.0, 2.0)
        second = holds(log, process, token, 3.0, 4.0)
        verdict = judged(log)
        assert names(verdict) == [name]
        assert verdict.anomalies[0].ops == (first, second)


def test_a_paused_holder_is_explained() -> None:
    log = Log()
    holds(log, 1, 5, 1.0)
    holds(log, 2, 9, 4.0, 6.0)
    log.done(1, "use", token=5, from_ns=S, believed_ns=5 * S, paused_s=4.0, seq=2)
    verdict = judged(log)
    assert names(verdict) == ["two-holders"]
    assert "was paused for 4 s between looking and acting" in verdict.anomalies[0].message
    assert "lock-fenced" in verdict.anomalies[0].message


def test_a_resource_that_is_used_in_the_order_of_tokens_is_guarded() -> None:
    log = Log()
    used(log, 1, 5, 1)
    used(log, 1, 5, 2)
    used(log, 2, 9, 3)
    log.done(1, "use", type_="fail", refused=5, error="stale-token")
    verdict = guarded(log, pauses=True)
    assert verdict.valid is True
    assert verdict.counts == {"use-count": 3, "paused-count": 0, "refused-count": 1}


def test_an_older_token_after_a_newer_one_is_a_stale_access_whatever_the_order_of_the_answers() -> None:
    log = Log()
    stale = used(log, 1, 5, 2, paused_s=4.0)
    newer = used(log, 2, 9, 1)
    verdict = guarded(log)
    assert names(verdict) == ["stale-access"]
    assert verdict.anomalies[0].ops == (newer, stale)
    assert "longer than its session lasts" in verdict.anomalies[0].message


def test_a_deed_after_one_of_a_later_tenure_is_stale_whatever_the_tokens_say() -> None:
    log = Log()
    later = used(log, 2, 0, 1, from_ns=4 * S)
    stale = used(log, 1, 0, 2, from_ns=1 * S, paused_s=4.0)
    verdict = guarded(log)
    assert names(verdict) == ["stale-access"]
    assert verdict.anomalies[0].ops == (later, stale)
    assert "process 2, a later holder" in verdict.anomalies[0].message


def test_tenures_in_order_are_guarded_also_where_tokens_are_all_the_same() -> None:
    log = Log()
    for seq, from_s in enumerate((1, 1, 4, 5)):
        used(log, seq % 2, 0, seq, from_ns=from_s * S)
    assert guarded(log).valid is True


def test_a_later_tenure_does_not_excuse_a_smaller_token() -> None:
    log = Log()
    used(log, 1, 9, 1, from_ns=1 * S)
    used(log, 2, 5, 2, from_ns=4 * S)
    assert names(guarded(log)) == ["stale-access"]


def test_where_one_history_does_not_tell_when_a_tenure_began_the_tokens_decide() -> None:
    log = Log()
    used(log, 1, 5, 1, from_ns=4 * S)
    used(log, 2, 9, 2)
    assert guarded(log).valid is True
    used(log, 1, 5, 3, from_ns=4 * S)
    assert names(guarded(log)) == ["stale-access"]


def test_a_resource_that_nobody_used_or_put_at_risk_tests_nothing() -> None:
    log = Log()
    log.done(1, "use", type_="fail", refused=5, error="stale-token")
    assert guarded(log).valid == "unknown"
    log = Log()
    used(log, 1, 5, 1)
    assert guarded(log).valid is True
    assert (
        guarded(log, pauses=True).reason
        == "no 'use' was tried after a pause, so the resource was never at risk"
    )
