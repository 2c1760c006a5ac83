"""What outcomes promise, in the simulator under faults: acked is there, failed is not, in order."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from impl.queue.client.batch import Delivery, Placed
from impl.queue.client.consumer import Consumer
from impl.queue.client.errors import OUTAGES, DidNotHappen, MayHaveHappened
from impl.queue.client.metadata import TopicPartition
from impl.queue.protocol.decode import Record
from tests.impl.queue.client.weather import Tunnel

SEEDS = range(1, 13)
PLACES = [TopicPartition("t", 0), TopicPartition("t", 1)]
Outcome = Placed | DidNotHappen | MayHaveHappened


async def outcome(delivery: Delivery) -> Outcome:
    try:
        return await delivery
    except OUTAGES as error:
        return error


async def everything(tunnel: Tunnel) -> list[Record]:
    async with tunnel.consumer() as reader:
        reader.assign(PLACES)
        ends = await reader.end_offsets(*PLACES)
        found: list[Record] = []
        while any([await reader.position(each) < ends[each] for each in PLACES]):
            found += await reader.poll(timeout_s=1.0)
        return found


def sent_in_a_storm(seed: int, **options: object) -> tuple[dict[int, Outcome], list[Record], str]:
    """Values 0, 1, ... are sent to partitions in turn; what became of each, and what is there."""
    tunnel = Tunnel(seed)

    async def main() -> tuple[dict[int, Outcome], list[Record]]:
        outcomes: dict[int, Outcome] = {}
        waiting: dict[int, Delivery] = {}
        async with tunnel.producer(**options) as writer:
            await writer.send_and_wait("t", b"-1", partition=0)
            storm = asyncio.get_running_loop().create_task(tunnel.storm(rounds=6))
            number = 0
            while not storm.done():
                try:
                    waiting[number] = await writer.send("t", b"%d" % number, partition=number % 2)
                except DidNotHappen as error:
                    outcomes[number] = error
                number += 1
                await asyncio.sleep(tunnel.chance.choice((0, 0, 0.01, 0.05)))
            outcomes |= {each: await outcome(delivery) for each, delivery in waiting.items()}
        await asyncio.sleep(30)  # what is still on its way arrives
        return outcomes, await everything(tunnel)

    outcomes, found = tunnel.run(main)
    return outcomes, found, tunnel.cluster.digest()


def check_placed(outcomes: dict[int, Outcome], found: list[Record]) -> None:
    """What was placed is where it was said to be; what did not happen is nowhere."""
    by_place = {(each.partition, each.offset): int(each.value) for each in found}
    values = set(by_place.values())
    for number, what in outcomes.items():
        if isinstance(what, Placed):
            assert by_place[what.partition, what.offset] == number
        elif isinstance(what, DidNotHappen):
            assert number not in values, f"{number} is there, and {what}"


@pytest.mark.parametrize("seed", SEEDS)
def test_an_idempotent_producer_loses_doubles_and_reorders_nothing(seed: int) -> None:
    outcomes, found, _ = sent_in_a_storm(seed)
    check_placed(outcomes, found)
    for partition in (0, 1):
        values = [int(each.value) for each in found if each.partition == partition]
        assert values == sorted(set(values))
    assert sum(isinstance(each, Placed) for each in outcomes.values()) > 50


@pytest.mark.parametrize("seed", SEEDS)
def test_without_idempotence_what_is_acknowledged_is_still_there_and_failures_are_honest(
    seed: int,
) -> None:
    outcomes, found, _ = sent_in_a_storm(seed, idempotent=False, acks=1 if seed % 2 else "all")
    check_placed(outcomes, found)


def test_storms_bring_every_kind_of_outcome_and_are_the_same_again() -> None:
    kinds: set[str] = set()
    for seed in SEEDS:
        outcomes, _, digest = sent_in_a_storm(seed)
        kinds |= {type(each).__name__ for each in outcomes.values()}
        if seed == 1:
            assert sent_in_a_storm(seed)[2] == digest
    assert kinds >= {"Placed", "DidNotHappen", "MayHaveHappened"}


# --- groups -------------------------------------------------------------------------------------------


class Member:
    """A member that reads, notes what it read in which generation, commits, and may be replaced."""

    def __init__(self, tunnel: Tunnel, name: str, assignor: str) -> None:
        self.read: list[tuple[int, Record]] = []
        self.owned: dict[int, set[TopicPartition]] = {}
        self.commits: list[dict[TopicPartition, int]] = []
        self._tunnel, self._name, self._assignor = tunnel, name, assignor

    async def run(self) -> None:
        reader = self._tunnel.consumer(
            group_id="g", client_id=self._name, assignors=[self._assignor], auto_commit=False
        )
        try:
            await reader.start()
            reader.subscribe(["t"], self)
            while True:
                with suppress(*OUTAGES):
                    await self._turn(reader)
        finally:
            with suppress(*OUTAGES):
                await reader.close()

    async def _turn(self, reader: Consumer) -> None:
        records = await reader.poll(timeout_s=0.3, max_records=20)
        generation = reader.generation
        self.owned.setdefault(generation, set()).update(reader.assignment())
        self.read += [(generation, each) for each in records]
        if records:
            await reader.commit(within_s=2.0)
            self.commits.append({each: await reader.position(each) for each in reader.assignment()})

    def assigned(self, partitions: object) -> None: ...

    def revoked(self, partitions: object) -> None: ...

    def lost(self, partitions: object) -> None: ...


@pytest.mark.parametrize("assignor", ["range", "cooperative-sticky"])
@pytest.mark.parametrize("seed", range(1, 7))
def test_a_group_reads_everything_in_order_and_never_owns_a_partition_twice(
    seed: int, assignor: str
) -> None:
    tunnel = Tunnel(seed)
    members = [Member(tunnel, f"m{n}", assignor) for n in range(3)]

    async def main() -> list[Record]:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(each.run()) for each in members[:2]]
        async with tunnel.producer(delivery_timeout_s=60.0) as writer:
            storm = loop.create_task(tunnel.storm(rounds=5))
            number = 0
            while not storm.done():
                await writer.send("t", b"%d" % number, partition=number % 2)
                number += 1
                await asyncio.sleep(0.02)
            tasks[0].cancel()
            tasks.append(loop.create_task(members[2].run()))
            await writer.flush()
        there = await everything(tunnel)
        wanted = {each.value for each in there}
        while {each.value for member in members for _, each in member.read} != wanted:
            await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return there

    there = tunnel.run(main)
    assert len(there) > 100
    check_members(members)


def check_members(members: list[Member]) -> None:
    by_generation: dict[int, list[set[TopicPartition]]] = {}
    for member in members:
        for generation, owned in member.owned.items():
            if generation >= 0:
                by_generation.setdefault(generation, []).append(owned)
        for partition in PLACES:
            runs: dict[int, list[int]] = {}
            for generation, each in member.read:
                if each.partition == partition.partition:
                    runs.setdefault(generation, []).append(each.offset)
            for offsets in runs.values():
                assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
    for owners in by_generation.values():
        assert sum(map(len, owners)) == len(set().union(*owners))
