"""Whole runs on real kernels: what is correct is valid, what is broken is caught, nothing is left."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.realclusters import BACKENDS, ROOT, WITHIN_S, alone, left, python, require

EVERYTHING = [
    {"at_s": 0.5, "kind": "partition", "nodes": ["n1"], "duration_s": 3, "args": {"grudge": "one-way"}},
    {"at_s": 1, "kind": "kill", "nodes": ["n2"], "duration_s": 1},
    {"at_s": 1.5, "kind": "pause", "nodes": ["n3"], "duration_s": 1},
    {"at_s": 2, "kind": "clock-bump", "nodes": ["n2"], "duration_s": 2, "args": {"offset_s": 1.5}},
    {"at_s": 2.5, "kind": "clock-drift", "nodes": ["n1"], "duration_s": 2, "args": {"rate": 1.5}},
    {"at_s": 3, "kind": "terminate", "nodes": ["n3"], "duration_s": 1},
    {
        "at_s": 3.5,
        "kind": "lose",
        "nodes": ["n1"],
        "duration_s": 2,
        "args": {"probability": 0.4, "clients": True},
    },
]
CLOCKS_BACK = [
    {
        "at_s": 1,
        "kind": "clock-bump",
        "nodes": ["n1", "n2", "n3"],
        "duration_s": 3,
        "args": {"offset_s": -1.0},
    }
]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    require(request.param)
    with alone():
        assert left(request.param) == []
        yield request.param


def start(backend: str, place: Path, *arguments: str, schedule: Any = ()) -> subprocess.Popen[str]:
    (place / "faults.json").write_bytes(orjson.dumps(schedule))
    line = f"-m windtunnel run snowflake --nodes 3 --rate 100 --cluster {backend} --schedule faults.json"
    return python(*line.split(), *arguments, cwd=place)


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=WITHIN_S)
    return out + err


def results(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((place / "store" / "latest" / "results.json").read_bytes())
    return found


def wait_for_operations(process: subprocess.Popen[str], place: Path) -> None:
    """Until the history has grown, which is when the nodes serve and clients ask."""
    history = place / "store" / "latest" / "history.jsonl"
    while not history.exists() or history.stat().st_size < 10_000:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)


def test_correct_nodes_are_valid_under_every_fault_and_every_fault_lands(
    backend: str, tmp_path: Path
) -> None:
    process = start(backend, tmp_path, "--time-limit", "6", schedule=EVERYTHING)
    said = finish(process)
    assert process.returncode == 0, said
    coverage = results(tmp_path)["fault-coverage"]
    assert coverage["planned"] == coverage["landed"] == len(EVERYTHING)
    assert results(tmp_path)["stats"]["next"]["ok-count"] > 50
    assert left(backend) == []


@pytest.mark.parametrize(
    ("mutant", "schedule"),
    [("snowflake-no-clock-guard", CLOCKS_BACK), ("snowflake-two-nodes-of-one-id", [])],
)
def test_a_broken_node_is_caught(
    backend: str, tmp_path: Path, mutant: str, schedule: list[dict[str, Any]]
) -> None:
    process = start(backend, tmp_path, "--time-limit", "5", "--mutant", mutant, schedule=schedule)
    said = finish(process)
    assert process.returncode == 1, said
    assert results(tmp_path)["valid?"] is False
    assert left(backend) == []


def test_ctrl_c_undoes_everything_and_judges_what_there_is(backend: str, tmp_path: Path) -> None:
    process = start(backend, tmp_path, "--time-limit", "1000", schedule=EVERYTHING)
    wait_for_operations(process, tmp_path)
    process.send_signal(signal.SIGINT)
    said = finish(process)
    assert process.returncode == 130, said
    assert results(tmp_path)["interrupted"] is True
    assert left(backend) == []


def test_an_exception_in_the_harness_leaves_nothing(backend: str) -> None:
    with python("-m", "tests.cluster.real.raises", backend, cwd=ROOT) as process:
        said = finish(process)
    assert "ZeroDivisionError: in the middle" in said
    assert left(backend) == []


def test_a_harness_that_is_killed_leaves_nothing(backend: str, tmp_path: Path) -> None:
    process = start(backend, tmp_path, "--time-limit", "1000", schedule=EVERYTHING)
    wait_for_operations(process, tmp_path)
    process.kill()
    finish(process)
    if backend == "docker":
        with python("-m", "windtunnel", "cluster", "down", "--all") as down:
            assert "removed windtunnel-" in finish(down)
    assert left(backend) == []


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("print('no licence'); raise SystemExit(3)", "ended before it was ready"),
        ("print('no licence'); __import__('select').select([], [], [])", "not ready in 2 s"),
    ],
)
def test_a_node_that_never_serves_is_said_with_the_end_of_its_log(
    backend: str, program: str, what: str
) -> None:
    with python("-m", "tests.cluster.real.never_ready", backend, program, cwd=ROOT) as process:
        said = finish(process)
    assert what in said
    assert "its log ends:\n" in said
    assert "Z no licence" in said
    assert left(backend) == []


def test_a_kept_cluster_says_how_to_reach_and_enter_its_nodes_and_ctrl_c_takes_it_down(
    backend: str, tmp_path: Path
) -> None:
    line = f"-m windtunnel cluster up register --nodes 2 --cluster {backend}"
    process = python(*line.split(), cwd=tmp_path)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    finish(process)
    assert process.returncode == 0
    assert told[2].startswith("Ctrl-C takes it down")
    for node, said in zip(("n1", "n2"), told[:2], strict=True):
        assert re.match(rf"{node}  client 127\.[\d.]+:\d+  quorum 127\.[\d.]+:\d+", said)
        assert ("docker exec -it" if backend == "docker" else "nsenter --target") in said
    assert left(backend) == []


@pytest.mark.parametrize("workload", ["queue", "register"])
def test_services_of_all_kinds_are_valid_under_kill_and_pause(
    backend: str, tmp_path: Path, workload: str
) -> None:
    faults = [one for one in EVERYTHING if one["kind"] in ("kill", "pause")]
    (tmp_path / "faults.json").write_bytes(orjson.dumps(faults))
    line = f"-m windtunnel run {workload} --nodes 3 --cluster {backend} --schedule faults.json"
    process = python(*line.split(), "--time-limit", "8", cwd=tmp_path)
    said = finish(process)
    assert process.returncode == 0, said
    assert results(tmp_path)["fault-coverage"]["landed"] == len(faults)
    assert left(backend) == []
