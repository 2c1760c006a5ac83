"""Random schedules of every kind of fault: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import pytest

from tests.impl.queue.chaos import Outcome, run


def check(outcome: Outcome) -> None:
    assert outcome.wrong == []
    assert len(outcome.acknowledged) > 30
    assert outcome.reads > 30
    assert outcome.committed


@pytest.mark.parametrize("seed", range(1, 7))
def test_so_they_do_while_replicas_are_moved_all_the_time(seed: int) -> None:
    outcome = run(seed, time_s=10.0, moves=True)
    check(outcome)
    assert outcome.moves > 0


@pytest.mark.parametrize("seed", range(1, 7))
def test_five_brokers_keep_what_they_acknowledged(seed: int) -> None:
    check(run(seed, time_s=10.0))
