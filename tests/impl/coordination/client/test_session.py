"""States, time-outs and resumption, against a server that does what it is told."""

import asyncio
from itertools import pairwise

import pytest

from impl.coordination.client.client import Client
from impl.coordination.client.errors import DidNotHappen
from impl.coordination.client.session import NO_PASSWORD
from impl.coordination.client.states import State, Transition
from impl.coordination.protocol.opcodes import XID_AUTH, Op
from impl.coordination.protocol.records import CONNECT_REQUEST, ConnectRequest
from tests.impl.coordination.client.scripted import PASSWORD, SESSION, Peer, Play, play


def states_of(client: Client) -> list[State]:
    seen: list[State] = []
    client.listen(lambda transition: seen.append(transition.state))
    return seen


def test_a_session_is_resumed_with_its_id_its_password_and_the_last_zxid_seen() -> None:
    greetings: list[ConnectRequest] = []

    async def script(peer: Peer) -> None:
        greetings.append(await peer.handshake())
        asked = await peer.asked()
        peer.data(asked.xid, b"x", zxid=40 + peer.number)
        await asyncio.sleep(0.1)
        peer.close()

    async def main(play: Play) -> list[State]:
        async with play.client() as client:
            states = states_of(client)
            await client.get("/a")
            await client.reached(State.SUSPENDED)
            await client.get("/a")
            assert client.last_zxid == 42
        return states

    states = play(script, main, nodes=("n1", "n2"))
    assert greetings[0] == ConnectRequest(0, 0, 3000, 0, NO_PASSWORD)
    assert greetings[1] == ConnectRequest(0, 41, 3000, SESSION, PASSWORD)
    assert states[:3] == [State.CONNECTED, State.SUSPENDED, State.CONNECTED]
    assert states[-1] == State.CLOSED


def test_pings_come_at_a_third_of_the_session_timeout_that_was_granted() -> None:
    times: list[float] = []

    async def script(peer: Peer) -> None:
        await peer.handshake(timeout_ms=6000)
        while True:
            asked = await peer.asked(pings=True)
            assert asked.op == Op.PING
            times.append(asked.at_s)
            peer.reply(asked.xid)

    async def main(play: Play) -> None:
        client = play.client(session_timeout_s=60.0)
        client.start()
        await asyncio.sleep(13.0)
        assert client.session_timeout_s == 6.0
        assert client.state == State.CONNECTED
        await client.abandon()

    play(script, main)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) >= 5
    assert all(1.9 < gap < 2.1 for gap in gaps)


def test_a_server_that_is_silent_for_two_thirds_of_the_timeout_is_left() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        await (peer.silence() if peer.number == 1 else peer.serve())

    async def main(play: Play) -> tuple[float, Transition, State]:
        client = play.client()
        client.start()
        await client.connected()
        begin_s = asyncio.get_running_loop().time()
        left = await client.reached(State.SUSPENDED)
        after_s = asyncio.get_running_loop().time() - begin_s
        await client.connected()
        state = client.state
        await client.close()
        return after_s, left, state

    after_s, left, state = play(script, main, nodes=("n1", "n2"))
    assert 1.9 < after_s < 2.1
    assert "silent" in left.reason
    assert state == State.CONNECTED


def test_a_session_that_the_server_does_not_know_has_expired_for_good() -> None:
    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.handshake()
            peer.close()
        else:
            await peer.handshake(timeout_ms=0, session=0)

    async def main(play: Play) -> tuple[list[State], str]:
        client = play.client()
        states = states_of(client)
        client.start()
        reason = (await client.reached(State.EXPIRED)).reason
        with pytest.raises(DidNotHappen, match="expired"):
            await client.create("/a")
        with pytest.raises(DidNotHappen, match="expired"):
            await client.connected()
        await client.close()
        return states, reason

    states, reason = play(script, main)
    assert states == [State.CONNECTED, State.SUSPENDED, State.EXPIRED]
    assert "0x1234" in reason


def test_a_client_that_reaches_nobody_takes_its_session_for_lost_before_a_server_can_end_it() -> None:
    answered_s: list[float] = []

    async def script(peer: Peer) -> None:
        await peer.handshake()
        while True:
            asked = await peer.asked(pings=True)
            peer.reply(asked.xid)
            answered_s.append(asked.at_s)

    async def main(play: Play) -> float:
        client = play.client()
        client.start()
        await client.connected()
        await asyncio.sleep(4.5)
        await play.cluster.cut([("n1", "client"), ("client", "n1")])
        await client.reached(State.EXPIRED)
        return asyncio.get_running_loop().time()

    lost_s = play(script, main)
    assert answered_s[-1] + 2.9 < lost_s < answered_s[-1] + 3.0


def test_listeners_hear_at_once_that_the_connection_is_lost() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        await peer.silence()

    async def main(play: Play) -> float:
        client = play.client()
        client.start()
        await client.connected()
        before_s = asyncio.get_running_loop().time()
        await play.cluster.kill("n1")
        await client.reached(State.SUSPENDED)
        await client.abandon()
        return asyncio.get_running_loop().time() - before_s

    assert play(script, main) < 0.01


def test_closing_tells_the_server_and_abandoning_does_not() -> None:
    operations: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.handshake()
        while True:
            asked = await peer.asked()
            operations.append(asked.op)
            peer.reply(asked.xid)

    async def main(play: Play) -> None:
        for end in (Client.abandon, Client.close):
            client = play.client()
            client.start()
            await client.connected()
            await end(client)
            assert client.state == State.CLOSED

    play(script, main)
    assert operations == [Op.CLOSE_SESSION]


def test_closing_without_a_server_does_not_wait_for_one() -> None:
    async def script(peer: Peer) -> None:
        await peer.silence()

    async def main(play: Play) -> float:
        client = play.client()
        client.start()
        await asyncio.sleep(0.5)
        before_s = asyncio.get_running_loop().time()
        await client.close()
        return asyncio.get_running_loop().time() - before_s

    assert play(script, main) == 0.0


def test_refused_credentials_end_the_session() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        asked = await peer.asked()
        assert (asked.xid, asked.op, asked.record.scheme) == (XID_AUTH, Op.AUTH, "digest")
        peer.reply(asked.xid, error=-115)
        await peer.silence()

    async def main(play: Play) -> list[State]:
        client = play.client()
        states = states_of(client)
        client.start()
        with pytest.raises(DidNotHappen, match="credentials"):
            await client.authenticate("digest", b"joe:wrong")
        await client.reached(State.AUTH_FAILED)
        return states

    assert play(script, main) == [State.CONNECTED, State.AUTH_FAILED]


def test_credentials_are_shown_to_every_further_server() -> None:
    shown: list[tuple[int, bytes]] = []

    async def script(peer: Peer) -> None:
        await peer.handshake()
        while True:
            asked = await peer.asked()
            shown.append((peer.number, asked.record.auth))
            peer.reply(asked.xid)
            if peer.number == 1 and len(shown) == 2:
                peer.close()

    async def main(play: Play) -> None:
        client = play.client()
        client.start()
        await client.authenticate("digest", b"a")
        await client.authenticate("digest", b"b")
        await client.reached(State.SUSPENDED)
        await client.connected()
        await asyncio.sleep(0.1)
        await client.abandon()

    play(script, main)
    assert shown == [(1, b"a"), (1, b"b"), (2, b"a"), (2, b"b")]


def test_a_read_only_server_is_left_when_another_one_has_a_quorum() -> None:
    sessions: list[int] = []

    async def script(peer: Peer) -> None:
        if peer.node == "n2" and not writable:
            peer.close()
            return
        word = await peer.word()
        if word == b"isro":
            peer.raw(b"rw" if peer.node == "n2" else b"ro")
            peer.close()
            return
        sessions.append(CONNECT_REQUEST.decode(await peer.rest(word)).session)
        peer.welcome(read_only=peer.node == "n1")
        await peer.serve()

    async def main(play: Play) -> list[State]:
        client = play.client(read_only=True)
        states = states_of(client)
        client.start()
        await client.reached(State.CONNECTED_READ_ONLY)
        writable.append(True)
        await client.reached(State.CONNECTED)
        await asyncio.sleep(0.1)
        await client.abandon()
        return states

    writable: list[bool] = []
    states = play(script, main, nodes=("n1", "n2"))
    assert states[:3] == [State.CONNECTED_READ_ONLY, State.SUSPENDED, State.CONNECTED]
    assert sessions == [0, 0]


def test_tries_are_spread_over_all_servers_and_get_rarer() -> None:
    tries: list[tuple[str, float]] = []

    async def script(peer: Peer) -> None:
        tries.append((peer.node, asyncio.get_running_loop().time()))
        peer.close()

    async def main(play: Play) -> None:
        client = play.client(backoff_s=(0.1, 1.0))
        client.start()
        await asyncio.sleep(60.0)
        assert client.state == State.CONNECTING
        await client.abandon()

    play(script, main, nodes=("n1", "n2", "n3"))
    assert {node for node, _ in tries[:3]} == {"n1", "n2", "n3"}
    assert tries[2][1] - tries[0][1] < 0.1
    assert 60 < len(tries) < 180


def test_a_server_that_hangs_up_after_every_handshake_is_not_stormed() -> None:
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.handshake()
        peer.close()

    async def main(play: Play) -> None:
        client = play.client(backoff_s=(0.1, 1.0))
        client.start()
        await asyncio.sleep(60.0)
        await client.abandon()

    play(script, main)
    assert 30 < connections < 180


def test_a_holder_gives_a_new_server_its_time_to_answer_however_long_the_last_one_was_silent() -> None:
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.handshake()
        if peer.number == 1:
            await peer.silence()
        await asyncio.sleep(1.0)
        while True:
            peer.reply((await peer.asked()).xid, body=b"\0\0\0\1/")

    async def main(play: Play) -> State:
        client = play.client()
        client.start()
        await client.connected()
        client.hold()
        await asyncio.sleep(12.0)
        state = client.state
        await client.abandon()
        return state

    assert play(script, main) == State.CONNECTED
    assert connections == 2


def test_a_holder_asks_for_the_leaders_word_at_once_so_that_a_late_turn_is_not_lost_again() -> None:
    """It comes to hold when the word is nearly as old as it may be, and before the next ping is due."""

    async def script(peer: Peer) -> None:
        await peer.handshake()
        while True:
            peer.reply((await peer.asked()).xid, body=b"\0\0\0\1/")

    async def main(play: Play) -> bool:
        client = play.client()
        client.start()
        await client.connected()
        loop = asyncio.get_running_loop()
        await asyncio.sleep(client.certain_until_s - loop.time() - 0.2)
        stale_s = client.certain_until_s
        client.hold()
        await asyncio.sleep(0.1)
        fresh = client.certain_until_s > stale_s
        await client.abandon()
        return fresh

    assert play(script, main)


@pytest.mark.parametrize("options", [{"session_timeout_s": 0.0}, {"margin": 1.0}, {"chroot": "a"}])
def test_impossible_options_are_refused_at_once(options: dict[str, object]) -> None:
    async def script(peer: Peer) -> None:
        return

    async def main(play: Play) -> None:
        with pytest.raises(ValueError, match=r"margin|chroot"):
            play.client(**options)

    play(script, main)
