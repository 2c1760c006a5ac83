"""What nobody here wrote, on real kernels, under faults: ZooKeeper and MariaDB, on all backends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from cluster.systems.registry import FOREIGN
from tests.cluster.real.test_runs import finish, results
from tests.support.realclusters import alone, left, machines, python, require

NODES = ("n1", "n2", "n3")
FAULTS = [
    {"at_s": 0.5, "kind": "kill", "nodes": ["n1"], "duration_s": 1.5},
    {"at_s": 2.5, "kind": "clock-bump", "nodes": ["n2"], "duration_s": 1.5, "args": {"offset_s": 3.0}},
    {"at_s": 3, "kind": "pause", "nodes": ["n3"], "duration_s": 1},
]
PARTITION = {
    "at_s": 4.5,
    "kind": "partition",
    "nodes": ["n2"],
    "duration_s": 2,
    "args": {"grudge": "one"},
}
# ZooKeeper's servers talk to each other, MariaDB's don't: nothing to cut.
RUNS = [
    ("zookeeper", "lock", "local", [*FAULTS, PARTITION]),
    ("zookeeper", "register", "docker", [*FAULTS, PARTITION]),
    ("zookeeper", "election-chain", "ssh", [*FAULTS, PARTITION]),
    ("mariadb", "autoincrement", "local", FAULTS),
    ("mariadb", "autoincrement", "docker", FAULTS),
    ("mariadb", "autoincrement", "ssh", FAULTS),
]


@pytest.mark.parametrize(("system", "workload", "backend", "faults"), RUNS)
def test_it_is_valid_under_faults_that_all_land_and_leaves_nothing(
    system: str, workload: str, backend: str, faults: list[dict[str, Any]], tmp_path: Path
) -> None:
    require(backend)
    (tmp_path / "faults.json").write_bytes(orjson.dumps(faults))
    line = f"-m windtunnel run {workload} --system {system} --cluster {backend} --schedule faults.json"
    with alone(), machines(backend, tmp_path, NODES, system=FOREIGN[system](NODES)) as inventory:
        more = ["--nodes", "3", "--time-limit", "8", *(("--inventory", *inventory) if inventory else ())]
        process = python(*line.split(), *more, cwd=tmp_path)
        said = finish(process)
    assert process.returncode == 0, said
    found = results(tmp_path)
    assert found["fault-coverage"]["landed"] == len(faults)
    assert sum(counts["ok-count"] for counts in found["stats"].values()) > 5
    assert left(backend) == []


def test_a_program_that_this_machine_lacks_is_named_with_its_package(tmp_path: Path) -> None:
    require("local")
    line = "-m windtunnel run lock --system zookeeper --cluster local --time-limit 1"
    path = {"PATH": _without_java(tmp_path)}
    process = python(*line.split(), cwd=tmp_path, more=path)
    said = finish(process)
    assert process.returncode == 254
    assert "--system zookeeper cannot run on this machine, it lacks java: install Debian's" in said
    assert "apt-get install libzookeeper-java default-jre-headless" in said


def _without_java(place: Path) -> str:
    """A PATH with the tools that ``local`` needs, and no more."""
    tools = place / "bin"
    tools.mkdir()
    for tool in ("iptables", "iptables-restore", "iptables-save", "mount", "unshare", "sh", "git"):
        for directory in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
            if (found := Path(directory, tool)).exists():
                (tools / tool).symlink_to(found)
                break
    return str(tools)
