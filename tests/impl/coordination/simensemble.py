"""An ensemble in the simulator, for one scenario."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cluster.sim.cluster import SimCluster
from cluster.systems.coordination import ask, coordination_system
from tests.impl.coordination.rawclient import RawClient


class Ensemble:
    """Servers ``n1`` onwards; ``cluster`` hurts them."""

    def __init__(self, cluster: SimCluster) -> None:
        self.cluster = cluster

    async def connect(self, node: str, **options: Any) -> RawClient:
        return await RawClient.connect(*self.cluster.endpoint(node), **options)

    async def resume(self, node: str, client: RawClient) -> RawClient:
        """``client``'s session, on another connection."""
        return await self.connect(
            node, session=client.session, password=client.password, last_zxid=client.zxid
        )

    async def leader(self) -> str:
        return (await self.cluster.primaries())[0]

    async def followers(self) -> list[str]:
        leader = await self.leader()
        return [node for node in self.cluster.nodes if node != leader]

    async def say(self, node: str, word: str) -> dict[str, str]:
        answer = await ask(self.cluster.endpoint(node), word)
        return dict(line.split("\t", 1) for line in answer.splitlines() if "\t" in line)

    async def word(self, node: str, word: str) -> str:
        return await ask(self.cluster.endpoint(node), word)

    async def until(self, true: Callable[[], Awaitable[bool]], limit_s: float = 30.0) -> None:
        """Wait until ``true()``. Raises TimeoutError."""
        async with asyncio.timeout(limit_s):
            while True:
                try:
                    if await true():
                        return
                except (OSError, TimeoutError, asyncio.IncompleteReadError, IndexError):
                    pass
                await asyncio.sleep(0.05)

    async def settle(self) -> None:
        """Wait until all serve and have the same state."""

        async def same() -> bool:
            states = [await self.say(node, "mntr") for node in self.cluster.nodes]
            return len({(each["zk_last_zxid"], each["zk_digest"]) for each in states}) == 1

        async def settled() -> bool:
            try:
                return await same()
            except KeyError:
                return False

        await self.until(settled)


def simulate(
    scenario: Callable[[Ensemble], Awaitable[Any]],
    *,
    servers: int = 3,
    seed: int = 1,
    **options: Any,
) -> SimCluster:
    """Start ``servers`` servers, run ``scenario``; the cluster as it is afterwards."""
    nodes = tuple(f"n{number}" for number in range(1, servers + 1))
    cluster = SimCluster(coordination_system(nodes=nodes, **options), nodes=nodes, seed=seed)

    async def main() -> None:
        await cluster.start()
        await scenario(Ensemble(cluster))

    cluster.run(main)
    return cluster
