import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from impl.ids.errors import ConfigError
from impl.ids.server import serve
from impl.ids.snowflake import decode
from tests.impl.hosts import StillHost
from tests.impl.ids.nodes import running
from tests.support.ports import free_port

CONFIGS: dict[str, dict[str, Any]] = {
    "uuid4": {"kind": "uuid4"},
    "uuid7": {"kind": "uuid7"},
    "autoincrement": {"kind": "autoincrement", "offset": 1, "step": 1},
    "snowflake": {"kind": "snowflake", "node_id": 9},
}


async def ask(
    port: int, path: str = "/v1/ids", method: str = "POST", body: Any = None
) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{port}{path}", data=body) as response,
    ):
        return response.status, orjson.loads(await response.read())


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_node_of_each_kind_hands_out_ids(tmp_path: Path, kind: str) -> None:
    async def several() -> list[Any]:
        config = {**CONFIGS[kind], "port": free_port()}
        async with running(tmp_path, config):
            answers = [await ask(config["port"]), await ask(config["port"], body=b'{"count": 6000}')]
        assert [status for status, _ in answers] == [200, 200]
        assert {answer["node"] for _, answer in answers} == {"127.0.0.1"}
        return [one for _, answer in answers for one in answer["ids"]]

    ids = asyncio.run(several())
    assert len(set(ids)) == 6001
    assert kind == "uuid4" or ids == sorted(ids)


@pytest.mark.parametrize(
    ("request_", "status", "error"),
    [
        ({"body": b'{"count": 0}'}, 400, "count"),
        ({"body": b'{"count": -1}'}, 400, "count"),
        ({"body": b'{"count": 10001}'}, 400, "count"),
        ({"body": b'{"count": 99999999999999999999}'}, 400, "count"),
        ({"body": b'{"count": 1.5}'}, 400, "count"),
        ({"body": b'{"count": true}'}, 400, "count"),
        ({"body": b'{"count": "3"}'}, 400, "count"),
        ({"body": b"{}"}, 400, "body"),
        ({"body": b"[3]"}, 400, "body"),
        ({"body": b"three"}, 400, "body"),
        ({"body": b"\xff\x00"}, 400, "body"),
        ({"body": b" " * 2000}, 413, "body"),
        ({"method": "GET"}, 405, "method"),
        ({"method": "DELETE"}, 405, "method"),
        ({"method": "POST", "path": "/healthz"}, 405, "method"),
        ({"path": "/v2/ids"}, 404, "path"),
    ],
)
def test_a_bad_request_is_told_so_and_the_node_lives_on(
    tmp_path: Path, request_: dict[str, Any], status: int, error: str
) -> None:
    async def bad_then_good() -> None:
        config = {"kind": "uuid4", "port": free_port()}
        async with running(tmp_path, config):
            answer = await ask(config["port"], **request_)
            assert (answer[0], answer[1]["error"]) == (status, error)
            assert answer[1]["message"]
            assert (await ask(config["port"]))[0] == 200

    asyncio.run(bad_then_good())


def test_bytes_that_are_no_http_are_told_so_and_the_node_lives_on(tmp_path: Path) -> None:
    async def garbage() -> None:
        config = {"kind": "uuid4", "port": free_port()}
        async with running(tmp_path, config):
            reader, writer = await asyncio.open_connection("127.0.0.1", config["port"])
            writer.write(b"\x00\x01 no HTTP at all\r\n\r\n")
            assert b" 400 " in await reader.readline()
            writer.close()
            assert (await ask(config["port"]))[0] == 200

    asyncio.run(garbage())


def test_a_node_whose_clock_went_back_answers_503_with_the_reason(tmp_path: Path) -> None:
    async def step_back() -> None:
        config = {**CONFIGS["snowflake"], "port": free_port()}
        async with running(tmp_path, config) as host:
            [one] = (await ask(config["port"]))[1]["ids"]
            host.now_ms -= 5000
            status, problem = await ask(config["port"])
            assert (status, problem["error"]) == (503, "clock-moved-back")
            host.now_ms += 6000
            [after] = (await ask(config["port"]))[1]["ids"]
            assert one < after
            assert decode(after).node_id == 9

    asyncio.run(step_back())


def test_a_wrong_configuration_ends_the_node_with_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'snowflake'"):
        asyncio.run(serve(StillHost(tmp_path), {"kind": "snowflakes", "node_id": 1}))


def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    async def twice() -> None:
        config = {"kind": "uuid4", "port": free_port()}
        async with running(tmp_path, config):
            with pytest.raises(OSError, match="address"):
                await serve(StillHost(tmp_path), config)

    asyncio.run(twice())
