"""Recipes for elections, groups and configuration that are wrong on the client's side."""

from __future__ import annotations

from collections.abc import Sequence

from impl.coordination.client.client import Client
from impl.coordination.client.errors import ServerError
from impl.coordination.recipes import configuration, election_herd, election_sequence, membership
from impl.coordination.recipes.bell import Bell
from impl.coordination.recipes.configuration import Setting, Settings
from impl.coordination.recipes.entries import Entry, discard, enter
from impl.coordination.recipes.holding import Holding, hold
from impl.coordination.recipes.insist import ensure, ensure_path, insist, join
from impl.coordination.recipes.parts import RECIPES, Recipes
from impl.coordination.recipes.turns import before
from impl.coordination.server import serve
from impl.mutants.mutant import COORDINATION, Mutant


async def _by_host(client: Client, root: str, host: bytes) -> Holding:
    """Whoever finds the name of its own host in the leader's znode leads."""
    path = join(root, election_herd.NAME)
    try:
        found = await insist(client, lambda: client.get(path))
    except ServerError:
        return await RECIPES.herd(client, root, host)
    if found.data == host:
        return await hold(client, path, found.stat.czxid)
    return await RECIPES.herd(client, root, host)


async def _without_a_second_look(client: Client, root: str, host: bytes) -> Holding:
    """Whoever is told that the list has changed takes the leader for gone."""
    entry = await enter(client, root, election_sequence.LABEL, host)
    try:
        with Bell(client) as bell:
            if await _ahead(client, entry, bell):
                await bell.heard()
        client.discard_watch(root, bell.ring)
        return await hold(client, entry.path, entry.czxid)
    except BaseException:
        client.errand(discard(client, entry.path, entry.czxid))
        raise


async def _ahead(client: Client, entry: Entry, bell: Bell) -> Sequence[str]:
    listed = await insist(client, lambda: client.children(entry.root, watch=bell.ring))
    return before(listed.names, entry)


async def _join_for_good(
    client: Client, root: str, host: str, data: bytes, *, live_data: bytes = b""
) -> None:
    """What tells that a host lives is persistent: only the host itself takes it away."""
    for directory, content in ((membership.ALL, data), (membership.LIVE, live_data)):
        path = join(root, directory)
        await ensure_path(client, path)
        await ensure(client, join(path, host), content)


class WatchedOnce(Settings):
    """Reads again when it is told, and forgets to watch again."""

    async def next(self) -> Setting:
        if self._known is None:
            return await super().next()
        await self._bell.heard()
        self._known = await configuration.read(self._client, self._path)
        return self._known


MUTANTS = (
    Mutant(
        name="herd-by-host-name",
        kind=COORDINATION,
        program=serve,
        recipes=Recipes(herd=_by_host),
        failure="what HBase's ActiveMasterManager looks out for ('master was restarted? Deleting "
        "node'): the leader's znode has one's own address, and is from one's last life; it goes with "
        "that session, and another leads as well",
        workload="election-herd",
        caught_by="mutual-exclusion",
        seeds=5,
    ),
    Mutant(
        name="sequence-without-a-second-look",
        kind=COORDINATION,
        program=serve,
        recipes=Recipes(sequence=_without_a_second_look),
        failure="what step 5 of the lock on ZooKeeper's own page of recipes is there for, 'go to step "
        "2': a watch has fired, and it was not the leader that went",
        workload="election-sequence",
        caught_by="mutual-exclusion",
        seeds=1,
    ),
    Mutant(
        name="membership-lives-for-good",
        kind=COORDINATION,
        program=serve,
        recipes=Recipes(join=_join_for_good),
        failure="registries in which the dead stay until somebody takes them out, as with Netflix's "
        "Eureka in self-preservation mode: clients go on calling hosts that are long gone",
        workload="membership",
        caught_by="members",
        seeds=1,
        on_real_clusters=True,
    ),
    Mutant(
        name="configuration-watched-once",
        kind=COORDINATION,
        program=serve,
        recipes=Recipes(settings=WatchedOnce),
        failure="what ZooKeeper's Programmer's Guide warns of, 'watches are one time triggers': whoever "
        "does not set it again is told of one change and of none after it",
        workload="configuration",
        caught_by="settings",
        seeds=1,
        on_real_clusters=True,
    ),
)
