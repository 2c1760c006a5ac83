"""The ID nodes of the reference implementation as a system under test."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cluster.api import Endpoint, System
from impl.host import Program
from impl.ids.config import EPOCH_MS, parse
from impl.ids.generators import GENERATORS
from impl.ids.server import serve

PORT = 8080
_READY_WITHIN_S = 1.0
_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"
COMMAND = ("python", "-m", "impl.ids", "{config}")


def ids_system(
    kind: str,
    *,
    nodes: tuple[str, ...],
    program: Program = serve,
    command: tuple[str, ...] = COMMAND,
    settings: Mapping[str, Any] | None = None,
) -> System:
    """Nodes that hand out IDs of ``kind``; the n-th of ``nodes`` has node id and offset n.

    ``settings`` are further keys of ``impl.ids.config``, the same for all nodes; ``configure`` raises
    ValueError for one that is wrong. The system's facts are ``nodes``, ``epoch_ms`` and, by node,
    ``node_ids``, ``offsets`` and ``steps``.
    """
    further = dict(settings or {})

    def configure(node: str, nodes: tuple[str, ...]) -> Mapping[str, Any]:
        number = nodes.index(node) + 1
        peers = {peer: [peer, PORT] for peer in nodes if peer != node}
        config = {"kind": kind, "name": node, "port": PORT, "peers": peers, **further}
        match kind:
            case "snowflake":
                config["node_id"] = number
            case "autoincrement":
                config |= {"offset": number, "step": len(nodes)}
        parse(config, tuple(GENERATORS))
        return config

    return System(
        name=f"ids-{kind}",
        program=program,
        command=command,
        configure=configure,
        ports={"http": PORT},
        port="http",
        ready=ready,
        describe=describe,
        facts={
            "nodes": nodes,
            "epoch_ms": further.get("epoch_ms", EPOCH_MS),
            "node_ids": {node: number for number, node in enumerate(nodes, 1)},
            "offsets": {node: number for number, node in enumerate(nodes, 1)},
            "steps": {node: len(nodes) for node in nodes},
        },
    )


def describe(port: str, to_server: bool, data: bytes) -> str:
    """The first line of the request or response."""
    return data.partition(b"\r\n")[0].decode("ascii", "replace")


async def ready(endpoint: Endpoint) -> None:
    """Return when the node at ``endpoint`` says it is well. Raises OSError or TimeoutError if not.

    Asked often and of every node, so it does without a session: a plain request on a connection.
    """
    async with asyncio.timeout(_READY_WITHIN_S):
        reader, writer = await asyncio.open_connection(*endpoint)
        try:
            writer.write(_HEALTH)
            status = await reader.readline()
        finally:
            writer.close()
    if b" 200 " not in status:
        raise OSError(f"/healthz of {endpoint.host}:{endpoint.port} answers {status!r}")
