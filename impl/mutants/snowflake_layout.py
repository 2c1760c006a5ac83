"""Snowflake nodes that get a field of the ID wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from impl.host import Host
from impl.ids import config as configuration
from impl.ids.config import Config
from impl.ids.generators import GENERATORS
from impl.ids.peers import Peers
from impl.ids.server import Node, listen
from impl.ids.snowflake import PER_MS, encode
from impl.ids.snowflake_node import open_snowflake
from impl.mutants.mutant import Mutant
from impl.mutants.swap import serve_with


class Layout:
    """A generator that gives the number of IDs so far in this tick to ``sequence_of``.

    It never goes back with the clock, and waits a millisecond when ``sequence_of`` says None.
    """

    def __init__(
        self,
        host: Host,
        config: Config,
        *,
        ns_per_tick: int = 1_000_000,
        sequence_of: Callable[[int, bool], int | None],
    ) -> None:
        self._host = host
        self._node_id = config.node_id
        self._ns_per_tick = ns_per_tick
        self._epoch = config.epoch_ms * 1_000_000 // ns_per_tick
        self._sequence_of = sequence_of
        self._tick = self._sequence = -1

    async def take(self, count: int) -> list[int]:
        return [await self._next() for _ in range(count)]

    async def _next(self) -> int:
        while True:
            now = max(self._tick, self._host.wall_clock_ns() // self._ns_per_tick - self._epoch)
            sequence = self._sequence_of(self._sequence, now > self._tick)
            if sequence is not None:
                break
            await asyncio.sleep(0.001)
        self._tick, self._sequence = now, sequence
        return encode(now, self._node_id, 0) + sequence


def _masked(sequence: int, fresh: bool) -> int | None:
    if fresh:
        return 0
    return sequence + 1 if sequence < PER_MS - 1 else None


def _never_reset(sequence: int, fresh: bool) -> int | None:
    return sequence + 1 if fresh or sequence < PER_MS - 1 else None


def _never_masked(sequence: int, fresh: bool) -> int:
    return 0 if fresh else sequence + 1


async def _open_not_reset(host: Host, config: Config) -> Layout:
    return Layout(host, config, sequence_of=_never_reset)


async def _open_not_masked(host: Host, config: Config) -> Layout:
    return Layout(host, config, sequence_of=_never_masked)


async def _open_in_seconds(host: Host, config: Config) -> Layout:
    return Layout(host, config, ns_per_tick=1_000_000_000, sequence_of=_masked)


async def _serve_with_shared_id(host: Host, config: Mapping[str, Any]) -> None:
    """Nodes 1 and 2 are one, 3 and 4 are one, …; and nobody asks the peers."""
    given = configuration.parse(config, tuple(GENERATORS))
    shared = replace(given, node_id=given.node_id - (given.node_id + 1) % 2)
    generator = await open_snowflake(host, shared)
    peers = Peers(host.name, replace(shared, kind="uuid4"))  # a kind without node ids to compare
    await listen(host, shared, Node(host.name, shared, generator, peers), peers)


MUTANTS = (
    Mutant(
        name="snowflake-two-nodes-of-one-id",
        kind="snowflake",
        program=_serve_with_shared_id,
        failure="node ids derived from a part of the address, as Sonyflake takes the low 16 bits of the "
        "private IP: pods in different networks come out the same",
        workload="snowflake",
        caught_by="snowflake",
        seeds=1,
        on_real_clusters=True,
    ),
    Mutant(
        name="snowflake-sequence-not-reset",
        kind="snowflake",
        program=serve_with("snowflake", _open_not_reset),
        failure="the counter goes on from one millisecond to the next and runs into the node id after "
        "4096 IDs in all",
        workload="snowflake",
        caught_by="snowflake",
        seeds=5,
        on_real_clusters=True,
    ),
    Mutant(
        name="snowflake-sequence-not-masked",
        kind="snowflake",
        program=serve_with("snowflake", _open_not_masked),
        failure="no check for overflow: the 4097th ID of a millisecond has the node id of a neighbour",
        workload="snowflake",
        caught_by="snowflake",
        seeds=5,
    ),
    Mutant(
        name="snowflake-seconds-for-milliseconds",
        kind="snowflake",
        program=serve_with("snowflake", _open_in_seconds),
        failure="time() gives seconds in PHP, Python and C: the IDs look right, sort after one another, "
        "and are 1000 times too small against those of every other node",
        workload="snowflake",
        caught_by="snowflake",
        seeds=1,
        on_real_clusters=True,
    ),
)
