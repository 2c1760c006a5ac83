"""ZooKeeper and MariaDB as systems: which workloads run on them, their configuration, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.systems.mariadb import mariadb_system
from cluster.systems.zookeeper import zookeeper_system
from impl.mutants.registry import MUTANTS
from windtunnel.names import BadInputError
from windtunnel.plan import make_workload, prepare
from windtunnel.spec import TestSpec
from workloads.registry import WORKLOADS
from workloads.workload import Workload, WorkloadOptions

NODES = ("n1", "n2", "n3")
COORDINATION = (
    *("configuration", "election-chain", "election-herd", "election-sequence", "ephemeral", "leader"),
    *("lock", "lock-fenced", "membership", "register", "sequence", "session", "watch"),
)


@pytest.mark.parametrize("name", COORDINATION)
def test_every_coordination_workload_runs_on_zookeeper_too(name: str) -> None:
    made = make_workload(TestSpec(workload=name, system="zookeeper", nodes=NODES))
    ours = make_workload(TestSpec(workload=name, nodes=NODES))
    assert made.system.name == "zookeeper"
    assert set(made.facts) == set(ours.facts)


def test_auto_increment_runs_on_mariadb_too() -> None:
    made = make_workload(TestSpec(workload="autoincrement", system="mariadb", nodes=NODES))
    assert made.system.name == "mariadb"
    assert made.facts["offsets"] == {"n1": 1, "n2": 2, "n3": 3}
    assert made.facts["steps"] == dict.fromkeys(NODES, 3)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            {"workload": "lock", "system": "mariadb"},
            "does not run on system 'mariadb'; it runs on impl, zoo",
        ),
        ({"workload": "snowflake", "system": "zookeeper"}, "does not run on system 'zookeeper'"),
        (
            {"workload": "autoincrement", "system": "mariadb", "mutant": "autoincrement-lost-step"},
            "mutant",
        ),
    ],
)
def test_what_does_not_fit_is_refused(spec: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        make_workload(TestSpec(**spec))  # type: ignore[arg-type]  # a dict of texts


def test_a_simulation_of_a_program_that_nobody_can_simulate_is_refused() -> None:
    with pytest.raises(
        BadInputError, match=r"zookeeper runs on real kernels only: take --cluster docker"
    ):
        prepare(TestSpec(workload="lock", system="zookeeper"))


def test_a_zookeeper_server_listens_at_its_own_name_and_knows_the_others() -> None:
    system = zookeeper_system(nodes=NODES)
    assert system.files is not None
    files = system.files("n2", NODES)
    assert files["data/myid"] == "2\n"
    lines = files["zoo.cfg"].splitlines()
    assert "clientPortAddress=n2" in lines
    assert [line for line in lines if line.startswith("server.")] == [
        f"server.{number}=n{number}:2888:3888" for number in (1, 2, 3)
    ]


def test_a_mariadb_server_has_its_own_part_of_the_numbers() -> None:
    system = mariadb_system(nodes=NODES)
    assert system.files is not None
    lines = system.files("n3", NODES)["my.cnf"].splitlines()
    assert {"auto_increment_increment=3", "auto_increment_offset=3", "bind_address=n3"} <= set(lines)
    assert all(line.count(";") <= 1 for line in system.files("n3", NODES)["init.sql"].splitlines())


def test_no_other_workload_knows_of_them() -> None:
    for name in set(WORKLOADS) - set(COORDINATION) - {"autoincrement"}:
        with pytest.raises(BadInputError):
            make_workload(TestSpec(workload=name, system="zookeeper"))


def test_every_mutant_is_started_by_its_own_command_in_its_workload() -> None:
    for nodes in (("n1",), NODES):
        for name, mutant in MUTANTS.items():
            system = make_workload(TestSpec(workload=mutant.workload, mutant=name, nodes=nodes)).system
            assert system.command[:4] == ("python", "-m", "impl.mutants", name)


def test_a_mutant_whose_command_would_start_sound_code_is_refused_on_real_clusters() -> None:
    def sound(options: WorkloadOptions) -> Workload:
        return WORKLOADS["register"](replace(options, mutant=None))

    spec = TestSpec(workload="sound", mutant="cas-ignores-version", backend="docker")
    with pytest.raises(BadInputError, match="sound has no command that starts it; leave --cluster"):
        prepare(spec, {"sound": sound})
