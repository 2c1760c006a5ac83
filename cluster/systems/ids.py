"""The ID nodes of the reference implementation as a system under test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from cluster.api import Endpoint, System
from impl.host import Program
from impl.ids.config import EPOCH_MS, parse
from impl.ids.generators import GENERATORS
from impl.ids.server import serve

PORT = 8080
_READY_WITHIN_S = 1.0
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
        facts={
            "nodes": nodes,
            "epoch_ms": further.get("epoch_ms", EPOCH_MS),
            "node_ids": {node: number for number, node in enumerate(nodes, 1)},
            "offsets": {node: number for number, node in enumerate(nodes, 1)},
            "steps": {node: len(nodes) for node in nodes},
        },
    )


async def ready(endpoint: Endpoint) -> None:
    """Return when the node at ``endpoint`` says it is well. Raises OSError or TimeoutError if not."""
    timeout = aiohttp.ClientTimeout(total=_READY_WITHIN_S)
    url = f"http://{endpoint.host}:{endpoint.port}/healthz"
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            if response.status != 200:
                raise OSError(f"{url} answers with status {response.status}")
    except aiohttp.ClientError as error:
        raise OSError(f"{url}: {error}") from error
