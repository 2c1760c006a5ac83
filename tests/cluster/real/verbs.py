"""``python -m tests.cluster.real.verbs BACKEND [INVENTORY]``: every verb on three real nodes, as JSON.

A program of its own, as ``local`` starts the process again that uses it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from cluster.api import VERBS
from cluster.real.cluster import RealCluster
from cluster.real.errors import ClusterError
from cluster.systems.ids import ids_system

NODES = ("n1", "n2", "n3")
QUICK = {"peer_interval_ms": 50, "peer_timeout_ms": 150}


def make(
    backend: str, inventory: str = "", nodes: tuple[str, ...] = NODES, **settings: Any
) -> RealCluster:
    """A cluster of ID nodes that ask each other how they are, all the time."""
    system = ids_system("snowflake", nodes=nodes, settings={**QUICK, **settings})
    if backend == "local":
        from cluster.local import enter, local_cluster

        enter()
        return local_cluster(system, nodes=nodes)
    if backend == "ssh":
        from cluster.ssh import read_inventory, ssh_cluster

        return ssh_cluster(system, read_inventory(Path(inventory)), nodes=nodes)
    from cluster.docker import docker_cluster

    return docker_cluster(system, nodes=nodes)


async def peers(cluster: RealCluster, node: str) -> dict[str, str]:
    """What a node says of the others; empty when it does not answer."""
    endpoint = cluster.endpoint(node)
    timeout = aiohttp.ClientTimeout(total=0.5)
    url = f"http://{endpoint.host}:{endpoint.port}/healthz"
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            answer: dict[str, dict[str, str]] = await response.json()
            return answer["peers"]
    except (aiohttp.ClientError, OSError, TimeoutError):
        return {}


async def until(cluster: RealCluster, node: str, wanted: Callable[[dict[str, str]], bool]) -> bool:
    """Ask until a node says so, or 15 s are over."""
    for _ in range(300):
        if wanted(await peers(cluster, node)):
            return True
        await asyncio.sleep(0.05)
    return False


async def links(cluster: RealCluster) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    await until(cluster, "n1", lambda seen: set(seen.values()) == {"up"})
    await cluster.cut([("n1", "n2")])
    await cluster.cut([("n1", "n2")])
    facts["n1 misses n2"] = await until(cluster, "n1", lambda seen: seen.get("n2") == "down")
    facts["n1 sees n3"] = await until(cluster, "n1", lambda seen: seen.get("n3") == "up")
    facts["n3 sees both"] = await until(cluster, "n3", lambda seen: set(seen.values()) == {"up"})
    facts["dropped there"] = await cluster.dropped([("n1", "n2")])
    facts["dropped back"] = await cluster.dropped([("n2", "n1")])
    await cluster.heal([("n1", "n2"), ("n2", "n3")])
    facts["dropped in all"] = await cluster.dropped([("n1", "n2")])
    facts["n1 sees n2 again"] = await until(cluster, "n1", lambda seen: seen.get("n2") == "up")
    for link in (("client", "n3"), ("n3", "client")):
        await cluster.cut([link])
        facts[f"{link[0]} to {link[1]} is cut"] = await peers(cluster, "n3") == {}
        facts[f"{link[0]} to {link[1]} dropped"] = await cluster.dropped([link])
        await cluster.heal([link])
    facts["clients reach n3 again"] = await until(cluster, "n3", bool)
    await cluster.lose([("n2", "n1"), ("n1", "n2")], 0.5)
    facts["lost"] = await until_lost(cluster)
    await cluster.lose([("n2", "n1"), ("n1", "n2")], 0)
    facts["all is well"] = await until(cluster, "n1", lambda seen: set(seen.values()) == {"up"})
    return facts


async def until_lost(cluster: RealCluster) -> int:
    for _ in range(300):
        if lost := await cluster.dropped([("n2", "n1"), ("n1", "n2")]):
            return lost
        await asyncio.sleep(0.05)
    return 0


async def processes(cluster: RealCluster) -> dict[str, Any]:
    states = []

    async def after(verb: str, node: str = "n1") -> None:
        await getattr(cluster, verb)(node)
        state = await cluster.process_state(node)
        states.append([verb, state.running, state.paused, state.incarnation])

    for verb in ("resume", "restart", "pause", "pause", "resume", "kill", "kill", "pause", "restart"):
        await after(verb)
    for verb in ("pause", "kill", "resume", "restart", "terminate"):
        await after(verb)
    for _ in range(300):
        if not (gone := not (await cluster.process_state("n1")).running):
            await asyncio.sleep(0.05)
    await after("restart")
    return {
        "states": states,
        "gone after SIGTERM": gone,
        "serves again": await until(cluster, "n1", bool),
    }


async def clocks(cluster: RealCluster) -> dict[str, Any]:
    facts: dict[str, Any] = {"before": await cluster.clock_offset_s("n2")}
    for offset_s in (5.0, -262.0):
        await cluster.skew("n2", offset_s)
        facts[f"set to {offset_s:g}"] = await cluster.clock_offset_s("n2")
    facts["another's"] = await cluster.clock_offset_s("n3")
    loop = asyncio.get_running_loop()
    for rate in (1.5, 0.5):
        await cluster.skew("n2", 1.0, rate)
        start_s = loop.time()
        first_s = await cluster.clock_offset_s("n2")
        await asyncio.sleep(1.0)
        last_s = await cluster.clock_offset_s("n2")
        facts[f"rate {rate}"] = [first_s, (last_s - first_s) / (loop.time() - start_s)]
    await cluster.skew("n2", 7.0, 1.2)
    await cluster.kill("n2")
    since_s = loop.time()
    facts["of a dead node"] = await cluster.clock_offset_s("n2")
    await cluster.restart("n2")
    await until(cluster, "n2", bool)
    facts["over a restart"] = await cluster.clock_offset_s("n2") - 0.2 * (loop.time() - since_s)
    await cluster.skew("n2", 0.0)
    facts["true again"] = await cluster.clock_offset_s("n2")
    return facts


async def slowed(cluster: RealCluster) -> dict[str, Any]:
    """n1 answers its clients later; or why it cannot."""
    link = ("n1", "client")
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    await peers(cluster, "n1")
    usual_s = loop.time() - begun_s
    try:
        await cluster.slow([link], 0.1, 0.02)
    except ClusterError as error:
        return {"said": str(error)}
    begun_s = loop.time()
    await peers(cluster, "n1")
    later_s = loop.time() - begun_s - usual_s
    await cluster.slow([link], 0.0)
    return {"later by": later_s, "delayed": await cluster.delayed([link])}


async def main(cluster: RealCluster) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    await cluster.start()
    facts: dict[str, Any] = {"started in": loop.time() - begun_s, "verbs": sorted(cluster.verbs)}
    refused = {verb: cluster.why_not(verb) for verb in VERBS}
    facts["refused"] = {verb: reason for verb, reason in refused.items() if reason}
    facts["links"] = await links(cluster)
    facts["processes"] = await processes(cluster)
    facts["clocks"] = await clocks(cluster)
    facts["slowed"] = await slowed(cluster)
    for call in (cluster.kill("n9"), cluster.cut([("n1", "n9")])):
        try:
            await call
        except KeyError as error:
            facts.setdefault("unknown node", []).append(str(error))
    await cluster.stop()
    await cluster.stop()
    return facts


if __name__ == "__main__":
    made = make(*sys.argv[1:])
    print(json.dumps(made.run(lambda: main(made))))
