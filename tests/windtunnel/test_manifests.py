"""What spreads a campaign over machines is valid YAML, and its commands do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.windtunnel.conftest import Said
from windtunnel.campaign_log import read_log

FAST = ("--", "--time-limit", "2", "--nodes", "3", "--faults", "kill")


def shell(command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", command],
        cwd=cwd,
        env={**os.environ, "PATH": path, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def step(job: dict[str, Any], name: str) -> str:
    return next(one["run"] for one in job["steps"] if one.get("name") == name)


def test_the_jobs_of_a_matrix_run_all_seeds_and_merge_them(
    cli: Callable[..., Said], tmp_path: Path
) -> None:
    said = cli("manifest", "github", "uuid", "--shards", 2, "--seeds", "0:5", *FAST)
    jobs = yaml.safe_load(said.out)["jobs"]
    assert jobs["shard"]["strategy"]["matrix"]["shard"] == [0, 1]
    assert jobs["merge"]["needs"] == "shard"
    for number in jobs["shard"]["strategy"]["matrix"]["shard"]:
        command = step(jobs["shard"], "campaign").replace("${{ matrix.shard }}", str(number))
        assert shell(command, tmp_path).returncode == 0
    merged = shell(step(jobs["merge"], "merge"), tmp_path)
    assert merged.returncode == 0, merged.stderr
    (log,) = (tmp_path / "campaign").glob("uuid-*.jsonl")
    seeds = [seed for chunk in read_log(log).chunks for seed in chunk.seeds]
    assert sorted(seeds) == list(range(5))


def test_a_pod_runs_the_shard_of_its_completion_index_and_its_verdict_is_no_failure(
    cli: Callable[..., Said], tmp_path: Path
) -> None:
    further = (*FAST, "--mutant", "uuid4-seeded-by-pid")
    said = cli("manifest", "kubernetes", "uuid", "--shards", 3, "--seeds", "0:6", *further)
    job = yaml.safe_load(said.out)["spec"]
    assert (job["completionMode"], job["completions"]) == ("Indexed", 3)
    (container,) = job["template"]["spec"]["containers"]
    (command,) = container["args"]
    done = shell(command.replace("/out/", f"{tmp_path}/"), tmp_path, JOB_COMPLETION_INDEX="1")
    assert done.returncode == 0, done.stdout + done.stderr
    chunks = read_log(tmp_path / "shard-1.jsonl").chunks
    assert sorted(seed for chunk in chunks for seed in chunk.seeds) == [1, 4]  # logged as they end
    assert sum(len(chunk.findings) for chunk in chunks) == 2
    crashed = command.replace("/out/", "/proc/none/")
    assert shell(crashed, tmp_path, JOB_COMPLETION_INDEX="1").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gitlab", "uuid"), "unknown form 'gitlab'"),
        (("github", "uuidd"), "did you mean 'uuid'?"),
        (("github", "uuid", "--shards", 257), "at most 256"),
        (("github", "uuid", "--seeds", "x"), "--seeds 'x'"),
        (("github", "uuid", "--for", "x"), "--for 'x'"),
    ],
)
def test_what_cannot_be_spread_is_bad_input(
    cli: Callable[..., Said], arguments: tuple[object, ...], said: str
) -> None:
    answer = cli("manifest", *arguments)
    assert answer.code == 254
    assert said in answer.text
