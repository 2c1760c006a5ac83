"""The HTTP server of an ID node.

``POST /v1/ids`` with nothing, or ``{"count": n}``, answers ``{"ids": [...], "node": name}``;
``GET /healthz`` answers what the node is and which peers it sees. Every other answer is an error:
``{"error": code, "message": sentence, "retry_after_ms": n}`` with a 4xx status when the request is at
fault, and 503 when the node is: nothing was handed out then, and another node may do it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from impl.host import Host
from impl.ids import config as configuration
from impl.ids.config import Config
from impl.ids.errors import Refused
from impl.ids.generators import GENERATORS, Generator, OpenGenerator
from impl.ids.peers import Peers

_MAX_BODY_BYTES = 1024
_JSON = "application/json"


async def serve(
    host: Host, config: Mapping[str, Any], *, generators: Mapping[str, OpenGenerator] = GENERATORS
) -> None:
    """The node program: recover, listen on the host's name, serve until cancelled.

    Raises ConfigError before anything is opened, OSError when the disk or the port cannot be used.
    """
    checked = configuration.parse(config, tuple(generators))
    generator = await generators[checked.kind](host, checked)
    peers = Peers(host.name, checked)
    await listen(host, checked, Node(host.name, checked, generator, peers), peers)


async def listen(host: Host, config: Config, node: Node, peers: Peers) -> None:
    """Answer with ``node`` on ``config.port`` and watch ``peers``, until cancelled."""
    http = web.Server(node.handle, access_log=None)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(http, host=host.name, port=config.port)
    try:
        await peers.watch()
        await loop.create_future()  # Server.serve_forever would wait for idle connections to end
    finally:
        server.close()
        http.pre_shutdown()
        await http.shutdown(timeout=1.0)


class Node:
    """One node's answers."""

    __slots__ = ("_config", "_generator", "_name", "_peers")

    def __init__(self, name: str, config: Config, generator: Generator, peers: Peers) -> None:
        self._name = name
        self._config = config
        self._generator = generator
        self._peers = peers

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; whatever is wrong with it, the node lives on."""
        try:
            return _answer(200, await self._route(request))
        except Refused as refused:
            return _refusal(refused)
        except OSError as error:
            return _refusal(Refused("disk", f"{self._name} cannot write: {error}"))

    async def _route(self, request: web.BaseRequest) -> dict[str, Any]:
        match request.method, request.path:
            case "POST", "/v1/ids":
                return await self._ids(await self._count(request))
            case "GET", "/healthz":
                return self._health()
            case method, "/v1/ids" | "/healthz" as path:
                wanted = "POST" if path == "/v1/ids" else "GET"
                raise Refused("method", f"{path} takes {wanted}, not {method}", status=405)
            case _, path:
                raise Refused("path", f"there is no {path}; try POST /v1/ids", status=404)

    async def _ids(self, count: int) -> dict[str, Any]:
        self._peers.check()
        return {"ids": await self._generator.take(count), "node": self._name}

    async def _count(self, request: web.BaseRequest) -> int:
        body = await _body(request)
        if not body:
            return 1
        try:
            count = orjson.loads(body)["count"]
        except (orjson.JSONDecodeError, TypeError, KeyError):
            raise Refused("body", 'the body must be JSON like {"count": 3}', status=400) from None
        if type(count) is not int or not 1 <= count <= self._config.max_count:
            limit = self._config.max_count
            raise Refused("count", f"'count' must be a whole number from 1 to {limit}", status=400)
        return count

    def _health(self) -> dict[str, Any]:
        config = self._config
        health = {"node": self._name, "kind": config.kind, "peers": self._peers.state}
        return health | ({"node_id": config.node_id} if config.kind == "snowflake" else {})


async def _body(request: web.BaseRequest) -> bytes:
    if not request.body_exists:
        return b""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise Refused("body", f"the body is over {_MAX_BODY_BYTES} bytes", status=413)
    return bytes(body)


def _refusal(refused: Refused) -> web.Response:
    return _answer(
        refused.status,
        {
            "error": refused.code,
            "message": str(refused),
            "retry_after_ms": refused.retry_after_ms,
        },
    )


def _answer(status: int, content: Mapping[str, Any]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(content), content_type=_JSON)
