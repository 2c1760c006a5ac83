"""The three elections and the lock in bad weather: never two that believe at once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from impl.coordination.client.client import Client
from impl.coordination.recipes import election_chain, election_herd, election_sequence, lock
from impl.coordination.recipes.holding import Holding
from impl.coordination.recipes.insist import SessionLost
from impl.host import Host
from tests.impl.coordination.recipes.arena import POLL_S, Beliefs, arena, weather

Acquire = Callable[[Client, str], Awaitable[Holding]]

RECIPES: dict[str, Acquire] = {
    "herd": lambda client, host: election_herd.campaign(client, "/election", host.encode()),
    "sequence": lambda client, host: election_sequence.campaign(client, "/election", host.encode()),
    "chain": lambda client, host: election_chain.campaign(client, "/election", host.encode()),
    "lock": lambda client, host: lock.acquire(client, "/lock"),
}


def holders(acquire: Acquire, seed: int) -> Beliefs:
    """What was believed in one run: each holder releases after a while, or loses what it has."""
    beliefs = Beliefs()

    async def part(host: Host, client: Client) -> None:
        try:
            while True:
                async with await acquire(client, host.name) as held:
                    for _ in range(host.random.randint(1, 300)):
                        if not held.believes():
                            break
                        beliefs.note(host.name, held.token)
                        await asyncio.sleep(POLL_S)
        except SessionLost:
            return

    cluster = arena(part, seed=seed)

    async def main() -> None:
        await cluster.start()
        await weather(cluster, seed=seed, rounds=12)

    cluster.run(main)
    return beliefs


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("seed", range(3))
def test_nobody_believes_at_the_same_time_as_another(recipe: str, seed: int) -> None:
    beliefs = holders(RECIPES[recipe], seed)
    beliefs.check()
    assert len(beliefs.spans) > 5
    assert len({host for _, _, host in beliefs.spans.values()}) > 1
