import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from impl.ids.client import BadRequest, DidNotHappen, IdClient, MayHaveHappened
from tests.impl.ids.nodes import running
from tests.support.ports import free_port

Endpoints = dict[str, tuple[str, int]]


@asynccontextmanager
async def client(endpoints: Endpoints, **options: float) -> AsyncIterator[IdClient]:
    made = IdClient(endpoints, **options)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def two_nodes(directory: Path) -> AsyncIterator[Endpoints]:
    ports = free_port(), free_port()
    async with (
        running(directory / "a", {"kind": "uuid4", "port": ports[0]}),
        running(directory / "b", {"kind": "uuid4", "port": ports[1]}),
    ):
        yield {"a": ("127.0.0.1", ports[0]), "b": ("127.0.0.1", ports[1])}


@asynccontextmanager
async def impostor(
    behaviour: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[Endpoints]:
    """A server that does something else than it should once it has the whole request."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await behaviour(reader, writer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield {"a": server.sockets[0].getsockname()}
    finally:
        server.close()


def test_requests_go_round_robin_from_the_start_that_was_asked_for(tmp_path: Path) -> None:
    async def ask() -> list[str]:
        async with two_nodes(tmp_path) as endpoints, client(endpoints, start=1) as ids:
            return [(await ids.next()).node for _ in range(4)]

    assert asyncio.run(ask()) == ["b", "a", "b", "a"]


def test_a_dead_node_is_passed_over(tmp_path: Path) -> None:
    async def ask() -> list[str]:
        async with two_nodes(tmp_path) as endpoints:
            endpoints = {"dead": ("127.0.0.1", free_port()), **endpoints}
            async with client(endpoints) as ids:
                return [(await ids.next(2)).node for _ in range(5)]

    assert asyncio.run(ask()) == ["a", "a", "b", "a", "a"]


def test_a_node_that_came_back_is_asked_again_after_the_cooldown(tmp_path: Path) -> None:
    async def ask() -> str:
        config = {"kind": "uuid4", "port": free_port()}
        async with client({"a": ("127.0.0.1", config["port"])}, cooldown_s=0) as ids:
            with pytest.raises(DidNotHappen):
                await ids.next()
            async with running(tmp_path, config):
                return (await ids.next()).node

    assert asyncio.run(ask()) == "a"


def test_when_no_node_can_be_reached_it_certainly_did_not_happen() -> None:
    async def ask() -> None:
        endpoints = {"a": ("127.0.0.1", free_port()), "b": ("127.0.0.1", free_port())}
        async with client(endpoints) as ids:
            with pytest.raises(DidNotHappen) as error:
                await ids.next()
            assert list(error.value.reasons) == ["a", "b"]

    asyncio.run(ask())


def test_a_node_that_refuses_did_not_do_it_and_the_next_is_asked(tmp_path: Path) -> None:
    async def ask() -> str:
        refusing = {"kind": "snowflake", "node_id": 1, "port": free_port()}
        async with running(tmp_path / "r", refusing) as host, two_nodes(tmp_path) as endpoints:
            endpoints = {"early": ("127.0.0.1", refusing["port"]), **endpoints}
            host.now_ms = 5.0
            async with client(endpoints) as ids:
                return (await ids.next()).node

    assert asyncio.run(ask()) == "a"


def test_a_node_that_said_how_long_it_will_refuse_is_not_asked_before(tmp_path: Path) -> None:
    async def ask() -> None:
        config = {"kind": "snowflake", "node_id": 1, "port": free_port()}
        async with (
            running(tmp_path, config) as host,
            client({"a": ("127.0.0.1", config["port"])}) as impatient,
            client({"a": ("127.0.0.1", config["port"])}, cooldown_s=0) as pushy,
        ):
            await impatient.next()
            host.now_ms -= 60_000
            with pytest.raises(DidNotHappen, match="clock-moved-back"):
                await impatient.next()
            host.now_ms += 61_000
            with pytest.raises(DidNotHappen, match="clock-moved-back"):
                await impatient.next()
            assert (await pushy.next()).node == "a"

    asyncio.run(ask())


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without a word."""


async def _nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


@pytest.mark.parametrize("behaviour", [_silence, _hang_up, _nonsense])
def test_when_the_answer_does_not_come_it_may_have_happened(behaviour) -> None:
    async def ask() -> None:
        async with impostor(behaviour) as endpoints, client(endpoints, timeout_s=0.5) as ids:
            with pytest.raises(MayHaveHappened) as error:
                await ids.next()
            assert error.value.node == "a"

    asyncio.run(ask())


def test_a_request_that_is_wrong_is_not_tried_elsewhere(tmp_path: Path) -> None:
    async def ask() -> None:
        async with two_nodes(tmp_path) as endpoints, client(endpoints) as ids:
            with pytest.raises(BadRequest, match="from 1 to 10000"):
                await ids.next(10_001)

    asyncio.run(ask())


def test_a_client_needs_an_endpoint() -> None:
    with pytest.raises(ValueError, match="at least one"):
        IdClient({})
