"""Random schedules of every kind of fault: one leader per epoch, and nothing lost."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from impl.coordination.parts import PARTS
from impl.coordination.server import serve
from tests.impl.coordination.chaos import Outcome, run


def check(outcome: Outcome) -> None:
    assert outcome.wrong == []
    assert outcome.acknowledged > 100
    assert outcome.reads > 50


@pytest.mark.parametrize("seed", range(1, 9))
def test_three_servers_keep_what_they_acknowledged(seed: int) -> None:
    check(run(seed, time_s=10.0))


@pytest.mark.parametrize("seed", range(101, 104))
def test_five_servers_keep_what_they_acknowledged(seed: int) -> None:
    check(run(seed, servers=5, time_s=10.0))


@pytest.mark.parametrize("seed", range(201, 203))
def test_three_voters_and_an_observer_keep_what_they_acknowledged(seed: int) -> None:
    check(run(seed, servers=4, observers=("n4",), time_s=10.0))


def test_a_leader_paused_before_its_log_was_written_loses_nothing_when_it_is_truncated() -> None:
    """It dropped what had not been written yet, also what came before the cut."""
    check(run(1017, servers=5, time_s=15.0))


def test_small_epochs_and_frequent_snapshots_lose_nothing() -> None:
    check(run(301, time_s=10.0, settings={"maxCounter": 150, "snapCount": 10}))


def test_a_commit_without_a_quorum_is_found() -> None:
    alone = replace(PARTS, committed=lambda acks, voters: max(acks.values()))
    program = partial(serve, parts=alone)
    assert any(run(seed, program=program).wrong for seed in (7, 8))
