"""The client against three of Debian's own ZooKeeper servers, on real sockets.

One ensemble serves all tests of this file; each works below a root of its own.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from impl.coordination.client.client import Client
from impl.coordination.client.errors import MayHaveHappened, MultiFailed, ServerError
from impl.coordination.client.results import CreateMode, Made
from impl.coordination.client.states import State
from impl.coordination.client.watches import WatchEvent
from impl.coordination.protocol.errors import Code
from impl.coordination.recipes import election_chain, election_herd, election_sequence, lock
from impl.coordination.recipes.holding import Holding
from impl.coordination.watches import Event
from tests.impl.coordination.debian_zookeeper import MISSING, DebianEnsemble, debian_ensemble

pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

SESSION_S = 2.0


def client_of(ensemble: DebianEnsemble, seed: int = 1, chroot: str = "") -> Client:
    return Client(
        ensemble.endpoints,
        session_timeout_s=SESSION_S,
        random=random.Random(seed),
        chroot=chroot,
        request_timeout_s=20.0,
    )


def test_the_real_servers_agree(tmp_path: Path) -> None:
    async def main() -> None:
        async with debian_ensemble(tmp_path) as ensemble:
            for check in CHECKS:
                root = "/" + check.__name__.removeprefix("_")
                async with client_of(ensemble) as client:
                    await client.create(root)
                async with client_of(ensemble, chroot=root) as client:
                    await check(ensemble, client)

    asyncio.run(main())


async def _every_mode_creates(ensemble: DebianEnsemble, client: Client) -> None:
    for number, mode in enumerate(CreateMode):
        ttl_ms = 1000 if mode.name.endswith("TTL") else 0
        created = await client.create("/a-", mode=mode, ttl_ms=ttl_ms)
        suffix = f"{number:010}" if "SEQUENTIAL" in mode.name else ""
        assert created.path == "/a-" + suffix
        assert created.stat.czxid == created.zxid
        if not suffix:
            await client.delete("/a-")
    own = sorted((await client.ephemerals()).paths)
    assert own == ["/a-0000000003"]


async def _versions_guard_changes(ensemble: DebianEnsemble, client: Client) -> None:
    await client.create("/a", b"0")
    changed = await client.set("/a", b"1", version=0)
    assert changed.stat.version == 1
    for refused in (client.set("/a", b"2", version=0), client.delete("/a", version=0)):
        with pytest.raises(ServerError) as error:
            await refused
        assert error.value.code == Code.BAD_VERSION
    data = await client.get("/a")
    assert (data.data, data.stat.mzxid) == (b"1", changed.zxid)
    assert (await client.exists("/b")).stat is None


async def _transactions_are_whole(ensemble: DebianEnsemble, client: Client) -> None:
    container = CreateMode.CONTAINER
    made = await client.transaction().create("/a").create("/c", mode=container).set("/a", b"x").commit()
    assert made[:2] == [Made("/a", made[0].zxid), Made("/c", made[0].zxid)]
    with pytest.raises(MultiFailed) as failed:
        await client.transaction().delete("/a").check("/a").create("/b").commit()
    assert (failed.value.index, failed.value.code) == (1, Code.NO_NODE)
    first, second = await client.get_many("/a", "/b")
    assert getattr(first, "data", None) == b"x"
    assert second == Code.NO_NODE
    assert [sorted(names) for names in await client.children_of_many("/") if names] == [["a", "c"]]
    assert (await client.count("/")).number == 2


async def _watches_survive_a_server(ensemble: DebianEnsemble, client: Client) -> None:
    told: list[WatchEvent] = []
    every: list[WatchEvent] = []
    await client.create("/a", b"old")
    await client.get("/a", watch=told.append)
    await client.exists("/b", watch=told.append)
    await client.add_watch("/", every.append, recursive=True)
    session = client.session_id
    number = await ensemble.serving(client.endpoint)
    ensemble.kill(number)
    await client.reached(State.SUSPENDED)
    await client.set("/a", b"new")
    await client.create("/b")
    assert client.session_id == session
    assert told == [WatchEvent(Event.DATA_CHANGED, "/a"), WatchEvent(Event.CREATED, "/b")]
    assert every == told
    await client.check_watches("/")
    await client.remove_watches("/")
    with pytest.raises(ServerError, match="NO_WATCHER"):
        await client.check_watches("/")
    ensemble.start(number)
    await ensemble.ready(number)


async def _identities_and_lists_of_access(ensemble: DebianEnsemble, client: Client) -> None:
    await client.authenticate("digest", b"joe:secret")
    users = [(each.scheme, each.user) for each in (await client.who_am_i()).clients]
    assert ("digest", "joe") in users
    await client.create("/a", b"x")
    acl = (await client.get_acl("/a")).acl
    changed = await client.set_acl("/a", [acl[0]._replace(permissions=31)], version=0)
    assert changed.stat.aversion == 1


async def _many_requests_are_answered_in_order(ensemble: DebianEnsemble, client: Client) -> None:
    await client.create("/a", b"")
    tasks: list[Awaitable[object]] = []
    for number in range(200):
        tasks += [client.set("/a", b"%d" % number), client.get("/a")]
    results = await asyncio.gather(*tasks)
    assert [getattr(each, "data", None) for each in results[1::2]] == [b"%d" % n for n in range(200)]
    zxids = [getattr(each, "zxid", 0) for each in results]
    assert zxids == sorted(zxids)


async def _a_silent_server_is_left_and_its_write_is_uncertain(
    ensemble: DebianEnsemble, client: Client
) -> None:
    await client.create("/a", b"")
    number = await ensemble.serving(client.endpoint)
    ensemble.signal(number, signal.SIGSTOP)
    try:
        with pytest.raises(MayHaveHappened):
            await client.set("/a", b"x")
        await client.connected()
        assert await ensemble.serving(client.endpoint) != number
    finally:
        ensemble.signal(number, signal.SIGCONT)


async def _elections_and_locks_pass_on(ensemble: DebianEnsemble, client: Client) -> None:
    recipes: list[Callable[[Client, str, bytes], Awaitable[Holding]]] = [
        election_herd.campaign,
        election_sequence.campaign,
        election_chain.campaign,
    ]
    for number, campaign in enumerate(recipes):
        other = client_of(ensemble, seed=number, chroot="/elections_and_locks_pass_on")
        other.start()
        first = await campaign(other, f"/election-{number}", b"first")
        second = asyncio.ensure_future(campaign(client, f"/election-{number}", b"second"))
        await asyncio.sleep(0.1)
        assert not second.done()
        await other.abandon()
        held = await second
        assert held.believes()
        assert not first.believes()
        assert held.token > first.token
    async with await lock.acquire(client, "/lock") as locked:
        assert locked.believes()


CHECKS = (
    _every_mode_creates,
    _versions_guard_changes,
    _transactions_are_whole,
    _watches_survive_a_server,
    _identities_and_lists_of_access,
    _many_requests_are_answered_in_order,
    _a_silent_server_is_left_and_its_write_is_uncertain,
    _elections_and_locks_pass_on,
)
