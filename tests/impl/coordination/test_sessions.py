"""What a client can rely on: order, sessions, watches; three servers in the simulator."""

from __future__ import annotations

import asyncio

import pytest

from impl.coordination.protocol.errors import Code
from impl.coordination.protocol.opcodes import Op
from impl.coordination.protocol.records import (
    OPEN_ACL,
    AuthPacket,
    CreateRequest,
    CreateTtlRequest,
    PathType,
    PathVersion,
    PathWatch,
    SetDataRequest,
    SetWatchesRequest,
    WatcherEvent,
)
from impl.coordination.watches import Event
from tests.impl.coordination.rawclient import Failed
from tests.impl.coordination.simensemble import Ensemble, simulate

GONE = (OSError, asyncio.IncompleteReadError)


def test_pipelined_requests_are_answered_in_their_order_and_reads_see_the_writes_before_them() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        for node in ensemble.cluster.nodes:
            client = await ensemble.connect(node)
            path = f"/{node}"
            client.send(Op.CREATE, CreateRequest(path, b"0", OPEN_ACL, 0))
            for number in range(1, 20):
                client.send(Op.SET_DATA, SetDataRequest(path, b"%d" % number, -1))
                client.send(Op.GET_DATA, PathWatch(path, False))
                if number % 5 == 0:
                    client.send(Op.SYNC, b"\0\0\0\x01/")
            answers = [await client.receive() for _ in range(client.xid)]
            assert [xid for xid, *_ in answers] == list(range(1, client.xid + 1))
            zxids = [zxid for _, zxid, *_ in answers]
            assert zxids == sorted(zxids)
            read = [body for _, _, _, body in answers if len(body) > 72]
            assert [body[4 : 4 + body[3]] for body in read] == [b"%d" % n for n in range(1, 20)]

    simulate(scenario)


def test_a_watch_is_told_before_the_answer_that_shows_the_change() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        watcher, writer = await ensemble.connect("n1"), await ensemble.connect("n2")
        await writer.create("/a", b"old")
        await watcher.sync()
        await watcher.get("/a", watch=True)
        writer.send(Op.SET_DATA, SetDataRequest("/a", b"new", -1))
        while (await watcher.get("/a")).data != b"new":
            pass
        place = watcher.seen.index(WatcherEvent(Event.DATA_CHANGED, 3, "/a"))
        assert place == len(watcher.seen) - 2

    simulate(scenario)


def test_an_event_of_ones_own_write_comes_before_its_answer() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client = await ensemble.connect("n3")
        await client.create("/a")
        await client.get("/a", watch=True)
        await client.set("/a", b"x")
        assert client.seen[-2:] == [WatcherEvent(Event.DATA_CHANGED, 3, "/a"), client.xid]

    simulate(scenario)


def test_a_session_moves_with_its_ephemerals_and_the_old_server_closes() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        old = await ensemble.connect("n1")
        await old.create("/e", flags=1)
        new = await ensemble.resume("n2", old)
        assert new.session == old.session
        assert (await new.exists("/e")).ephemeral_owner == old.session
        await asyncio.sleep(0.1)
        with pytest.raises(GONE):
            await old.frame()

    simulate(scenario)


def test_a_write_through_the_server_a_session_left_is_refused() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        away, here = await ensemble.followers()
        old = await ensemble.connect(away)
        links = [(away, await ensemble.leader()), (await ensemble.leader(), away)]
        await ensemble.cluster.cut(links)
        old.send(Op.CREATE, CreateRequest("/late", b"", OPEN_ACL, 0))
        await asyncio.sleep(0.3)
        new = await ensemble.resume(here, old)
        await ensemble.cluster.heal(links)
        with pytest.raises(GONE):
            await old.frame()
        await ensemble.settle()
        await new.sync()
        with pytest.raises(Failed):
            await new.get("/late")

    simulate(scenario)


def test_a_session_that_is_not_heard_of_expires_and_one_that_pings_does_not() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        silent, pinging = await ensemble.connect("n1"), await ensemble.connect("n2")
        assert silent.timeout_ms == 4000
        await silent.create("/silent", flags=1)
        await pinging.create("/pinging", flags=1)
        await pinging.exists("/silent", watch=True)
        for _ in range(25):
            await asyncio.sleep(0.2)
            await pinging.call(Op.PING)
        await pinging.sync()
        names = await pinging.children("/")
        assert "pinging" in names
        assert "silent" not in names
        assert pinging.events == [(Event.DELETED, "/silent")]
        again = await ensemble.resume("n3", silent)
        assert again.session == 0

    simulate(scenario)


def test_a_write_that_a_follower_passes_on_is_a_sign_of_life_though_its_next_word_is_lost() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        home, other = await ensemble.followers()
        client, witness = await ensemble.connect(home), await ensemble.connect(other)
        await client.create("/e", flags=1)
        await asyncio.sleep(3.0)
        await client.set("/e", b"x")
        await ensemble.cluster.cut([(home, await ensemble.leader())])
        for _ in range(16):
            await asyncio.sleep(0.2)
            await witness.call(Op.PING)
        await witness.sync()
        assert "e" in await witness.children("/")
        await asyncio.sleep(1.2)
        await witness.sync()
        assert "e" not in await witness.children("/")

    simulate(scenario)


def test_a_session_outlives_its_leader() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        home = (await ensemble.followers())[0]
        client = await ensemble.connect(home)
        await client.create("/e", flags=1)
        await ensemble.cluster.kill(await ensemble.leader())

        async def back() -> bool:
            nonlocal client
            client = await ensemble.resume(home, client)
            return client.session != 0

        await ensemble.until(back)
        assert (await client.exists("/e")).ephemeral_owner == client.session

    simulate(scenario)


def test_no_more_connections_than_allowed_are_taken_from_one_address_until_one_of_them_ends() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        clients = [await ensemble.connect("n1") for _ in range(2)]
        with pytest.raises(GONE):
            await ensemble.connect("n1")
        clients.append(await ensemble.connect("n2"))
        for client in clients:
            await client.sync()
        clients[0].writer.close()

        async def admitted() -> bool:
            clients.append(await ensemble.connect("n1"))
            return True

        await ensemble.until(admitted)
        with pytest.raises(GONE):
            await ensemble.connect("n1")

    simulate(scenario, settings={"maxClientCnxns": 2})


def test_a_closed_session_is_gone_at_once() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client, other = await ensemble.connect("n1"), await ensemble.connect("n2")
        await client.create("/e", flags=1)
        await client.close_session()
        with pytest.raises(GONE):
            await client.frame()
        await other.sync()
        with pytest.raises(Failed):
            await other.exists("/e")
        assert (await ensemble.resume("n3", client)).session == 0

    simulate(scenario)


def test_a_session_needs_its_password() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client = await ensemble.connect("n1")
        thief = await ensemble.connect("n1", session=client.session, password=b"x" * 16)
        assert thief.session == 0
        await client.get("/")

    simulate(scenario)


def test_a_timeout_is_clamped_to_between_two_and_twenty_ticks() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        assert (await ensemble.connect("n1", timeout_ms=1)).timeout_ms == 400
        assert (await ensemble.connect("n1", timeout_ms=10**6)).timeout_ms == 4000

    simulate(scenario, servers=1)


def test_a_server_that_is_behind_the_client_drops_it() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        with pytest.raises(GONE):
            await ensemble.connect("n1", last_zxid=1 << 40)

    simulate(scenario)


def test_watches_set_again_after_a_reconnect_tell_what_was_missed() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client, writer = await ensemble.connect("n1"), await ensemble.connect("n2")
        await client.create("/a")
        await client.get("/a", watch=True)
        client.drop()
        await writer.sync()
        await writer.set("/a", b"x")
        again = await ensemble.resume("n3", client)
        await again.call(Op.SET_WATCHES, SetWatchesRequest(client.zxid, ("/a",), ("/b",), ()))
        await again.create("/b")
        assert again.events == [(Event.DATA_CHANGED, "/a"), (Event.CREATED, "/b")]

    simulate(scenario)


def test_after_a_sync_a_read_shows_what_was_acknowledged_elsewhere() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        writer = await ensemble.connect(await ensemble.leader())
        slow = (await ensemble.followers())[0]
        reader = await ensemble.connect(slow)
        await writer.create("/a", b"0")
        await ensemble.cluster.slow([(await ensemble.leader(), slow)], 0.1, 0.05)
        for number in range(1, 10):
            await writer.set("/a", b"%d" % number)
            await reader.sync()
            assert (await reader.get("/a")).data == b"%d" % number

    simulate(scenario)


def test_a_deposed_leader_does_not_answer_a_sync() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        deposed = await ensemble.leader()
        reader = await ensemble.connect(deposed)
        others = await ensemble.followers()
        links = [(a, b) for node in others for a, b in ((node, deposed), (deposed, node))]
        await ensemble.cluster.cut(links)
        with pytest.raises(GONE):
            await reader.sync()

    simulate(scenario)


@pytest.mark.parametrize("kind", ["container", "ttl"])
def test_empty_containers_and_znodes_whose_time_is_over_are_deleted(kind: str) -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client = await ensemble.connect("n1")
        if kind == "container":
            await client.call(Op.CREATE_CONTAINER, CreateRequest("/c", b"", OPEN_ACL, 4))
            await client.create("/c/x")
            await client.delete("/c/x")
        else:
            await client.call(Op.CREATE_TTL, CreateTtlRequest("/c", b"", OPEN_ACL, 5, 1500))
        await client.exists("/c", watch=True)
        for _ in range(14):
            await asyncio.sleep(0.25)
            await client.call(Op.PING)
        await client.sync()
        assert client.events == [(Event.DELETED, "/c")]

    simulate(scenario, settings={"znode.container.checkIntervalMs": 1500})


def test_errors_are_the_real_servers_and_the_session_goes_on() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client = await ensemble.connect("n1")
        await client.create("/a")
        for op, record, code in (
            (Op.GET_DATA, PathWatch("/no", True), Code.NO_NODE),
            (Op.DELETE, PathVersion("/a", 9), Code.BAD_VERSION),
            (Op.REMOVE_WATCHES, PathType("/a", 3), Code.NO_WATCHER),
            (Op.ADD_WATCH, PathType("/a", 7), Code.MARSHALLING_ERROR),
            (Op.GET_DATA, b"\xff", Code.MARSHALLING_ERROR),
            (Op.MULTI, b"\0\0", Code.MARSHALLING_ERROR),
        ):
            with pytest.raises(Failed) as failed:
                await client.call(op, record)
            assert failed.value.code == code
        await client.get("/a")

    simulate(scenario)


def test_an_unknown_operation_is_answered_and_the_connection_closed() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client = await ensemble.connect("n1")
        client.send(4711)
        assert (await client.receive())[2] == Code.UNIMPLEMENTED
        with pytest.raises(GONE):
            await client.frame()

    simulate(scenario, servers=1)


def test_a_wrong_scheme_fails_and_closes_and_a_right_one_is_known() -> None:
    async def scenario(ensemble: Ensemble) -> None:
        client = await ensemble.connect("n1")
        client.send(Op.AUTH, AuthPacket(0, "digest", b"ann:secret"))
        assert (await client.receive())[::2] == (-4, Code.OK)
        who = await client.call(Op.WHO_AM_I)
        assert [(each.scheme, each.user) for each in who.clients][1:] == [("digest", "ann")]
        client.send(Op.AUTH, AuthPacket(0, "kerberos", b"ann"))
        assert (await client.receive())[::2] == (-4, Code.AUTH_FAILED)
        with pytest.raises(GONE):
            await client.frame()

    simulate(scenario, servers=1)
