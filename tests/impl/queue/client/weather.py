"""Brokers in the simulator in bad weather: killed, stopped, powered off, cut off from the clients."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from cluster.api import CLIENT
from cluster.sim.cluster import SimCluster
from cluster.systems.queue import CLIENT_PORT, queue_system
from impl.queue.client.consumer import Consumer
from impl.queue.client.producer import Producer

T = TypeVar("T")
SAFE = {"log.flush.interval.messages": 1, "num.partitions": 2, "group.min.session.timeout.ms": 500}
SETTINGS = {
    "request_timeout_s": 1.0,
    "connect_timeout_s": 1.0,
    "max_block_s": 30.0,
    "backoff_s": (0.05, 0.5),
}


class Tunnel:
    """One broker and its weather; clients are made with chance and clocks of the simulation."""

    def __init__(self, seed: int, nodes: tuple[str, ...] = ("n1",)) -> None:
        self.cluster = SimCluster(queue_system(nodes=nodes, settings=SAFE), nodes=nodes, seed=seed)
        self.chance = random.Random(f"weather {seed}")
        self._seed = seed
        self._clients = 0

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        async def all_of_it() -> T:
            await self.cluster.start()
            result = await main()
            await self.cluster.stop()
            return result

        return self.cluster.run(all_of_it)

    def producer(self, **options: Any) -> Producer:
        settings = {"delivery_timeout_s": 4.0, "batch_bytes": 300, **SETTINGS, **options}
        return Producer(
            self._brokers(),
            random=self._random(),
            wall_clock_ns=self.cluster.wall_clock_ns,
            **settings,
        )

    def consumer(self, **options: Any) -> Consumer:
        group = {"session_timeout_s": 1.5, "heartbeat_s": 0.3, "max_poll_interval_s": 4.0}
        settings = {"auto_offset_reset": "earliest", **SETTINGS, **group, **options}
        return Consumer(self._brokers(), random=self._random(), **settings)

    def _brokers(self) -> list[tuple[str, int]]:
        return [(name, CLIENT_PORT) for name in self.cluster.nodes]

    def _random(self) -> random.Random:
        self._clients += 1
        return random.Random(f"client {self._clients} of {self._seed}")

    async def storm(self, *, rounds: int) -> None:
        """Faults one after the other, some of them at once, then fair weather."""
        for _ in range(rounds):
            await self._fault()
            await asyncio.sleep(self.chance.uniform(0.1, 3.0))
            if self.chance.random() < 0.8:
                await self.clear()
                await asyncio.sleep(self.chance.uniform(0.0, 1.5))
        await self.clear()

    async def _fault(self) -> None:
        node = self.chance.choice(self.cluster.nodes)
        there, back = (CLIENT, node), (node, CLIENT)
        match self.chance.randrange(6):
            case 0:
                await self.cluster.kill(node)
            case 1:
                await self.cluster.power_off(node)
            case 2:
                await self.cluster.pause(node)
            case 3:
                await self.cluster.cut([there])
            case 4:
                await self.cluster.cut([back])
            case 5:
                await self.cluster.cut([there, back])

    async def clear(self) -> None:
        for node in self.cluster.nodes:
            await self.cluster.heal([(CLIENT, node), (node, CLIENT)])
            await self.cluster.resume(node)
            await self.cluster.restart(node)
