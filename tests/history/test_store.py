"""Run directories: unique, complete, and honest about what is broken."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from history.errors import StoreError
from history.store import RunDirectory, create, list_runs, open_run

NOW = datetime(2026, 11, 23, 8, 30, 0, 123_456, tzinfo=UTC)


def _complete(root: Path, workload: str = "uuid", now: datetime = NOW) -> RunDirectory:
    run = create(root, workload, now)
    run.write_test({"seed": 1})
    run.history_path.touch()
    return run


def test_a_run_is_named_after_its_workload_and_utc_time(tmp_path: Path) -> None:
    berlin = NOW.astimezone(timezone(timedelta(hours=1)))
    assert create(tmp_path, "uuid", berlin).path == tmp_path / "uuid" / "20261123T083000.123Z"


def test_two_runs_of_the_same_millisecond_get_two_directories_in_order(tmp_path: Path) -> None:
    names = [_complete(tmp_path).path.name for _ in range(11)]
    assert len(set(names)) == 11
    assert [run.name for run in list_runs(tmp_path)] == names


def test_a_new_run_leaves_nothing_but_its_directory_and_the_links(tmp_path: Path) -> None:
    run = create(tmp_path, "uuid", NOW)
    assert list(run.path.iterdir()) == []
    assert sorted(os.listdir(tmp_path)) == ["latest", "uuid"]
    assert sorted(os.listdir(tmp_path / "uuid")) == ["20261123T083000.123Z", "latest"]


def test_latest_links_follow_the_newest_run(tmp_path: Path) -> None:
    first = _complete(tmp_path)
    other = _complete(tmp_path, "snowflake")
    assert open_run(tmp_path / "latest").path == other.path.resolve()
    assert open_run(tmp_path / "uuid" / "latest").path == first.path.resolve()
    second = _complete(tmp_path, now=NOW + timedelta(seconds=1))
    assert open_run(tmp_path / "latest").path == second.path.resolve()


def test_links_survive_a_move_of_the_store(tmp_path: Path) -> None:
    _complete(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "moved")
    assert open_run(tmp_path / "moved" / "latest").read_test() == {"seed": 1}


def test_an_opened_run_stays_the_same_when_a_newer_one_begins(tmp_path: Path) -> None:
    _complete(tmp_path)
    opened = open_run(tmp_path / "latest")
    _complete(tmp_path, now=NOW + timedelta(seconds=1)).write_test({"seed": 2})
    assert opened.read_test() == {"seed": 1}


def test_a_run_is_found_by_a_file_inside_it(tmp_path: Path) -> None:
    run = _complete(tmp_path)
    assert open_run(run.history_path).path == run.path.resolve()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    run = create(tmp_path, "uuid", NOW)
    run.write_test({"seed": 7, "nodes": ["n1"]})
    run.write_results({"valid": False})
    run.write_logs({"n1": "ready\n", "n2": "caf\u00e9 \udcff"})
    assert run.read_test() == {"seed": 7, "nodes": ["n1"]}
    assert run.read_results() == {"valid": False}
    assert (run.path / "logs" / "n1.log").read_text() == "ready\n"
    assert sorted(os.listdir(run.path / "logs")) == ["n1.log", "n2.log"]


def test_a_log_never_leaves_its_directory(tmp_path: Path) -> None:
    run = create(tmp_path, "uuid", NOW)
    for node in ("../n1", "/n1", "", ".."):
        with pytest.raises(StoreError, match="cannot name a log"):
            run.write_logs({node: "x"})


def test_a_store_that_takes_no_files_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, not a folder")
    with pytest.raises(StoreError, match=r"cannot keep this run .*: free space there or name another"):
        create(tmp_path / "store", "uuid", NOW)


@pytest.mark.parametrize("root", ["/proc/windtunnel", "/sys/windtunnel"])
def test_a_read_only_store_is_said_at_the_start(root: str) -> None:
    with pytest.raises(StoreError, match="cannot keep this run"):
        create(Path(root), "uuid", NOW)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b'{"seed": ', "is not JSON"), (b"[1]", "must hold a JSON object"), (b"\xff", "is not JSON")],
)
def test_a_malformed_test_or_result_is_named_with_its_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    run = _complete(tmp_path)
    (run.path / "test.json").write_bytes(content)
    (run.path / "results.json").write_bytes(content)
    with pytest.raises(StoreError, match=rf"test\.json {reason}"):
        run.read_test()
    with pytest.raises(StoreError, match=rf"results\.json {reason}"):
        run.read_results()


def test_a_missing_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"results\.json cannot be read: No such file"):
        _complete(tmp_path).read_results()


def test_what_is_not_json_is_refused_and_leaves_the_old_file(tmp_path: Path) -> None:
    run = _complete(tmp_path)
    with pytest.raises(StoreError, match=r"test\.json cannot be written"):
        run.write_test({"seed": {1, 2}})
    assert run.read_test() == {"seed": 1}


def test_broken_runs_are_listed_as_such(tmp_path: Path) -> None:
    good = _complete(tmp_path)
    create(tmp_path, "uuid", NOW + timedelta(seconds=1))
    unstarted = create(tmp_path, "uuid", NOW + timedelta(seconds=2))
    unstarted.write_test({})
    runs = list_runs(tmp_path)
    assert [run.broken is None for run in runs] == [True, False, False]
    assert runs[0].directory.path == good.path
    assert "test.json cannot be read" in (runs[1].broken or "")
    assert "history.jsonl is missing" in (runs[2].broken or "")


def test_no_store_has_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []


@pytest.mark.parametrize("name", ["none", "."])
def test_what_is_no_run_is_not_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="is no run"):
        open_run(tmp_path / name)
