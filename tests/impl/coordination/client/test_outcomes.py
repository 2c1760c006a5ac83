"""What is known of a request that got no answer, or a bad one."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.coordination.client.client import Client
from impl.coordination.client.errors import DidNotHappen, MayHaveHappened, MultiFailed, ServerError
from impl.coordination.client.results import CreateMode
from impl.coordination.client.states import State
from impl.coordination.protocol.errors import Code
from impl.coordination.protocol.multi import Part, write_results
from impl.coordination.protocol.opcodes import Op
from tests.impl.coordination.client.scripted import Peer, Play, play

Write = Callable[[Client], Awaitable[object]]
WRITES: list[Write] = [
    lambda client: client.create("/a"),
    lambda client: client.create("/a", mode=CreateMode.CONTAINER),
    lambda client: client.create("/a", mode=CreateMode.PERSISTENT_WITH_TTL, ttl_ms=5),
    lambda client: client.delete("/a"),
    lambda client: client.set("/a", b""),
    lambda client: client.set_acl("/a", []),
    lambda client: client.transaction().delete("/a").commit(),
]


@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_was_sent_when_the_connection_broke_may_have_happened(write: Write) -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        await peer.asked()
        peer.close()

    async def main(play: Play) -> None:
        async with play.client() as client:
            with pytest.raises(MayHaveHappened):
                await write(client)

    play(script, main)


def test_a_write_that_was_never_sent_did_not_happen() -> None:
    async def script(peer: Peer) -> None:
        await peer.silence()

    async def main(play: Play) -> None:
        client = play.client(request_timeout_s=1.0)
        client.start()
        with pytest.raises(DidNotHappen, match="no answer within 1 s"):
            await client.create("/a")
        await client.close()

    play(script, main)


def test_a_write_that_was_sent_and_not_answered_in_time_may_have_happened() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        write = await peer.asked()
        asked = await peer.asked()
        peer.stat(write.xid)
        peer.data(asked.xid, b"x")
        await peer.serve()

    async def main(play: Play) -> bytes:
        client = play.client(request_timeout_s=0.5)
        client.start()
        with pytest.raises(MayHaveHappened):
            await client.set("/a", b"")
        data = await client.get("/a")
        assert client.state == State.CONNECTED
        await client.abandon()
        return data.data

    assert play(script, main) == b"x"


def test_reads_are_asked_again_in_their_old_order_and_writes_are_not() -> None:
    asked: list[tuple[int, int, str]] = []

    async def script(peer: Peer) -> None:
        await peer.handshake()
        for _ in range(4):
            request = await peer.asked()
            asked.append((peer.number, request.op, request.record.path))
            if peer.number == 2:
                peer.data(request.xid, request.record.path.encode())
        peer.close()

    async def main(play: Play) -> list[object]:
        client = play.client()
        client.start()
        await client.connected()
        outcomes = await asyncio.gather(
            client.get("/1"),
            client.set("/2", b""),
            client.get("/3"),
            client.get("/4"),
            return_exceptions=True,
        )
        await client.get("/5")
        await client.abandon()
        return outcomes

    outcomes = play(script, main)
    assert [each for each in asked if each[0] == 2][:3] == [
        (2, Op.GET_DATA, "/1"),
        (2, Op.GET_DATA, "/3"),
        (2, Op.GET_DATA, "/4"),
    ]
    assert [getattr(each, "data", None) for each in outcomes] == [b"/1", None, b"/3", b"/4"]
    assert isinstance(outcomes[1], MayHaveHappened)


def test_what_is_asked_for_without_a_connection_is_sent_with_the_next() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        if peer.number == 1:
            peer.close()
            return
        asked = await peer.asked()
        peer.created(asked.xid, asked.record.path)
        await peer.serve()

    async def main(play: Play) -> str:
        client = play.client()
        client.start()
        await client.reached(State.SUSPENDED)
        created = await client.create("/a")
        await client.abandon()
        return created.path

    assert play(script, main) == "/a"


def test_the_end_of_the_session_settles_everything() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        await peer.silence()

    async def main(play: Play) -> list[object]:
        client = play.client()
        client.start()
        await client.connected()
        sent = asyncio.gather(client.set("/a", b""), client.get("/a"), return_exceptions=True)
        await asyncio.sleep(0.1)
        await client.abandon()
        return await sent

    write, read = play(script, main)
    assert isinstance(write, MayHaveHappened)
    assert isinstance(read, DidNotHappen)


def test_an_error_of_the_server_is_definite_and_carries_its_zxid() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        asked = await peer.asked()
        peer.reply(asked.xid, zxid=77, error=Code.BAD_VERSION)
        await peer.serve()

    async def main(play: Play) -> ServerError:
        client = play.client()
        client.start()
        with pytest.raises(ServerError, match="set data /a: the server answers BAD_VERSION") as refused:
            await client.set("/a", b"", version=3)
        await client.abandon()
        return refused.value

    refused = play(script, main)
    assert (refused.code, refused.zxid) == (Code.BAD_VERSION, 77)


@pytest.mark.parametrize("error", [Code.SYSTEM_ERROR, Code.OPERATION_TIMEOUT, -9999])
def test_an_error_by_which_a_server_says_that_it_broke_leaves_a_write_open(error: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        while True:
            peer.reply((await peer.asked()).xid, error=error)

    async def main(play: Play) -> None:
        client = play.client()
        client.start()
        with pytest.raises(MayHaveHappened):
            await client.set("/a", b"")
        with pytest.raises((DidNotHappen, ServerError)):
            await client.get("/a")
        await client.abandon()

    play(script, main)


def test_a_multi_says_which_operation_failed_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        asked = await peer.asked()
        results = [
            Part(Op.ERROR, None, 0),
            Part(Op.ERROR, None, Code.NO_NODE),
            Part(Op.ERROR, None, Code.RUNTIME_INCONSISTENCY),
        ]
        peer.reply(asked.xid, body=write_results(results))
        await peer.serve()

    async def main(play: Play) -> MultiFailed:
        client = play.client()
        client.start()
        with pytest.raises(MultiFailed) as failed:
            await client.transaction().create("/a").delete("/b").set("/c", b"").commit()
        await client.abandon()
        return failed.value

    failed = play(script, main)
    assert (failed.index, failed.code) == (1, Code.NO_NODE)


def test_more_requests_than_the_limit_are_refused_and_do_not_happen() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        await peer.silence()

    async def main(play: Play) -> None:
        client = play.client(max_requests=2)
        client.start()
        waiting = [asyncio.ensure_future(client.get("/a")) for _ in range(2)]
        await asyncio.sleep(0.1)
        with pytest.raises(DidNotHappen, match="2 requests are under way"):
            await client.create("/a")
        await client.abandon()
        await asyncio.gather(*waiting, return_exceptions=True)

    play(script, main)


BAD = st.one_of(
    st.binary(min_size=1, max_size=60),
    st.binary(min_size=4, max_size=40).map(lambda body: len(body).to_bytes(4, "big") + body),
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(garbage=BAD, first=st.booleans())
def test_garbage_makes_the_client_go_to_another_server_and_nothing_else(
    garbage: bytes, first: bool
) -> None:
    async def script(peer: Peer) -> None:
        if peer.number > 1:
            await peer.handshake()
            asked = await peer.asked()
            peer.data(asked.xid, b"good")
            await peer.serve()
        if not first:
            await peer.handshake()
            await peer.asked()
        peer.raw(garbage)
        peer.raw(bytes(100))
        await peer.silence()

    async def main(play: Play) -> object:
        client = play.client(request_timeout_s=30.0)
        client.start()
        outcome = await _outcome(client)
        await client.abandon()
        return outcome

    outcome = play(script, main, nodes=("n1", "n2"))
    assert outcome in (b"good", "may have happened", "did not happen", "refused")


async def _outcome(client: Client) -> object:
    try:
        return (await client.get("/a")).data
    except MayHaveHappened:
        return "may have happened"
    except DidNotHappen:
        return "did not happen"
    except ServerError:
        return "refused"


@pytest.mark.parametrize("length", [-1, 0x7FFFFFFF, 0x100000])
def test_a_frame_of_a_forbidden_length_ends_the_connection(length: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        if peer.number == 1:
            peer.raw(length.to_bytes(4, "big", signed=True))
        await peer.serve()

    async def main(play: Play) -> str:
        client = play.client()
        client.start()
        reason = (await client.reached(State.SUSPENDED)).reason
        await client.connected()
        await client.abandon()
        return reason

    assert str(length) in play(script, main)


def test_an_answer_out_of_order_ends_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake()
        asked = await peer.asked()
        peer.data(asked.xid + (peer.number == 1), b"x")
        await peer.serve()

    async def main(play: Play) -> bytes:
        client = play.client()
        client.start()
        data = await client.get("/a")
        await client.abandon()
        return data.data

    assert play(script, main) == b"x"


def test_a_server_that_gives_another_session_than_was_asked_for_is_passed_over() -> None:
    async def script(peer: Peer) -> None:
        await peer.handshake(session=0x99 if peer.number == 2 else 0x1234)
        if peer.number == 1:
            peer.close()
        await peer.serve()

    async def main(play: Play) -> int:
        client = play.client()
        client.start()
        await client.reached(State.SUSPENDED)
        await client.connected()
        session = client.session_id
        await client.abandon()
        return session

    assert play(script, main, nodes=("n1", "n2")) == 0x1234
