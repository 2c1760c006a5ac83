"""What a pause between looking and acting does to a lock, and what a fencing token does about it."""

from __future__ import annotations

import pytest

from windtunnel.names import BadInputError
from windtunnel.plan import prepare
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec


def run(workload: str, **options: str):
    return run_test(TestSpec(workload=workload, seed=1, faults=("none",), options=options)).verdict


def test_a_lock_fails_with_paused_clients_and_says_why_and_what_helps() -> None:
    verdict = run("lock", pauses="2")
    assert verdict.valid is False
    found = {anomaly.name: anomaly.message for anomaly in verdict.anomalies}
    assert set(found) == {"two-holders", "stale-access"}
    for message in found.values():
        assert "paused for 4 s" in message
        assert "lock-fenced" in message


def test_a_fenced_resource_refuses_what_paused_clients_do_too_late() -> None:
    verdict = run("lock-fenced", pauses="2")
    assert verdict.valid is True
    (guarded,) = (part for part in verdict.parts if part.checker == "guarded-resource")
    assert guarded.counts["refused-count"] > 0


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_run_too_short_for_a_pause_puts_the_resource_at_risk_in_its_last_phase(seed: int) -> None:
    spec = TestSpec(workload="lock-fenced", seed=seed, faults=("none",), time_limit_s=0.5)
    verdict = run_test(spec).verdict
    assert verdict.valid is True
    (guarded,) = (part for part in verdict.parts if part.checker == "guarded-resource")
    assert guarded.counts["refused-count"] > 0


def test_without_pauses_both_are_held_to_mutual_exclusion() -> None:
    for workload in ("lock", "lock-fenced"):
        verdict = run(workload, pauses="0")
        assert verdict.valid is True
        assert "mutual-exclusion" in {part.checker for part in verdict.parts}


def test_pauses_that_are_no_number_are_refused() -> None:
    with pytest.raises(BadInputError, match="pauses is 'often': give a number of uses, or 0"):
        prepare(TestSpec(workload="lock", options={"pauses": "often"}))
