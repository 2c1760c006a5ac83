"""Recipes that are wrong on the client's side: the servers are the right ones."""

from __future__ import annotations

from collections.abc import Sequence

from impl.coordination.client.client import Client
from impl.coordination.client.states import Transition
from impl.coordination.recipes import election_chain
from impl.coordination.recipes.bell import Bell
from impl.coordination.recipes.entries import Entry, discard, enter
from impl.coordination.recipes.holding import Holding, hold
from impl.coordination.recipes.insist import insist, join
from impl.coordination.recipes.parts import RECIPES, Campaign, Recipes
from impl.coordination.recipes.turns import queue
from impl.coordination.server import serve
from impl.mutants.mutant import COORDINATION, Mutant


class Believer(Holding):
    """Believes until it lets go itself: it is never told, and never looks."""

    def _check_now(self) -> None:
        return

    def _check(self) -> None:
        return

    def _listen(self, transition: Transition) -> None:
        return


class Versioned(Holding):
    """Its token is the version of its znode, which is 0 for each holder."""

    def __init__(self, client: Client, path: str, czxid: int, version: int) -> None:
        super().__init__(client, path, czxid)
        self.token = version


def _believing(right: Campaign) -> Campaign:
    """What the recipe holds is given up when it must be; who asked for it is not told of that."""

    async def campaign(client: Client, root: str, data: bytes) -> Holding:
        held = await right(client, root, data)
        return Believer(client, held.path, held.token)

    return campaign


async def _behind_the_first(client: Client, root: str, host: bytes) -> Holding:
    """Everybody watches the leader."""
    return await queue(client, root, election_chain.LABEL, host, _first)


def _first(ahead: Sequence[str]) -> str | None:
    return ahead[0] if ahead else None


async def _by_name(client: Client, root: str, host: bytes) -> Holding:
    """The chain in the order of whole names: the random mark comes before the suffix."""
    entry = await enter(client, root, election_chain.LABEL, host)
    try:
        with Bell(client) as bell:
            while (ahead := await _ahead(client, entry)) is not None:
                await _gone(client, join(root, ahead), bell)
        return await hold(client, entry.path, entry.czxid)
    except BaseException:
        client.errand(discard(client, entry.path, entry.czxid))
        raise


async def _gone(client: Client, path: str, bell: Bell) -> None:
    if (await insist(client, lambda: client.exists(path, watch=bell.ring))).stat:
        await bell.heard()
    client.discard_watch(path, bell.ring)


async def _ahead(client: Client, entry: Entry) -> str | None:
    names = (await insist(client, lambda: client.children(entry.root))).names
    return max((name for name in names if name < entry.name), default=None)


async def _unfenced(client: Client, root: str, data: bytes) -> Holding:
    held = await RECIPES.lock(client, root, data)
    stat = (await insist(client, lambda: client.exists(held.path))).stat
    return Versioned(client, held.path, held.token, 0 if stat is None else stat.version)


_BELIEVERS = Recipes(
    herd=_believing(RECIPES.herd),
    sequence=_believing(RECIPES.sequence),
    chain=_believing(RECIPES.chain),
    lock=_believing(RECIPES.lock),
)

MUTANTS = (
    Mutant(
        name="holder-goes-on-believing",
        kind=COORDINATION,
        program=serve,
        recipes=_BELIEVERS,
        failure="etcd 3.4.3 in Jepsen's analysis of 2020: clients went on with locks whose lease had "
        "run out, and others held them as well; here the recipe gives the place up, and whoever asked "
        "for it is not told",
        workload="lock",
        caught_by="mutual-exclusion",
        seeds=10,
        faults=("partition", "kill", "terminate", "pause", "power", "lose", "slow", "rolling-restart"),
    ),
    Mutant(
        name="chain-watches-the-first",
        kind=COORDINATION,
        program=serve,
        recipes=Recipes(chain=_behind_the_first),
        failure="the herd that ZooKeeper's own page of recipes warns of: all candidates watch the "
        "leader's znode, and each failover wakes them all",
        workload="election-chain",
        caught_by="wakes",
        seeds=1,
        on_real_clusters=True,
    ),
    Mutant(
        name="chain-in-order-of-names",
        kind=COORDINATION,
        program=serve,
        recipes=Recipes(chain=_by_name),
        failure="ZOOKEEPER-2931: the WriteLock recipe sorted znodes by their whole names, in which the "
        "session comes before the sequence number; two clients held the lock at once",
        workload="election-chain",
        caught_by="mutual-exclusion",
        seeds=1,
        on_real_clusters=True,
    ),
    Mutant(
        name="lock-without-fencing",
        kind=COORDINATION,
        program=serve,
        recipes=Recipes(lock=_unfenced),
        failure="HBase 'used to have this problem' (Kleppmann, How to do distributed locking, 2016): a "
        "holder wakes from a long garbage collection and writes, though its lease has gone to another; "
        "here there are tokens, but they are versions of znodes, which are 0 for each holder",
        workload="lock-fenced",
        caught_by="guarded-resource",
        seeds=1,
        on_real_clusters=True,
    ),
)
