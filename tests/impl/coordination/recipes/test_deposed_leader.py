"""What a leader says that was deposed and does not know it yet: nobody may build a belief on it."""

from __future__ import annotations

import asyncio
import random

from impl.coordination.client.client import Client
from impl.coordination.recipes import lock
from tests.impl.coordination.simensemble import Ensemble, simulate

SESSION_S = 4.0


def client_of(ensemble: Ensemble, *nodes: str) -> Client:
    endpoints = [ensemble.cluster.endpoint(node) for node in nodes]
    client = Client(
        [(each.host, each.port) for each in endpoints],
        session_timeout_s=SESSION_S,
        random=random.Random(1),
    )
    client.start()
    return client


def test_a_session_taken_back_by_a_deposed_leader_is_no_proof_that_it_lives() -> None:
    """The leader is paused; a new one is elected, and gives each session its timeout from then on. The
    holder has given up its silent connection and knocks again; the old leader wakes, cut off,
    answers this from what it knew, and only then finds that nobody follows it.
    """

    async def scenario(ensemble: Ensemble) -> None:
        leader, others = await ensemble.leader(), await ensemble.followers()
        holder, waiting = client_of(ensemble, leader), client_of(ensemble, *others)
        held = await lock.acquire(holder, "/lock")
        queueing = asyncio.ensure_future(lock.acquire(waiting, "/lock"))
        before_s = holder.certain_until_s
        while holder.certain_until_s == before_s:
            await asyncio.sleep(0.01)
        await ensemble.cluster.pause(leader)
        await asyncio.sleep(0.7 * SESSION_S)
        assert held.believes()
        await ensemble.cluster.cut(
            [link for other in others for link in ((leader, other), (other, leader))]
        )
        await ensemble.cluster.resume(leader)
        await queueing
        assert not held.believes()
        await holder.abandon()
        await waiting.abandon()

    simulate(scenario)
