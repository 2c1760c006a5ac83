import asyncio
from pathlib import Path

import pytest

from cluster.api import Endpoint
from cluster.systems.ids import ids_system, ready
from impl.ids.config import parse
from impl.ids.generators import GENERATORS
from tests.impl.ids.nodes import running
from tests.support.ports import free_port

NODES = ("n1", "n2", "n3")


@pytest.mark.parametrize("kind", GENERATORS)
def test_every_node_gets_a_configuration_that_the_program_accepts(kind: str) -> None:
    leased = {"coordination": [["z1", 2181]]} if kind == "snowflake-leased" else {}
    system = ids_system(kind, nodes=NODES, settings=leased)
    configs = [parse(system.configure(node, NODES), tuple(GENERATORS)) for node in NODES]
    assert {config.kind for config in configs} == {kind}
    assert [sorted(config.peers) for config in configs] == [["n2", "n3"], ["n1", "n3"], ["n1", "n2"]]


def test_facts_say_what_each_node_was_given() -> None:
    system = ids_system("snowflake", nodes=NODES, settings={"epoch_ms": 5})
    for node in NODES:
        config = parse(system.configure(node, NODES), tuple(GENERATORS))
        assert config.node_id == system.facts["node_ids"][node]
        assert config.epoch_ms == system.facts["epoch_ms"] == 5
    counting = ids_system("autoincrement", nodes=NODES)
    for node in NODES:
        config = parse(counting.configure(node, NODES), tuple(GENERATORS))
        assert config.offset == counting.facts["offsets"][node]
        assert config.step == counting.facts["steps"][node] == 3


def test_ready_returns_when_a_node_serves_and_is_an_oserror_while_none_does(tmp_path: Path) -> None:
    async def wait() -> None:
        config = {"kind": "uuid4", "port": free_port()}
        endpoint = Endpoint("127.0.0.1", config["port"])
        with pytest.raises(OSError, match="127"):
            await ready(endpoint)
        async with running(tmp_path, config):
            await ready(endpoint)

    asyncio.run(wait())


async def _fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
    writer.close()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("behaviour", [_fail, _hang_up])
def test_a_server_that_is_not_well_is_not_ready(behaviour) -> None:
    async def wait() -> None:
        server = await asyncio.start_server(behaviour, "127.0.0.1", 0)
        with pytest.raises(OSError, match="/healthz of"):
            await ready(Endpoint(*server.sockets[0].getsockname()))
        server.close()

    asyncio.run(wait())
