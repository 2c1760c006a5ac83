"""Snowflake nodes that trust their clock too much."""

from __future__ import annotations

import asyncio

from impl.host import Host
from impl.ids.config import Config
from impl.ids.snowflake import PER_MS, Snowflake, encode
from impl.ids.snowflake_node import SnowflakeNode
from impl.ids.watermark import Watermark
from impl.mutants.mutant import Mutant
from impl.mutants.swap import serve_with


class Unguarded:
    """Compares the clock with the last millisecond only for equality: back is as good as forth."""

    def __init__(self, host: Host, config: Config) -> None:
        self._host = host
        self._config = config
        self._last_ms = -1
        self._sequence = 0

    async def take(self, count: int) -> list[int]:
        return [await self._next() for _ in range(count)]

    async def _next(self) -> int:
        now = self._host.wall_clock_ns() // 1_000_000 - self._config.epoch_ms
        while now == self._last_ms and self._sequence == PER_MS - 1:
            await asyncio.sleep(0.001)
            now = self._host.wall_clock_ns() // 1_000_000 - self._config.epoch_ms
        self._sequence = self._sequence + 1 if now == self._last_ms else 0
        self._last_ms = now
        return encode(now, self._config.node_id, self._sequence)


async def _open_unguarded(host: Host, config: Config) -> Unguarded:
    return Unguarded(host, config)


async def _open_in_memory(host: Host, config: Config) -> SnowflakeNode:
    """The right node, but nothing that it reserves outlives it: the file is a new one every time."""
    for name in host.disk.names():
        host.disk.remove(name)
    mark = await Watermark.open(host.disk, "snowflake.mark")
    core = Snowflake(config.node_id, host.wall_clock_ns, epoch_ms=config.epoch_ms, ceiling_ms=0)
    return SnowflakeNode(
        core, mark, reserve_ms=config.reserve_ms, max_clock_wait_ms=config.max_clock_wait_ms
    )


MUTANTS = (
    Mutant(
        name="snowflake-no-clock-guard",
        kind="snowflake",
        program=serve_with("snowflake", _open_unguarded),
        failure="ports of Twitter's Snowflake that leave out its 'Clock is moving backwards' check: "
        "after an NTP step or the leap second of 2012 they go through the same milliseconds again",
        workload="snowflake",
        caught_by="monotonic",
        seeds=20,
        faults=("clock-bump", "clock-strobe", "clock-drift", "clock-reset"),
    ),
    Mutant(
        name="snowflake-guard-in-memory",
        kind="snowflake",
        program=serve_with("snowflake", _open_in_memory),
        failure="Twitter's own Snowflake: the last timestamp is a field of the process, so a node that "
        "restarts while its clock is being set back repeats what it gave out before",
        workload="snowflake",
        caught_by="monotonic",
        seeds=50,
        faults=("kill", "clock-bump"),
    ),
)
