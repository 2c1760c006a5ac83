"""How many candidates a failover wakes, and who leads then, on an ensemble in the simulator."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from cluster.sim.cluster import SimCluster
from cluster.systems.coordination import coordination_system
from impl.coordination.client.client import Client
from impl.coordination.client.states import State
from impl.coordination.recipes import (
    election_chain,
    election_herd,
    election_sequence,
    lock,
    read_write_lock,
)
from impl.coordination.recipes.holding import Holding
from impl.host import Host
from tests.impl.coordination.recipes.arena import SERVERS, arena, client_of

CANDIDATES = 6
Campaign = Callable[[Client, str, bytes], Awaitable[Holding]]


def on_ensemble(main: Callable[[], Awaitable[None]], *, seed: int = 1) -> None:
    """Run ``main`` in virtual time next to three servers."""
    cluster = SimCluster(coordination_system(nodes=SERVERS), nodes=SERVERS, seed=seed)

    async def all_of_it() -> None:
        await cluster.start()
        await main()

    cluster.run(all_of_it)


async def clients(count: int) -> list[Client]:
    made = [client_of(random.Random(number)) for number in range(count)]
    for client in made:
        client.start()
        await client.connected()
    return made


async def first_of(tasks: list[asyncio.Task[Holding]]) -> int:
    """The number of the one that is done; no other may be."""
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.5)
    done = [number for number, task in enumerate(tasks) if task.done()]
    assert len(done) == 1
    return done[0]


@pytest.mark.parametrize(
    ("campaign", "leader", "woken"),
    [
        (election_herd.campaign, election_herd.leader, CANDIDATES - 1),
        (election_sequence.campaign, election_sequence.leader, CANDIDATES - 1),
        (election_chain.campaign, election_sequence.leader, 1),
    ],
    ids=["herd", "sequence", "chain"],
)
@pytest.mark.parametrize("crash", [False, True])
def test_a_failover_wakes_as_many_candidates_as_the_recipe_says(
    campaign: Campaign, leader: Callable[..., Awaitable[bytes]], woken: int, crash: bool
) -> None:
    async def main() -> None:
        candidates = await clients(CANDIDATES)
        tasks = []
        for number, client in enumerate(candidates):
            host = f"h{number}".encode()
            tasks.append(asyncio.ensure_future(campaign(client, "/election", host)))
            await asyncio.sleep(0.1)
        assert await first_of(tasks) == 0
        before = [client.watch_events for client in candidates]
        if crash:
            await candidates[0].abandon()
        else:
            await tasks[0].result().release()
        rest = tasks[1:]
        new = 1 + await first_of(rest)
        after = [client.watch_events for client in candidates]
        others = [later > earlier for earlier, later in zip(before, after, strict=True)][1:]
        assert sum(others) == woken
        assert await leader(candidates[5], "/election") == f"h{new}".encode()
        assert tasks[new].result().believes()
        assert not tasks[0].result().believes()
        for client in candidates:
            await client.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    on_ensemble(main)


def test_a_candidate_that_withdraws_wakes_its_follower_and_leaves_nothing() -> None:
    async def main() -> None:
        candidates = await clients(3)
        tasks = []
        for client in candidates:
            tasks.append(asyncio.ensure_future(lock.acquire(client, "/lock")))
            await asyncio.sleep(0.1)
        tasks[1].cancel()
        await asyncio.sleep(0.2)
        assert len((await candidates[2].children("/lock")).names) == 2
        assert not tasks[2].done()
        await (await tasks[0]).release()
        async with await tasks[2] as held:
            assert held.believes()
        assert (await candidates[2].children("/lock")).names == ()
        for client in candidates:
            await client.close()

    on_ensemble(main)


def test_tokens_grow_from_holder_to_holder() -> None:
    async def main() -> None:
        tokens = []
        for client in await clients(3):
            async with await lock.acquire(client, "/lock") as held:
                tokens.append(held.token)
            await client.close()
        assert tokens == sorted(set(tokens))

    on_ensemble(main)


def test_readers_share_the_lock_and_a_writer_has_it_alone_in_its_turn() -> None:
    async def main() -> None:
        one, two, three, four = await clients(4)
        first = await read_write_lock.acquire_read(one, "/lock")
        second = await read_write_lock.acquire_read(two, "/lock")
        writer = asyncio.ensure_future(read_write_lock.acquire_write(three, "/lock"))
        await asyncio.sleep(0.2)
        late = asyncio.ensure_future(read_write_lock.acquire_read(four, "/lock"))
        await asyncio.sleep(0.2)
        assert first.believes()
        assert second.believes()
        await first.release()
        await asyncio.sleep(0.2)
        assert not writer.done()
        await second.release()
        held = await writer
        await asyncio.sleep(0.2)
        assert held.believes()
        assert not late.done()
        await held.release()
        assert (await late).believes()
        for client in (one, two, three, four):
            await client.close()

    on_ensemble(main)


def test_a_holder_that_is_cut_off_says_so_before_another_can_follow() -> None:
    events: list[tuple[str, str, float]] = []

    async def part(host: Host, client: Client) -> None:
        loop = asyncio.get_running_loop()
        held = await lock.acquire(client, "/lock")
        events.append(("held", host.name, loop.time()))
        reason = await held.lost()
        events.append((reason, host.name, loop.time()))
        await client.reached(State.EXPIRED)

    cluster = arena(part, seed=1, clients=("n4", "n5"))

    async def main() -> None:
        await cluster.start()
        await asyncio.sleep(3.0)
        holder = events[0][1]
        await cluster.cut([(holder, server) for server in SERVERS])
        await asyncio.sleep(3.0)

    cluster.run(main)
    (_, first, _), (reason, loser, lost_s), (held, second, held_s) = events
    assert (held, loser) == ("held", first)
    assert "the leader was not heard" in reason
    assert second != first
    assert lost_s < held_s
