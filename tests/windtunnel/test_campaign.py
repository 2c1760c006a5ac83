"""Campaigns on work that needs no cluster."""

from __future__ import annotations

import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windtunnel.campaign import (
    ChunkResult,
    Finding,
    chunks,
    parse_duration,
    parse_seeds,
    parse_shard,
    shard_of,
    work_off,
)
from windtunnel.campaign_log import CampaignLog
from windtunnel.names import BadInputError

TEST = {"workload": "snowflake", "nodes": ("n1", "n2")}


class Inline(Executor):
    """Runs at once, in this thread; remembers what it was given, and stops after ``limit`` calls."""

    def __init__(self, limit: int = 10**9) -> None:
        self.asked: list[range] = []
        self.limit = limit

    def submit(self, fn, /, *args, **kwargs):
        if len(self.asked) >= self.limit:
            raise KeyboardInterrupt
        self.asked.append(args[0])
        future: Future[ChunkResult] = Future()
        future.set_result(fn(*args))
        return future


def every_seventh_fails(seeds: range) -> ChunkResult:
    findings = tuple(
        Finding(seed=seed, valid=False, signatures=("unique: duplicated",), message="id 1 twice")
        for seed in seeds
        if seed % 7 == 0
    )
    return ChunkResult(seeds=seeds, findings=findings, simulated_s=30.0 * len(seeds))


@settings(derandomize=True)
@given(st.integers(0, 50), st.integers(1, 500), st.integers(1, 8), st.integers(1, 4))
def test_the_shards_of_a_campaign_cover_each_seed_once(start, count, parts, jobs) -> None:
    seeds = range(start, start + count)
    shards = [shard_of(seeds, (i, parts)) for i in range(parts)]
    pieces = [piece for shard in shards for piece in chunks(shard, jobs=jobs)]
    assert sorted(seed for piece in pieces for seed in piece) == list(seeds)
    done = {seed for seed in seeds if seed % 3 == 0}
    left = [seed for shard in shards for piece in chunks(shard, jobs=jobs, done=done) for seed in piece]
    assert sorted(left) == [seed for seed in seeds if seed % 3]


def test_findings_are_grouped_by_what_failed_and_the_first_seed_leads() -> None:
    with ThreadPoolExecutor(2) as executor:
        tally = work_off(every_seventh_fails, range(100), executor=executor, jobs=2)
    assert tally.seeds == 100
    assert tally.invalid == 15
    assert tally.simulated_s == 3000
    ((signature, findings),) = tally.by_signature().items()
    assert signature == "unique: duplicated"
    assert [finding.seed for finding in findings[:3]] == [0, 7, 14]


def test_invalid_comes_before_unknown_in_the_groups() -> None:
    def work(seeds: range) -> ChunkResult:
        unknown = [Finding(seed=s, valid="unknown", signatures=("vacuous",), message="") for s in seeds]
        invalid = Finding(seed=seeds[0], valid=False, signatures=("order: regressed",), message="")
        return ChunkResult(seeds=seeds, findings=(*unknown, invalid))

    tally = work_off(work, range(9), executor=Inline(), jobs=1)
    assert list(tally.by_signature()) == ["order: regressed", "vacuous"]


def test_a_stopped_campaign_goes_on_where_it_was(tmp_path: Path) -> None:
    path, pieces = tmp_path / "campaign.jsonl", list(chunks(range(100)))
    with pytest.raises(KeyboardInterrupt):
        work_off(
            every_seventh_fails, range(100), executor=Inline(2), jobs=1, log=CampaignLog(path, TEST)
        )
    rest = Inline()
    tally = work_off(every_seventh_fails, range(100), executor=rest, jobs=1, log=CampaignLog(path, TEST))
    assert len(rest.asked) == len(pieces) - 2
    assert tally.seeds == 100
    assert [finding.seed for finding in tally.findings] == sorted(range(0, 100, 7))


def test_a_torn_chunk_is_dropped_and_run_again(tmp_path: Path) -> None:
    path, pieces = tmp_path / "campaign.jsonl", list(chunks(range(100)))
    work_off(every_seventh_fails, range(100), executor=Inline(), jobs=1, log=CampaignLog(path, TEST))
    path.write_bytes(path.read_bytes()[:-10])
    again = Inline()
    tally = work_off(
        every_seventh_fails, range(100), executor=again, jobs=1, log=CampaignLog(path, TEST)
    )
    assert again.asked == [pieces[-1]]
    assert tally.invalid == 15
    assert (
        work_off(
            every_seventh_fails, range(100), executor=Inline(0), jobs=1, log=CampaignLog(path, TEST)
        ).findings
        == tally.findings
    )


def test_a_log_of_another_test_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "campaign.jsonl"
    CampaignLog(path, TEST)
    with pytest.raises(BadInputError, match="another test"):
        CampaignLog(path, {**TEST, "workload": "uuid"})


def test_a_malformed_log_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "campaign.jsonl"
    CampaignLog(path, TEST)
    path.write_bytes(path.read_bytes() + b"{nonsense\n")
    with pytest.raises(BadInputError, match=r"campaign\.jsonl:2: "):
        CampaignLog(path, TEST)


def test_a_campaign_goes_on_with_other_chunks_and_more_seeds(tmp_path: Path) -> None:
    """Another number of jobs cuts other chunks: what is done counts by seed."""
    path = tmp_path / "campaign.jsonl"
    work_off(every_seventh_fails, range(60), executor=Inline(), jobs=1, log=CampaignLog(path, TEST))
    rest = Inline()
    tally = work_off(every_seventh_fails, range(100), executor=rest, jobs=3, log=CampaignLog(path, TEST))
    assert sorted(seed for piece in rest.asked for seed in piece) == list(range(60, 100))
    assert tally.seeds == 100
    assert [finding.seed for finding in tally.findings] == list(range(0, 100, 7))


def test_when_time_is_up_nothing_begins_and_the_next_campaign_does_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "campaign.jsonl"

    def half(seeds: range) -> ChunkResult:
        return every_seventh_fails(seeds[: len(seeds) // 2])

    first = work_off(half, range(100), executor=Inline(), jobs=1, log=CampaignLog(path, TEST))
    assert first.seeds < 100
    late = Inline()
    past = work_off(
        half, range(100), executor=late, jobs=1, log=CampaignLog(path, TEST), until=time.time() - 1
    )
    assert (late.asked, past.seeds) == ([], first.seeds)
    whole = work_off(
        every_seventh_fails, range(100), executor=Inline(), jobs=1, log=CampaignLog(path, TEST)
    )
    assert whole.seeds == 100
    assert sorted(finding.seed for finding in whole.findings) == list(range(0, 100, 7))


def test_a_range_without_end_is_not_unrolled() -> None:
    endless = parse_seeds("7:")
    assert next(chunks(shard_of(endless, (1, 4)), jobs=2))[:2] == range(8, 16, 4)


@pytest.mark.parametrize(
    ("text", "duration_s"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("2d", 172800)]
)
def test_durations_have_units(text: str, duration_s: float) -> None:
    assert parse_duration(text) == duration_s


@pytest.mark.parametrize("text", ["", "m", "0s", "-1m", "10 minutes", "nan", "inf", "5x"])
def test_a_duration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="--for"):
        parse_duration(text)


def test_seeds_are_a_half_open_range_or_one_seed() -> None:
    assert parse_seeds("3:7") == range(3, 7)
    assert parse_seeds("3") == range(3, 4)


@pytest.mark.parametrize("text", ["", "a:b", "7:3", "3:3", "-1:4", "1:2:3"])
def test_a_range_without_seeds_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="--seeds"):
        parse_seeds(text)


@pytest.mark.parametrize("text", ["", "1", "4/4", "-1/4", "0/0", "a/b"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="--shard"):
        parse_shard(text)
