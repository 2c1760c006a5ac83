"""A tiny system to put into the simulator: whatever coroutine a test gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cluster.api import Endpoint, System
from cluster.sim.cluster import SimCluster
from impl.host import Host

PORT = 7000
Scenario = Callable[[SimCluster], Awaitable[Any]]


async def ready(endpoint: Endpoint) -> None:
    _, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
    writer.close()


async def ready_at_once(endpoint: Endpoint) -> None:
    return None


async def echo(host: Host, config: Mapping[str, Any]) -> None:
    """Answers every 4 bytes with the same 4 bytes, and logs what it got on its disk."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                data = await reader.readexactly(4)
                host.disk.open("seen").append(data)
                writer.write(data)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    await asyncio.start_server(serve, host.name, PORT)
    await asyncio.Event().wait()


def run_nodes(
    scenario: Scenario,
    program: Any = echo,
    *,
    nodes: tuple[str, ...] = ("n1", "n2"),
    seed: int = 1,
    wait: bool = True,
) -> tuple[Any, SimCluster]:
    """Run ``program`` on every node and ``scenario`` as the harness; its result and the cluster."""
    system = System(
        name="test",
        program=program,
        command=(),
        configure=lambda node, nodes: {"node": node, "nodes": nodes},
        ports={"client": PORT},
        port="client",
        ready=ready if wait else ready_at_once,
    )
    cluster = SimCluster(system, nodes=nodes, seed=seed)

    async def main() -> Any:
        await cluster.start()
        return await scenario(cluster)

    return cluster.run(main), cluster
