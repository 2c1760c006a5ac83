"""The message queue on hosts over SSH, alone and as part of the main job."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.cluster.real.test_runs import finish, results
from tests.support.realclusters import alone, machines, python, require
from windtunnel.plan import make_workload
from windtunnel.spec import TestSpec

NODES = ("n1", "n2", "n3")
FAULTS = [
    {"at_s": 0.5, "kind": "kill", "nodes": ["n2"], "duration_s": 1},
    {"at_s": 2, "kind": "partition", "nodes": ["n1"], "duration_s": 2, "args": {"grudge": "one"}},
    {"at_s": 5, "kind": "pause", "nodes": ["n3"], "duration_s": 1},
]


@pytest.mark.parametrize(
    ("run", "seconds", "served"),
    [
        ("queue", 8, ("send", "poll", "drain")),
        ("queue --client confluent-kafka", 8, ("send", "poll", "drain")),
        ("group --client kafka-python", 8, ("send", "poll", "commit", "drain")),
        ("together", 24, ("ids/next", "election/campaign", "lock/acquire", "queue/send", "queue/drain")),
    ],
)
def test_services_are_valid_and_used_under_faults_that_all_land(
    tmp_path: Path, run: str, seconds: int, served: tuple[str, ...]
) -> None:
    require("ssh")
    (tmp_path / "faults.json").write_bytes(orjson.dumps(FAULTS))
    system = make_workload(TestSpec(workload=run.split()[0], nodes=NODES)).system
    line = f"-m windtunnel run {run} --nodes 3 --cluster ssh --schedule faults.json"
    with alone(), machines("ssh", tmp_path, NODES, system=system) as inventory:
        process = python(
            *line.split(), "--time-limit", str(seconds), "--inventory", *inventory, cwd=tmp_path
        )
        said = finish(process)
    assert process.returncode == 0, said
    found = results(tmp_path)
    assert found["fault-coverage"]["landed"] == len(FAULTS)
    assert all(found["stats"][f]["ok-count"] > 0 for f in served), found["stats"]
