"""Leader election, in three ways: the herd, the sequence, the chain.

Operations: ``campaign``, which queues for up to two seconds and keeps its place if that was not
enough; ``lead``, which is ``ok`` as long as the client believes that it leads; ``resign``;
``crash``, after which the client's session is left to expire. Completions carry the epoch as
``token`` (the czxid of the leader's znode), since when and until when the client believed, by the
clock of all clients, and what woke it.

Fails when two clients believe to lead at once; when two have one epoch, or a later leader the
smaller; in the chain when the going of one znode wakes two clients; or when nobody can be elected
once all is healed. How many clients each failover wakes is measured: ``woken-most`` and
``woken-mean``.
"""

from __future__ import annotations

from functools import partial

from checkers.elections import wakes
from checkers.mutual_exclusion import mutual_exclusion
from checkers.progress import progress
from checkers.verdict import all_of
from history.op import Op
from impl.coordination.recipes.parts import Campaign
from workloads.coordination import RETRY_S, coordination_workload, recipes
from workloads.generators import cycle, delay, each_thread, limit, repeat, stagger, until_ok
from workloads.tenures import Turns
from workloads.workload import ClientContext, Workload, WorkloadOptions

ROOT = "/election"


class ElectionClient:
    """A candidate by one of the recipes."""

    def __init__(self, context: ClientContext, campaign: Campaign) -> None:
        host = b"host-%d" % context.process
        self._turns = Turns(context, lambda client: campaign(client, ROOT, host))

    async def open(self) -> None:
        await self._turns.session.open()

    async def invoke(self, op: Op) -> Op:
        match op.f:
            case "campaign":
                return await self._turns.acquire(op)
            case "lead":
                return self._turns.check(op)
            case "resign":
                return await self._turns.release(op)
        return await self._turns.crash(op)

    async def close(self) -> None:
        await self._turns.close()


def _election(name: str, campaign: Campaign, options: WorkloadOptions, *, one: bool) -> Workload:
    elected, leads = until_ok(repeat("campaign")), limit(3, repeat("lead"))
    term = cycle(elected, leads, "resign", elected, leads, "crash")
    final = each_thread(cycle(until_ok(delay(RETRY_S, repeat("campaign"))), "resign", times=1))
    return coordination_workload(
        name,
        options,
        client=partial(ElectionClient, campaign=campaign),
        generator=stagger(1 / options.rate, each_thread(term)),
        final=final,
        checker=all_of(
            mutual_exclusion=mutual_exclusion("leader", thing="office"),
            wakes=wakes(at_most_one=one),
            progress=progress("campaign"),
        ),
        progress=("campaign",),
    )


def election_herd(options: WorkloadOptions) -> Workload:
    """See the module's docstring: everyone tries to create one znode, and is told when it goes."""
    return _election("election-herd", recipes(options).herd, options, one=False)


def election_sequence(options: WorkloadOptions) -> Workload:
    """See the module's docstring: the least sequential znode leads, and all watch them all."""
    return _election("election-sequence", recipes(options).sequence, options, one=False)


def election_chain(options: WorkloadOptions) -> Workload:
    """See the module's docstring: each watches the znode just before its own."""
    return _election("election-chain", recipes(options).chain, options, one=True)
