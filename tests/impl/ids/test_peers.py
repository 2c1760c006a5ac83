import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.impl.ids.nodes import running
from tests.impl.ids.test_server import ask
from tests.support.ports import free_port


def configs(*node_ids: int) -> list[dict[str, Any]]:
    ports = [free_port() for _ in node_ids]
    peers = {f"n{n}": ["127.0.0.1", port] for n, port in enumerate(ports)}
    return [
        {
            "kind": "snowflake",
            "node_id": node_id,
            "port": ports[n],
            "peer_interval_ms": 20,
            "peers": {peer: address for peer, address in peers.items() if peer != f"n{n}"},
        }
        for n, node_id in enumerate(node_ids)
    ]


async def until(port: int, wanted: dict[str, str]) -> None:
    """Ask for the node's health until it sees its peers so."""
    async with asyncio.timeout(10):
        while (await ask(port, "/healthz", "GET"))[1]["peers"] != wanted:
            await asyncio.sleep(0.01)


def test_a_node_says_which_peers_it_sees(tmp_path: Path) -> None:
    async def come_and_go() -> None:
        first, second = configs(1, 2)
        async with running(tmp_path / "1", first):
            await until(first["port"], {"n1": "down"})
            async with running(tmp_path / "2", second):
                await until(first["port"], {"n1": "up"})
            await until(first["port"], {"n1": "down"})

    asyncio.run(come_and_go())


def test_two_nodes_of_one_id_both_refuse_and_say_with_whom(tmp_path: Path) -> None:
    async def clash() -> None:
        same, also_same, other = configs(5, 5, 6)
        async with AsyncExitStack() as stack:
            for number, config in enumerate((same, also_same, other)):
                await stack.enter_async_context(running(tmp_path / str(number), config))
            for config, peers in ((same, ("n1", "n2")), (also_same, ("n0", "n2"))):
                await until(config["port"], dict.fromkeys(peers, "up"))
                status, problem = await ask(config["port"])
                assert (status, problem["error"]) == (503, "node-id-conflict")
                assert peers[0] in problem["message"]
            assert (await ask(other["port"]))[0] == 200

    asyncio.run(clash())


def test_the_conflict_is_over_when_the_other_has_another_id(tmp_path: Path) -> None:
    async def settle() -> None:
        first, second = configs(5, 5)
        async with running(tmp_path / "1", first):
            async with running(tmp_path / "2", second):
                await until(first["port"], {"n1": "up"})
                assert (await ask(first["port"]))[0] == 503
            await until(first["port"], {"n1": "down"})
            async with running(tmp_path / "2", {**second, "node_id": 6}):
                await until(first["port"], {"n1": "up"})
                assert (await ask(first["port"]))[0] == 200

    asyncio.run(settle())
