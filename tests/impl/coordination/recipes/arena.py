"""Clients on machines of their own, next to an ensemble, in the simulator, in bad weather.

``n1`` to ``n3`` are servers; each further node runs a client's program, so that it can be killed,
paused and cut off as well. What clients believe is noted here, outside of the simulated network.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from cluster.sim.cluster import SimCluster
from cluster.systems.coordination import CLIENT_PORT, coordination_system
from impl.coordination.client.client import Client
from impl.coordination.server import serve
from impl.host import Host

SERVERS = ("n1", "n2", "n3")
CLIENTS = ("n4", "n5", "n6", "n7")
SESSION_S = 1.0
POLL_S = 0.01

Part = Callable[[Host, Client], Awaitable[None]]


def endpoints() -> list[tuple[str, int]]:
    return [(name, CLIENT_PORT) for name in SERVERS]


def client_of(source: random.Random, **options: Any) -> Client:
    """A client of the ensemble."""
    options = {"session_timeout_s": SESSION_S} | options
    return Client(endpoints(), random=source, **options)


def arena(part: Part, *, seed: int, clients: tuple[str, ...] = CLIENTS, **options: Any) -> SimCluster:
    """An ensemble, and ``part`` on each client's node: with a new session whenever one is over."""

    async def program(host: Host, config: Mapping[str, Any]) -> None:
        if host.name in SERVERS:
            await serve(host, config)
        while True:
            async with client_of(host.random, **options) as client:
                await part(host, client)

    system = coordination_system(nodes=SERVERS)

    def configure(node: str, nodes: tuple[str, ...]) -> Mapping[str, Any]:
        return system.configure(node, SERVERS) if node in SERVERS else {}

    async def ready(endpoint: Any) -> None:
        if endpoint.host in SERVERS:
            await system.ready(endpoint)

    tested = replace(system, program=program, configure=configure, ready=ready)
    return SimCluster(tested, nodes=(*SERVERS, *clients), seed=seed)


async def weather(cluster: SimCluster, *, seed: int, rounds: int) -> None:
    """Faults of every kind on servers, clients and links, then fair weather for a while."""
    chance = random.Random(f"weather {seed}")
    for _ in range(rounds):
        await _fault(cluster, chance)
        await asyncio.sleep(chance.uniform(0.1, 2.5))
        if chance.random() < 0.7:
            await _clear(cluster)
            await asyncio.sleep(chance.uniform(0.0, 2.0))
    await _clear(cluster)
    await asyncio.sleep(5 * SESSION_S)


async def _fault(cluster: SimCluster, chance: random.Random) -> None:
    nodes = cluster.nodes
    node = chance.choice(SERVERS if chance.random() < 0.6 else nodes)
    others = [each for each in nodes if each != node]
    some = chance.sample(others, chance.randint(1, len(others)))
    match chance.randrange(7):
        case 0:
            await cluster.kill(node)
        case 1:
            await cluster.power_off(node)
        case 2:
            await cluster.pause(node)
        case 3:
            await cluster.cut([(node, each) for each in some])
        case 4:
            await cluster.cut([(each, node) for each in some])
        case 5:
            await cluster.cut([link for each in some for link in ((each, node), (node, each))])
        case 6:
            await cluster.skew(node, chance.uniform(-600, 600), chance.uniform(0.9, 1.1))


async def _clear(cluster: SimCluster) -> None:
    nodes = cluster.nodes
    for node in nodes:
        await cluster.restart(node)
        await cluster.resume(node)
    await cluster.heal([(a, b) for a in nodes for b in nodes if a != b])


class Beliefs:
    """When which token was believed in: the first and the last moment, in virtual seconds."""

    def __init__(self) -> None:
        self.spans: dict[int, tuple[float, float, str]] = {}

    def note(self, host: str, token: int) -> None:
        """``host`` believes, now, that it holds by ``token``."""
        now_s = asyncio.get_running_loop().time()
        first_s, _, who = self.spans.get(token, (now_s, now_s, host))
        assert who == host, f"token {token:#x} is held by {who} and {host}"
        self.spans[token] = first_s, now_s, host

    def check(self) -> None:
        """No two at once, and tokens grow in the order in which they were held."""
        spans = [(first, last, token, who) for token, (first, last, who) in self.spans.items()]
        for (_, last, token, who), (first, _, later, other) in zip(
            sorted(spans)[:-1], sorted(spans)[1:], strict=True
        ):
            assert last < first, f"{who} believed until {last} in {token:#x}, {other} from {first}"
            assert token < later, f"{other} got {later:#x} after {token:#x} of {who}"
