"""A member whose library rebalances in the background, as aiokafka does, and hands out meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from history.op import invoke
from workloads.brokers.member import Membership
from workloads.brokers.seam import Member


class Hasty:
    """A consumer that hands out what it read before the listener has asked what is committed."""

    def __init__(self) -> None:
        self.committed_offsets: list[Mapping[int, int]] = []
        self._handed_out = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        pass

    async def subscribe(self, assigned: Any, revoked: Any) -> None:
        self._listening = asyncio.create_task(assigned([0]))

    async def committed(self, partitions: Sequence[int]) -> Mapping[int, int | None]:
        await self._handed_out.wait()
        await asyncio.sleep(0.01)
        return dict.fromkeys(partitions)

    async def poll(self, timeout_s: float) -> Mapping[int, list[tuple[int, bytes]]]:
        await asyncio.sleep(0)
        self._handed_out.set()
        return {0: [(0, b"7"), (1, b"8")]}

    async def commit(self, offsets: Mapping[int, int]) -> None:
        self.committed_offsets.append(dict(offsets))

    def member(self) -> Member:
        return Member("m", 1)

    async def close(self, *, leave: bool = True) -> None:
        pass


def test_what_is_handed_out_while_a_partition_is_taken_up_comes_after_where_polling_begins() -> None:
    async def main() -> tuple[list[str], list[Mapping[int, int]]]:
        consumer = Hasty()
        maker = SimpleNamespace(consumer=lambda place, settings: consumer)
        context = SimpleNamespace(process=0, seed=1, endpoints={}, node="n1", ports={})
        settings = SimpleNamespace(group="g", topic="t")
        member = Membership(context, maker=maker, settings=settings)
        polled = await member.poll(invoke("poll"))
        await member.commit(invoke("commit"))
        return [step[0] for step in polled.value], consumer.committed_offsets

    steps, committed = asyncio.run(main())
    assert steps == ["assigned", "committed", "position", "poll"]
    assert committed == [{0: 2}]
