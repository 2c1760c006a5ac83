"""How fast the simulator runs: simulated seconds per CPU second, at 60 round trips a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from cluster.api import Endpoint, System
from cluster.sim.cluster import SimCluster
from impl.host import Host

TARGET_SIM_S_PER_CPU_S = 300.0
_MESSAGE_BYTES = 16
_PINGS_PER_S = 10


async def _echo_and_ping(host: Host, config: Mapping[str, Any]) -> None:
    """Each node pings its two peers ten times a second: 60 round trips a second over three nodes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(await reader.readexactly(_MESSAGE_BYTES))
            await writer.drain()

    async def ping(peer: str) -> None:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection(peer, 7000)
        while True:
            writer.write(bytes(_MESSAGE_BYTES))
            await writer.drain()
            await reader.readexactly(_MESSAGE_BYTES)
            await asyncio.sleep(1 / _PINGS_PER_S)

    await asyncio.start_server(serve, host.name, 7000)
    await asyncio.gather(*[ping(peer) for peer in config["peers"]])


async def _ready(endpoint: Endpoint) -> None:
    return None


def simulated_time(seconds: float = 300.0) -> dict[str, Any]:
    """Run the three nodes for ``seconds`` of virtual time; ratio is to 300 simulated s per CPU s."""
    system = System(
        name="echo",
        program=_echo_and_ping,
        command=(),
        configure=lambda node, nodes: {"peers": [name for name in nodes if name != node]},
        ports={"client": 7000},
        port="client",
        ready=_ready,
    )
    cluster = SimCluster(system, nodes=("n1", "n2", "n3"), seed=1)

    async def main() -> None:
        await cluster.start()
        await asyncio.sleep(seconds)

    start_s = time.process_time()
    cluster.run(main)
    rate = seconds / (time.process_time() - start_s)
    return {
        "name": "simulator: 3 nodes, 60 round trips per simulated second",
        "value": rate,
        "unit": "simulated s per CPU s",
        "target": TARGET_SIM_S_PER_CPU_S,
        "ratio": rate / TARGET_SIM_S_PER_CPU_S,
    }
