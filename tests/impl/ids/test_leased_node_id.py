"""Leased node ids on an ensemble in the simulator, in fair and in bad weather."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from cluster.sim.cluster import SimCluster
from cluster.systems.coordination import coordination_system
from impl.coordination.server import serve
from impl.host import Host
from impl.ids.config import Config, ConfigError, parse
from impl.ids.errors import Refused
from impl.ids.generators import GENERATORS
from impl.ids.leased_node_id import LeasedSnowflake, open_leased_snowflake
from impl.ids.snowflake import decode
from tests.impl.coordination.recipes.arena import CLIENTS, SERVERS, endpoints, weather

CONFIG = Config(
    kind="snowflake-leased",
    coordination=tuple(endpoints()),
    session_timeout_ms=1000,
    reserve_ms=200,
    max_clock_wait_ms=20,
)


def id_nodes(use: Callable[[Host, LeasedSnowflake], Any], *, seed: int) -> SimCluster:
    """Servers on n1 to n3, generators on n4 to n7."""
    system = coordination_system(nodes=SERVERS)

    async def program(host: Host, config: Mapping[str, Any]) -> None:
        if host.name in SERVERS:
            await serve(host, config)
        await use(host, await open_leased_snowflake(host, CONFIG))

    def configure(node: str, nodes: tuple[str, ...]) -> Mapping[str, Any]:
        return system.configure(node, SERVERS) if node in SERVERS else {}

    async def ready(endpoint: Any) -> None:
        if endpoint.host in SERVERS:
            await system.ready(endpoint)

    tested = replace(system, program=program, configure=configure, ready=ready)
    return SimCluster(tested, nodes=(*SERVERS, *CLIENTS), seed=seed)


@pytest.mark.parametrize("seed", range(6))
def test_no_id_is_given_twice_whatever_the_weather_and_the_clocks_do(seed: int) -> None:
    given: list[int] = []
    reasons: set[str] = set()

    async def use(host: Host, ids: LeasedSnowflake) -> None:
        while True:
            try:
                given.extend(await ids.take(host.random.randint(1, 5)))
            except Refused as refused:
                reasons.add(refused.code)
            await asyncio.sleep(0.01)

    cluster = id_nodes(use, seed=seed)

    async def main() -> None:
        await cluster.start()
        await weather(cluster, seed=seed, rounds=10)

    cluster.run(main)
    assert len(set(given)) == len(given) > 1000
    assert len({decode(each).node_id for each in given}) >= len(CLIENTS)
    assert "no-node-id" in reasons


def test_a_node_that_is_cut_off_stops_before_its_session_can_expire() -> None:
    given: list[tuple[float, str]] = []

    async def use(host: Host, ids: LeasedSnowflake) -> None:
        while True:
            try:
                await ids.take(1)
                given.append((asyncio.get_running_loop().time(), host.name))
            except Refused:
                pass
            await asyncio.sleep(0.01)

    cluster = id_nodes(use, seed=1)

    async def main() -> float:
        await cluster.start()
        await asyncio.sleep(3.0)
        cut_s = asyncio.get_running_loop().time()
        await cluster.cut([("n4", server) for server in SERVERS])
        await asyncio.sleep(5.0)
        return cut_s

    cut_s = cluster.run(main)
    last_s = max(at_s for at_s, name in given if name == "n4")
    assert cut_s - 0.1 < last_s < cut_s + 1.0
    assert max(at_s for at_s, name in given if name == "n5") > cut_s + 4.9


def test_every_node_has_an_id_of_its_own() -> None:
    node_ids: dict[str, int | None] = {}

    async def use(host: Host, ids: LeasedSnowflake) -> None:
        while True:
            node_ids[host.name] = ids.node_id
            await asyncio.sleep(0.1)

    cluster = id_nodes(use, seed=1)

    async def main() -> None:
        await cluster.start()
        await asyncio.sleep(2.0)

    cluster.run(main)
    assert sorted(node_ids.values(), key=str) == [0, 1, 2, 3]


def test_the_servers_that_lease_are_configured_and_checked() -> None:
    kinds = tuple(GENERATORS)
    config = parse({"kind": "snowflake-leased", "coordination": [["n1", 2181]]}, kinds)
    assert config.coordination == (("n1", 2181),)
    with pytest.raises(ConfigError, match="lacks 'coordination'"):
        parse({"kind": "snowflake-leased"}, kinds)
    with pytest.raises(ConfigError, match=r"a server of 'coordination' is 'n1'; .* \[host, port\]"):
        parse({"kind": "snowflake-leased", "coordination": ["n1"]}, kinds)
