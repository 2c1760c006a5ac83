import asyncio
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
