import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import impl
from impl import machine
from impl.coordination.recipes.parts import RECIPES
from impl.coordination.server import serve
from impl.host import Program
from impl.ids.generators import GENERATORS
from impl.mutants.__main__ import main as start
from impl.mutants.mutant import COORDINATION, QUEUE, Mutant
from impl.mutants.registry import MUTANTS
from impl.node import SERVICES
from impl.queue.client.parts import CLIENTS
from impl.queue.server import serve as serve_queue
from tests.impl.coordination.processes import ask as ask_word
from tests.impl.ids.nodes import running
from tests.impl.ids.test_server import CONFIGS, ask
from tests.support.ports import free_port, free_ports

ROOT = Path(impl.__file__).parent


OF_IDS = [mutant for mutant in MUTANTS.values() if mutant.kind in GENERATORS]
OF_COORDINATION = [mutant for mutant in MUTANTS.values() if mutant.kind == COORDINATION]
OF_QUEUE = [mutant for mutant in MUTANTS.values() if mutant.kind == QUEUE]


def test_there_are_at_least_ten_for_ids_under_their_own_names() -> None:
    assert len(OF_IDS) >= 10
    assert all(name == mutant.name for name, mutant in MUTANTS.items())
    assert all(mutant.command[-2:] == (mutant.name, "{config}") for mutant in OF_IDS)


def test_at_least_five_of_each_component_are_seen_on_real_clusters() -> None:
    for some in (OF_IDS, OF_COORDINATION, OF_QUEUE):
        assert sum(mutant.on_real_clusters for mutant in some) >= 5
    assert all(mutant.faults != ("power",) for mutant in MUTANTS.values() if mutant.on_real_clusters)


def test_there_are_at_least_fifteen_for_coordination() -> None:
    assert len(OF_COORDINATION) >= 15
    assert {*OF_IDS, *OF_COORDINATION, *OF_QUEUE} == set(MUTANTS.values())
    assert all(mutant.command[-2:] == (mutant.name, "zoo.cfg") for mutant in OF_COORDINATION)


def test_those_of_the_queue_are_meant_for_its_checkers_in_all_of_its_workloads() -> None:
    assert len(OF_QUEUE) >= 15
    assert {mutant.workload for mutant in OF_QUEUE} == {"queue", "group", "offsets", "keys"}
    meant = {mutant.caught_by for mutant in OF_QUEUE}
    assert meant == {"log", "polls", "groups", "offsets", "keys"}
    on_the_clients_side = [mutant for mutant in OF_QUEUE if mutant.clients != CLIENTS]
    on_both = [mutant for mutant in on_the_clients_side if mutant.program is not serve_queue]
    assert len(on_the_clients_side) > len(on_both)
    assert [mutant.name for mutant in on_both] == ["queue-old-generation-commits"]


def test_those_on_the_clients_side_leave_the_servers_as_they_are() -> None:
    on_the_clients_side = [mutant for mutant in OF_COORDINATION if mutant.recipes != RECIPES]
    assert on_the_clients_side
    assert all(mutant.program is serve for mutant in on_the_clients_side)
    assert all(mutant.recipes == RECIPES for mutant in OF_IDS)


def test_the_right_code_knows_nothing_of_them() -> None:
    right = [path for path in ROOT.rglob("*.py") if "mutants" not in path.parts]
    assert right
    assert [path for path in right if "mutant" in path.read_text()] == []


@pytest.mark.parametrize("mutant", OF_IDS, ids=lambda mutant: mutant.name)
def test_each_looks_like_a_right_node_from_outside(tmp_path: Path, mutant: Mutant) -> None:
    async def next_ids() -> None:
        config = {**CONFIGS[mutant.kind], "port": free_port()}
        async with running(tmp_path, config, program=mutant.program):
            status, answer = await ask(config["port"], body=b'{"count": 3}')
            assert (status, len(set(answer["ids"]))) == (200, 3)
            assert (await ask(config["port"], body=b'{"count": 0}'))[0] == 400

    asyncio.run(next_ids())


def test_one_can_be_started_on_a_real_machine(tmp_path: Path) -> None:
    config = {"kind": "autoincrement", "offset": 2, "step": 5, "port": free_port()}
    (tmp_path / "node.json").write_text(json.dumps(config))
    command = MUTANTS["autoincrement-same-offset"].command[1:-1]
    node = subprocess.Popen([sys.executable, *command, str(tmp_path / "node.json")])
    try:
        assert asyncio.run(_first_answer(config["port"]))["ids"] == [1]
        node.terminate()
        assert node.wait(10) == 0
    finally:
        node.kill()
        node.wait()


@pytest.mark.parametrize("name", ["watch-after-data", "holder-goes-on-believing"])
def test_one_of_coordination_runs_by_its_zoo_cfg(tmp_path: Path, name: str) -> None:
    (port,) = free_ports(1)
    lines = (f"dataDir={tmp_path}", f"clientPort={port}", "clientPortAddress=127.0.0.1", "tickTime=200")
    (tmp_path / "zoo.cfg").write_text("\n".join(lines))
    command = (sys.executable, *MUTANTS[name].command[1:-1], str(tmp_path / "zoo.cfg"))
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            deadline_s = time.monotonic() + 30
            while "Mode: standalone" not in ask_word(port, b"srvr"):
                assert server.poll() is None
                assert time.monotonic() < deadline_s
                time.sleep(0.05)
        finally:
            server.terminate()
        assert server.wait(10) == 0


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("snowflake-no-clock-guard", "ids"),
        ("cas-ignores-version", "coordination"),
        ("queue-zombie-leader", "queue"),
    ],
)
def test_one_takes_the_place_of_its_service_among_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, service: str
) -> None:
    ran: list[Program] = []
    monkeypatch.setattr(machine, "main", lambda program, arguments: ran.append(program) or 0)
    (tmp_path / "node.json").write_text(json.dumps({"name": "n1", "services": {service: {}}}))
    assert start(MUTANTS[name], [str(tmp_path / "node.json")]) == 0
    services = ran[0].keywords["services"]  # type: ignore[attr-defined]  # a partial
    assert services == {**SERVICES, service: MUTANTS[name].program}


def test_one_of_the_queue_runs_by_its_server_properties(tmp_path: Path) -> None:
    (tmp_path / "server.properties").write_text("broker.id=no number")
    command = (*MUTANTS["queue-zombie-leader"].command[1:-1], str(tmp_path / "server.properties"))
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "broker.id" in done.stderr


async def _first_answer(port: int) -> dict[str, list[int]]:
    async with asyncio.timeout(20):
        while True:
            try:
                return (await ask(port))[1]
            except OSError:
                await asyncio.sleep(0.05)


def test_an_unknown_one_is_refused_with_the_names_of_those_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "impl.mutants", "nonesuch"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no mutant 'nonesuch'; known are snowflake-no-clock-guard" in done.stderr
