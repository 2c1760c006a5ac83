"""The work of a campaign, in real worker processes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from windtunnel.campaign import work_off
from windtunnel.soak import chunk_worker, run_chunk, workers
from windtunnel.spec import TestSpec

MUTANT = TestSpec(workload="uuid", mutant="uuid4-seeded-by-pid", time_limit_s=3)


def test_a_failing_seed_is_run_twice_and_found_deterministic() -> None:
    result = run_chunk(MUTANT.to_dict(), range(3, 5))
    assert [finding.seed for finding in result.findings] == [3, 4]
    assert all(finding.deterministic and finding.digest for finding in result.findings)
    assert result.findings[0].signatures == ("unique-ids: duplicated",)
    assert result.simulated_s > 6


def test_worker_processes_find_what_this_process_finds() -> None:
    here = run_chunk(MUTANT.to_dict(), range(1, 3)).findings
    with workers(1) as executor:
        work = chunk_worker(MUTANT)
        there = work_off(work, range(1, 3), executor=executor, jobs=1).findings
    assert tuple(there) == here


@pytest.mark.skipif(sys.platform != "linux", reason="reads the children of a process from /proc")
def test_a_campaign_that_is_killed_leaves_no_worker_behind(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    command = [sys.executable, "-m", "windtunnel", "campaign", "uuid", "--seeds", "0:100000"]
    with subprocess.Popen([*command, "--jobs", "1", "--out", str(log)], cwd=tmp_path) as process:
        while not log.exists() or log.read_bytes().count(b"\n") < 2:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        handles = [os.pidfd_open(int(child)) for child in children]
        assert handles
        process.send_signal(signal.SIGKILL)
    for handle in handles:
        assert select.select([handle], [], [], 30.0)[0], "a worker outlived its campaign"
        os.close(handle)
