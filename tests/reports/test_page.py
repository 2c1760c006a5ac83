from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from history.errors import StoreError
from history.history import History
from history.op import Op
from reports import page
from reports.material import read
from reports.view import view
from tests.reports.samples import failing_lock, history, many, material, row
from windtunnel.spec import TestSpec
from windtunnel.stored import run_stored


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def lock_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    page.write(failing_lock(), path)
    return text(path)


def test_the_top_has_verdict_sentence_repeat_command_and_digest(lock_page: str) -> None:
    top = lock_page[: lock_page.index("Why it is a bug")]
    for part in ("invalid", "two-holders", "at once", "windtunnel run lock --seed 7", "abc", "3.11.7"):
        assert part in top


def test_the_page_refers_to_nothing_outside_itself(lock_page: str) -> None:
    without_data = re.sub(r'<script type="text/plain".*?</script>', "", lock_page, flags=re.DOTALL)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", without_data)
    assert set(re.findall(r'(?:src|href)="([^"#][^"]*)"', without_data)) == {"data:,", "history.jsonl"}


def test_the_policy_allows_this_script_and_style_and_nothing_else(lock_page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', lock_page)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'"
    for name, tag in (("script-src", "<script>"), ("style-src", "<style>")):
        start = lock_page.index(tag) + len(tag)
        inline = lock_page[start : lock_page.index(f"</{tag[1:-1]}>", start)]
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"


def test_no_element_has_a_style_or_a_handler_of_its_own(lock_page: str) -> None:
    assert not re.search(r"<[^>]+\s(style|on[a-z]+)=", lock_page)


def test_the_same_run_makes_the_same_page() -> None:
    assert page.html(view(failing_lock())) == page.html(view(failing_lock()))


def test_the_page_of_an_empty_history_says_so(tmp_path: Path) -> None:
    page.write(material(history([])), tmp_path / "report.html")
    assert "The history is empty" in text(tmp_path / "report.html")


def test_what_comes_from_the_run_is_never_markup(tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>\"'\u202e\x00"
    rows = [row(0, 0, "invoke", evil, evil, key=evil), row(1, 0, "ok", evil, evil, key=evil, node=evil)]
    run = material(history(rows), logs={evil: evil}, reason=evil)
    page.write(run, tmp_path / "report.html")
    written = text(tmp_path / "report.html")
    assert "<img" not in written
    assert "\u202e" not in written
    assert "\x00" not in written


def test_a_real_run_has_its_page(tmp_path: Path) -> None:
    _, directory = run_stored(
        TestSpec(workload="snowflake", seed=1, mutant="snowflake-no-clock-guard"), tmp_path
    )
    shown = page.write(directory.path, tmp_path / "report.html")
    assert shown.verdict == "invalid"
    assert shown.repeat == "windtunnel run snowflake --seed 1 --mutant snowflake-no-clock-guard"
    assert shown.witnesses[0].sentences
    assert shown.has_clocks
    assert shown.has_logs


@pytest.mark.parametrize("broken", ["results.json", "history.jsonl", "test.json"])
def test_of_a_broken_run_what_is_there_is_shown(tmp_path: Path, broken: str) -> None:
    _, directory = run_stored(TestSpec(workload="uuid", seed=1, time_limit_s=2), tmp_path)
    (directory.path / broken).write_text("{ broken")
    shown = page.write(directory.path, tmp_path / "report.html")
    assert any(broken in note for note in shown.notes)


def test_a_run_that_was_not_judged_is_unknown(tmp_path: Path) -> None:
    _, directory = run_stored(TestSpec(workload="uuid", seed=1, time_limit_s=2), tmp_path)
    (directory.path / "results.json").unlink()
    assert page.write(read(directory.path), tmp_path / "report.html").verdict == "unknown"


def test_what_is_no_run_and_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no run"):
        page.write(tmp_path, tmp_path / "report.html")
    with pytest.raises(StoreError, match="cannot be written"):
        page.write(failing_lock(), tmp_path / "missing" / "report.html")


def test_a_history_above_the_budget_keeps_the_trouble_and_says_what_is_left_out(tmp_path: Path) -> None:
    rows = many(40_000)
    sample = failing_lock()
    run = material(History.from_ops([*rows, *_later(sample.history, rows)]), *sample.verdict.anomalies)
    path = tmp_path / "report.html"
    shown = page.write(run, path, budget_bytes=650_000)
    assert path.stat().st_size < 650_000
    assert 1_000 < shown.timeline.kept < 40_000
    assert any("are left out of the timeline" in note for note in shown.notes)


def _later(events: History, before: History) -> list[Op]:
    """Events with a second of quiet before them, by processes of their own."""
    start = int(before.time[-1]) + 10**9
    moved = (replace(op, index=-1, time=op.time + start) for op in events)
    return [replace(op, process=op.process + 50) if isinstance(op.process, int) else op for op in moved]


def test_100_000_operations_take_15_bytes_each_and_two_seconds_at_most(tmp_path: Path) -> None:
    run = material(many(100_000))
    start = time.process_time()
    page.write(run, tmp_path / "report.html")
    assert time.process_time() - start < 2
    assert (tmp_path / "report.html").stat().st_size < 1_500_000


def test_everything_within_the_budget_is_kept() -> None:
    made = view(failing_lock()).timeline
    assert made.kept == made.operations
    assert made.spans == ()
