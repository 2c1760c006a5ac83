from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from history.errors import StoreError
from reports.campaign import Cell, groups, html, kill_matrix, read, write
from tests.reports.chromium import open_page
from windtunnel.cli import invoke

FAULT = {"at_s": 1.0, "duration_s": 2.0, "kind": "kill", "nodes": ["n1"], "args": {}}
EVIL = "</script><img src=x onerror=alert(1)>"


def repeat(spec: Mapping[str, Any], seed: int) -> str:
    return f"run {spec['workload']} {seed}"


def schedule(spec: Mapping[str, Any], seed: int) -> Sequence[Mapping[str, Any]]:
    return [FAULT] if seed else []


def finding(seed: int, *signatures: str, valid: bool | str = False, **more: Any) -> dict[str, Any]:
    return {
        "finding": {
            "seed": seed,
            "valid": valid,
            "signatures": signatures,
            "message": f"m{seed}",
            **more,
        }
    }


def log(path: Path, *entries: dict[str, Any], mutant: str | None = None, torn: bytes = b"") -> Path:
    head = {"test": {"spec": {"workload": "lock", "mutant": mutant}, "versions": {"python": "3.11"}}}
    path.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in (head, *entries)) + torn)
    return path


@pytest.fixture
def two_chunks(tmp_path: Path) -> Path:
    return log(
        tmp_path / "two.jsonl",
        finding(7, "mutex: two-holders", faults=5, failed_at_s=9.0),
        finding(3, "mutex: two-holders", faults=2, failed_at_s=20.0, deterministic=False),
        {"chunk": {"seeds": [0, 10, 1], "simulated_s": 300.0, "cpu_s": 2.0, "faults": {"kill": [4, 3]}}},
        finding(12, "mutex: two-holders", "progress: no-progress", faults=3, failed_at_s=1.5),
        finding(14, "coverage: nothing landed", valid="unknown"),
        {
            "chunk": {
                "seeds": [10, 20, 1],
                "simulated_s": 300.0,
                "cpu_s": 2.0,
                "faults": {"kill": [1, 0]},
            }
        },
        finding(21, "mutex: two-holders"),
        torn=b'{"chunk": {"se',
    )


def test_seeds_findings_and_faults_are_counted_over_finished_chunks(two_chunks: Path) -> None:
    one = read(two_chunks)
    assert (one.seeds, one.invalid, one.unknown, one.torn) == (20, 3, 1, 1)
    assert (one.begun["kill"], one.landed["kill"]) == (5, 3)
    assert one.seeds_per_cpu_hour == 18_000


def test_an_hour_is_one_in_which_chunks_ran_however_many_at_a_time(tmp_path: Path) -> None:
    spans = [(100.0, 110.0), (104.0, 112.0), (5000.0, 5008.0)]
    chunks = [{"chunk": {"seeds": [n, n + 5, 1], "ran": ran}} for n, ran in enumerate(spans)]
    assert read(log(tmp_path / "paused.jsonl", *chunks)).seeds_per_hour == 3600 * 15 / 20


def test_failures_are_grouped_by_checker_and_anomaly_the_invalid_and_the_frequent_first(
    two_chunks: Path,
) -> None:
    found = groups(read(two_chunks), repeat=repeat, schedule=schedule)
    assert [(one.checker, one.anomaly, one.count) for one in found] == [
        ("mutex", "two-holders", 3),
        ("progress", "no-progress", 1),
        ("coverage", "nothing landed", 1),
    ]


def test_failures_in_which_a_node_broke_elsewhere_are_another_group(tmp_path: Path) -> None:
    path = log(
        tmp_path / "places.jsonl",
        finding(1, "mutex: two-holders"),
        finding(2, "mutex: two-holders", place="impl/a.py:1 in f"),
        finding(3, "mutex: two-holders", place="impl/a.py:1 in f"),
        {"chunk": {"seeds": [0, 10, 1]}},
    )
    found = groups(read(path), repeat=repeat, schedule=schedule)
    assert [(one.anomaly, one.place, one.count) for one in found] == [
        ("two-holders", "impl/a.py:1 in f", 2),
        ("two-holders", "", 1),
    ]


def test_a_group_names_its_smallest_fastest_and_oldest_seed(two_chunks: Path) -> None:
    group = groups(read(two_chunks), repeat=repeat, schedule=schedule)[0]
    assert (group.smallest, group.fastest, group.oldest) == (3, 12, 7)
    assert (group.repeat, group.message, group.loose) == ("run lock 3", "m3", 1)
    assert group.figure is not None
    assert group.figure.title == "kill n1 at 1 s"


def test_the_kill_matrix_says_which_checker_caught_which_mutant(tmp_path: Path) -> None:
    chunk = {"chunk": {"seeds": [0, 10, 1], "simulated_s": 1.0, "cpu_s": 1.0}}
    logs = [
        log(
            tmp_path / "a", finding(1, "mutex: x", "mutex: y"), finding(2, "token: z"), chunk, mutant="a"
        ),
        log(tmp_path / "b", finding(1, "mutex: x", valid="unknown"), chunk, mutant="b"),
        log(tmp_path / "c", chunk),
    ]
    checkers, kills = kill_matrix([read(one) for one in logs])
    assert checkers == ("mutex", "token")
    assert [(one.mutant, one.caught, one.by_checker) for one in kills] == [
        ("a", 2, (Cell(1, 1), Cell(1, 2))),
        ("b", 0, (None, None)),
    ]
    assert "missed" in html([read(one) for one in logs], repeat=repeat, schedule=schedule)


@pytest.mark.parametrize("text", ["", "hello\n", "[1]\n", '{"finding": {}}\n'])
def test_what_is_no_log_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "notes.txt").write_text(text)
    with pytest.raises(StoreError, match=r"notes.txt is no log of a campaign"):
        read(tmp_path / "notes.txt")


def test_what_a_log_says_is_never_markup(tmp_path: Path) -> None:
    chunk = {"chunk": {"seeds": [0, 1, 1], "simulated_s": 1, "cpu_s": 0, "faults": {EVIL: [1, 1]}}}
    path = log(tmp_path / "evil", {**finding(0, f"{EVIL}: {EVIL}")}, chunk, mutant=EVIL)
    assert "<img" not in html([read(path)], repeat=repeat, schedule=schedule)


def test_a_campaign_from_the_command_line_has_its_page(
    browser: webdriver.Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["campaign", "snowflake", "--seeds", "0:6", "--jobs", "1", "--out", "log.jsonl"]
    assert invoke([*arguments, "--mutant", "snowflake-no-clock-guard"]) == 1
    assert invoke(["campaign-report", "log.jsonl"]) == 0
    open_page(browser, tmp_path / "campaign.html")
    text = browser.find_element(By.TAG_NAME, "main").text
    for part in (
        "caught",
        "non-monotonic",
        "windtunnel run snowflake --seed",
        "smallest seed",
        "Faults over all seeds",
    ):
        assert part in text
    assert browser.find_elements(By.CSS_SELECTOR, "svg.figure rect")


def test_a_page_that_cannot_be_written_is_said(two_chunks: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write([two_chunks], tmp_path / "missing" / "page.html", repeat=repeat, schedule=schedule)
