"""IDs, an election, a lock and a queue at the same time."""

from __future__ import annotations

import pytest

from impl.mutants.registry import MUTANTS
from windtunnel.cli.main_job import CLIENTS, FAULTS, TIME_LIMIT_S
from windtunnel.commands import repeat_line
from windtunnel.names import BadInputError
from windtunnel.outcome import signatures
from windtunnel.plan import make_workload
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec
from windtunnel.stats import stats
from workloads.together import PARTS, pools_of

SPEC = TestSpec(workload="together", concurrency=12, rate=30)


@pytest.mark.parametrize("seed", range(1, 5))
def test_everything_together_is_valid_under_all_faults(seed: int) -> None:
    spec = SPEC.with_seed(seed)
    verdict = run_test(spec).verdict
    assert verdict.valid is True, f"{signatures(verdict)}; {verdict.reason}; {repeat_line(spec)}"


def test_the_main_job_is_valid_and_every_part_is_served_under_its_faults() -> None:
    spec = TestSpec(
        workload="together",
        seed=1,
        concurrency=CLIENTS,
        rate=40,
        time_limit_s=TIME_LIMIT_S,
        schedule=FAULTS,
    )
    run = run_test(spec)
    assert run.verdict.valid is True, signatures(run.verdict)
    done = {f: counts["ok-count"] for f, counts in stats(run.history).items()}
    served = ("ids/next", "election/campaign", "lock/use", "queue/send", "queue/poll")
    assert all(done[f] > 10 for f in served), done
    assert run.verdict.parts[-1].counts["landed"] == len(FAULTS)


@pytest.mark.parametrize(
    ("mutant", "caught_by"),
    [
        ("snowflake-no-clock-guard", "ids-monotonic"),
        ("chain-watches-the-first", "election-wakes"),
        ("queue-sequences-forgotten", "queue-log"),
    ],
)
def test_a_part_that_is_broken_is_caught_by_its_own_checker(mutant: str, caught_by: str) -> None:
    for seed in range(1, 21):
        spec = TestSpec(workload="together", seed=seed, concurrency=12, rate=60, mutant=mutant)
        verdict = run_test(spec).verdict
        bad = [part.checker for part in verdict.parts if part.valid is False]
        if bad:
            break
    assert caught_by in bad
    assert {name.partition("-")[0] for name in bad} == {caught_by.partition("-")[0]}


def test_each_part_has_clients_and_with_twelve_they_are_its_own() -> None:
    for concurrency in (1, 2, 5, 12, 13, 30):
        pools = pools_of(concurrency)
        assert set(pools) == set(PARTS)
        assert all(pools.values())
        assert frozenset().union(*pools.values()) == set(range(concurrency))
        assert concurrency < 12 or sum(map(len, pools.values())) == concurrency
    assert len(pools_of(5)["election"]) == 3


def test_options_go_to_their_parts_and_others_are_refused() -> None:
    make_workload(TestSpec(workload="together", options={"lock.pauses": "0", "queue.acks": "1"}))
    for options in ({"pauses": 1}, {"clock.pauses": 1}):
        with pytest.raises(BadInputError, match=r"is of no part: write it as part\.name"):
            make_workload(TestSpec(workload="together", options=options))
    with pytest.raises(BadInputError, match="pauses is 'often'"):
        make_workload(TestSpec(workload="together", options={"lock.pauses": "often"}))


def test_mutants_of_no_part_are_refused_and_those_of_parts_are_what_real_nodes_are_started_as() -> None:
    other = next(name for name, mutant in MUTANTS.items() if mutant.kind == "autoincrement")
    with pytest.raises(BadInputError, match=f"no part has the mutant '{other}'"):
        make_workload(TestSpec(workload="together", mutant=other))
    for name in ("snowflake-no-clock-guard", "cas-ignores-version", "queue-zombie-leader"):
        system = make_workload(TestSpec(workload="together", mutant=name)).system
        assert system.command == ("python", "-m", "impl.mutants", name, "{config}")
