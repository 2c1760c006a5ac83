import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

import impl
from impl.ids.generators import GENERATORS
from impl.mutants.mutant import Mutant
from impl.mutants.registry import MUTANTS
from tests.impl.ids.nodes import free_port, running
from tests.impl.ids.test_server import CONFIGS, ask

ROOT = Path(impl.__file__).parent


def test_there_are_at_least_ten_for_ids_under_their_own_names() -> None:
    assert len([mutant for mutant in MUTANTS.values() if mutant.kind in GENERATORS]) >= 10
    assert all(name == mutant.name for name, mutant in MUTANTS.items())
    assert all(mutant.command[-2:] == (name, "{config}") for name, mutant in MUTANTS.items())


def test_the_right_code_knows_nothing_of_them() -> None:
    right = [path for path in ROOT.rglob("*.py") if "mutants" not in path.parts]
    assert right
    assert [path for path in right if "mutant" in path.read_text()] == []


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)
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
