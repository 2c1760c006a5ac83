"""Shards joined: each seed once, contradictions refused, foreign files named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.windtunnel.conftest import Said
from tests.windtunnel.test_campaign import Inline, every_seventh_fails
from windtunnel.campaign import ChunkResult, Finding, shard_of, work_off
from windtunnel.campaign_log import CampaignLog, read_log, write_log
from windtunnel.merging import joined
from windtunnel.names import BadInputError
from windtunnel.spec import TestSpec


def header(**changes: Any) -> dict[str, Any]:
    spec = TestSpec(workload="uuid", time_limit_s=2, **changes)
    return {"spec": spec.to_dict(), "versions": {"python": "3.11"}}


def shard(path: Path, part: int, parts: int, work: Any = every_seventh_fails, **changes: Any) -> Path:
    seeds = shard_of(range(100), (part, parts))
    work_off(work, seeds, executor=Inline(), jobs=1, log=CampaignLog(path, header(**changes)))
    return path


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(1, 6), st.randoms(use_true_random=False))
def test_shards_in_any_order_are_the_whole_campaign(tmp_path_factory, parts, random) -> None:
    directory = tmp_path_factory.mktemp("shards")
    logs = [shard(directory / f"{part}.jsonl", part, parts) for part in range(parts)]
    random.shuffle(logs)
    (one,), problems = joined(logs)
    assert problems == []
    assert one.tally.seeds == 100
    assert sorted(finding.seed for finding in one.tally.findings) == list(range(0, 100, 7))


def test_a_merged_log_can_be_merged_again_and_gone_on_with(tmp_path: Path) -> None:
    logs = [shard(tmp_path / f"{part}.jsonl", part, 3) for part in range(2)]
    (first,), _ = joined(logs)
    write_log(tmp_path / "both.jsonl", first.contents)
    (again,), _ = joined([tmp_path / "both.jsonl", *logs])
    assert again.tally.seeds == first.tally.seeds
    rest = Inline()
    log = CampaignLog(tmp_path / "both.jsonl", header())
    assert work_off(every_seventh_fails, range(100), executor=rest, jobs=1, log=log).seeds == 100
    assert sorted(seed for piece in rest.asked for seed in piece) == list(range(2, 100, 3))


def test_logs_of_different_tests_stay_apart(tmp_path: Path) -> None:
    logs = [shard(tmp_path / "a", 0, 1), shard(tmp_path / "b", 0, 1, rate=5.0)]
    tests, _ = joined(logs)
    assert [one.tally.seeds for one in tests] == [100, 100]
    assert len({one.name for one in tests}) == 2


def test_machines_that_disagree_on_a_seed_are_refused(tmp_path: Path) -> None:
    def otherwise(seeds: range) -> ChunkResult:
        return ChunkResult(seeds=seeds)

    logs = [shard(tmp_path / "a", 0, 1), shard(tmp_path / "b", 0, 1, work=otherwise)]
    with pytest.raises(BadInputError, match=r"seed 0 went otherwise than in .*not deterministic"):
        joined(logs)


def test_chunks_that_share_some_seeds_and_not_all_are_refused(tmp_path: Path) -> None:
    logs = [shard(tmp_path / "a", 0, 1), shard(tmp_path / "b", 0, 3)]
    with pytest.raises(BadInputError, match=r"seed 0 stands in .*a too"):
        joined(logs)


def test_what_is_no_log_is_named_and_a_torn_chunk_left_out(tmp_path: Path) -> None:
    good = shard(tmp_path / "good.jsonl", 0, 1)
    (tmp_path / "notes.txt").write_text("hello\n")
    (tmp_path / "empty").write_text("")
    (tmp_path / "odd").write_text('{"test": {}}\n{"chunk": {"seeds": "x"}}\n')
    torn = tmp_path / "torn"
    torn.write_bytes(shard(tmp_path / "whole", 0, 1, rate=5.0).read_bytes()[:-10])
    names = [tmp_path / name for name in ("notes.txt", "empty", "odd", "missing", "torn")]
    tests, problems = joined([good, *names])
    assert [one.tally.seeds for one in tests] == [100, 75]
    assert [Path(problem.split(":")[0].split(" ")[0]).name for problem in problems] == [
        "notes.txt",
        "empty",
        "odd",
        "missing",
        "torn",
    ]


def finding_of(seeds: range) -> ChunkResult:
    findings = tuple(
        Finding(
            seed=seed, valid=False, signatures=("unique-ids: duplicated",), message="id 1 | twice\n::x"
        )
        for seed in seeds[:1]
    )
    return ChunkResult(seeds=seeds, findings=findings, cpu_s=1.0, faults={"kill": (4, 3)})


def test_merge_writes_log_page_junit_annotations_and_summary(
    cli: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in range(2):
        shard(tmp_path / "out" / f"{part}.jsonl", part, 2, work=finding_of)
        shard(tmp_path / "out" / "more" / f"m{part}.jsonl", part, 2, mutant="uuid4-seeded-by-pid")
    (tmp_path / "out" / "notes.jsonl").write_text("hello\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    said = cli("merge", "out", "--out", "ci", "--github")
    assert said.code == 1
    (error,) = said.out.splitlines()
    assert error.startswith("::error title=uuid%3A unique-ids::duplicated: 10 seeds; ")
    assert "id 1 | twice\\u000a::x%0Arepeat by" in error
    assert "windtunnel run uuid --seed" in error
    assert "notes.jsonl" in said.err
    cases = {
        (case.get("classname"), case.get("name")): [child.tag for child in case]
        for case in Xml.parse(tmp_path / "ci" / "junit.xml").getroot().iter("testcase")
    }
    assert cases == {
        ("uuid", "unique-ids"): ["failure"],
        ("uuid with uuid4-seeded-by-pid", "caught"): [],
    }
    summary = (tmp_path / "summary.md").read_text()
    assert "| uuid | 100 |" in summary
    assert "15 from seed 0" in summary
    assert "notes" in summary
    assert "notes" in (tmp_path / "ci" / "campaign.html").read_text()
    assert sorted(len(read_log(log).chunks) for log in (tmp_path / "ci").glob("*.jsonl")) == [10, 10]


def test_a_mutant_that_nobody_caught_fails_the_merge(cli: Callable[..., Said], tmp_path: Path) -> None:
    def nothing(seeds: range) -> ChunkResult:
        return ChunkResult(seeds=seeds)

    shard(tmp_path / "missed.jsonl", 0, 1, work=nothing, mutant="uuid4-seeded-by-pid")
    assert cli("merge", "missed.jsonl").code == 1
    assert "no checker found" in (tmp_path / "campaign" / "junit.xml").read_text()


def test_nothing_to_merge_is_bad_input(cli: Callable[..., Said]) -> None:
    assert cli("merge", "missing.jsonl").code == 254
