"""Campaigns on executors of all kinds find the same."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import windtunnel as wt
from tests.windtunnel.conftest import Said
from windtunnel.apart import WorkerEndedError, run_chunk_apart
from windtunnel.campaign_log import read_log
from windtunnel.campaigning import dask
from windtunnel.names import BadInputError
from windtunnel.soak import run_chunk

MUTANT = wt.TestSpec(workload="uuid", mutant="uuid4-seeded-by-pid", time_limit_s=3)
SEEDS = range(1, 7)


def gist(tally: wt.Tally) -> list[tuple[int, object]]:
    return sorted((finding.seed, finding.digest) for finding in tally.findings)


def children_of_this_process(word: str) -> list[str]:
    """Command lines of our children, where /proc tells them."""
    told = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    pids = told.read_text().split() if told.exists() else []
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in pids]
    return [line for line in lines if word in line]


@pytest.fixture(scope="module")
def here() -> list[tuple[int, object]]:
    return sorted((one.seed, one.digest) for one in run_chunk(MUTANT.to_dict(), SEEDS).findings)


def test_threads_run_their_chunks_in_children(here: list[tuple[int, object]]) -> None:
    with ThreadPoolExecutor(2) as executor:
        tally = wt.run_campaign(MUTANT, SEEDS, executor=executor, jobs=2)
    assert tally.seeds == len(SEEDS)
    assert gist(tally) == here
    assert not children_of_this_process("windtunnel.apart")


def test_a_dask_cluster_of_two_workers_finds_the_same_and_goes_on_from_a_log(
    here: list[tuple[int, object]], cli: Callable[..., Said], tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path
    ) as cluster:
        with dask(cluster.scheduler_address) as (executor, jobs):
            assert jobs == 2
            assert gist(wt.run_campaign(MUTANT, SEEDS, executor=executor, jobs=jobs)) == here
        arguments = ["campaign", "uuid", "--mutant", MUTANT.mutant, "--time-limit", 3, "--out", "log"]
        assert cli(*arguments, "--seeds", "1:4", "--jobs", 1).code == 1
        said = cli(*arguments, "--seeds", "1:7", "--dask", cluster.scheduler_address)
    assert said.code == 1
    assert "3 seeds stand in log already" in said.out
    chunks = read_log(tmp_path / "log").chunks
    found = [(one.seed, one.digest) for chunk in chunks for one in chunk.findings]
    assert sorted(found) == here


def test_a_scheduler_that_is_not_there_is_said(
    cli: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("windtunnel.campaigning.CONNECT_WITHIN_S", 1)
    said = cli("campaign", "uuid", "--dask", "tcp://127.0.0.1:9")
    assert said.code == 254
    assert "no scheduler answers there" in said.text


def test_a_chunk_has_one_seed_when_the_time_is_up() -> None:
    late = run_chunk(MUTANT.to_dict(), SEEDS, until=time.time() - 1)
    assert late.seeds == range(1, 2)
    assert 1 <= wt.run_campaign(MUTANT, range(10**6), jobs=1, for_s=0.2).seeds < 10**6


def test_a_child_that_dies_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkerEndedError, match=r"seeds 1 to 6 ended with code"):
        run_chunk_apart({"workload": "nonsense"}, SEEDS)
    assert run_chunk_apart(MUTANT.to_dict(), range(1, 2)).seeds == range(1, 2)


def test_only_the_simulator_runs_campaigns() -> None:
    with pytest.raises(BadInputError, match="docker: campaigns run in the simulator"):
        wt.run_campaign(wt.TestSpec(workload="uuid", backend="docker"), SEEDS)


def test_a_campaign_for_some_time_goes_on_where_it_was(cli: Callable[..., Said]) -> None:
    arguments = ["campaign", "uuid", "--jobs", 1, "--out", "log", "--time-limit", 2]
    assert cli(*arguments, "--for", "1s", "--faults", "kill").code == 0
    first = read_log(Path("log"))
    assert cli(*arguments, "--for", "1s", "--faults", "kill", "--seeds", "0:").code == 0
    seeds = [seed for chunk in read_log(Path("log")).chunks for seed in chunk.seeds]
    assert len(seeds) > sum(len(chunk.seeds) for chunk in first.chunks)
    assert len(set(seeds)) == len(seeds)


def test_seeds_without_end_need_a_time(cli: Callable[..., Said]) -> None:
    said = cli("campaign", "uuid", "--seeds", "5:")
    assert said.code == 254
    assert "need --for" in said.text


def test_shrunk_failures_stand_in_the_log_and_on_the_page(cli: Callable[..., Said]) -> None:
    arguments = ["campaign", "uuid", "--mutant", MUTANT.mutant, "--seeds", "1:3", "--jobs", 1]
    said = cli(*arguments, "--time-limit", 3, "--out", "log", "--shrink")
    assert said.code == 1
    assert "shrunk from seed" in said.out
    (entry,) = read_log(Path("log")).shrunk.values()
    assert entry["spec"]["ops"] <= 2
    assert cli("campaign-report", "log").code == 0
    page = Path("campaign.html").read_text()
    assert "Shrunk from seed" in page
    assert "It fails without any fault." in page
    line = next(one for one in said.out.splitlines() if "--schedule" in one)
    assert cli(*line.split()[1:]).code == 1
    assert "shrunk from seed" not in cli(*arguments, "--time-limit", 3, "--out", "log", "--shrink").out


def test_the_matrix_names_the_checker_and_the_seed_that_caught_each_mutant(
    cli: Callable[..., Said],
) -> None:
    said = cli("mutants", "uuid4-seeded-by-pid", "uuid7-random-within-ms", "--seeds", "1:3", "--jobs", 1)
    assert said.code == 0, said.text
    assert "unique-ids" in said.out
    page = Path("store/campaigns/mutants/mutants.html").read_text()
    for part in ("uuid4-seeded-by-pid", "uuid7-random-within-ms", "from seed 1", "caught"):
        assert part in page


def test_a_mutant_that_is_not_caught_fails_the_matrix(cli: Callable[..., Said]) -> None:
    said = cli("mutants", "snowflake-guard-in-memory", "--seeds", "1:2", "--jobs", 1)
    assert said.code == 1
    assert "missed" in said.out


@pytest.mark.parametrize("arguments", [("nonsense",), ("--workload", "nonsense"), ("--seeds", "x")])
def test_mutants_that_do_not_exist_are_bad_input(
    cli: Callable[..., Said], arguments: tuple[str, ...]
) -> None:
    assert cli("mutants", *arguments).code == 254
