"""The coordination service of the reference implementation as a system under test."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cluster.api import Endpoint, System
from cluster.systems.coordination_messages import describe
from impl.coordination.config import parse
from impl.coordination.server import serve
from impl.host import Program

CLIENT_PORT, QUORUM_PORT, ELECTION_PORT = 2181, 2888, 3888
TICK_MS, INIT_LIMIT, SYNC_LIMIT = 200, 20, 5
MARKS = {
    "leader": r"(leading epoch|elected,|following server|looking for a leader)",
    "session": r"session 0x[0-9a-f]+ has expired",
}
COMMAND = ("python", "-m", "impl.coordination", "zoo.cfg")
_ANSWER_WITHIN_S = 1.0
_LEADING = ("leader", "standalone")


def coordination_system(
    *,
    nodes: tuple[str, ...],
    observers: tuple[str, ...] = (),
    program: Program = serve,
    command: tuple[str, ...] = COMMAND,
    settings: Mapping[str, Any] | None = None,
) -> System:
    """An ensemble of ``nodes``, the n-th of which is server n; ``observers`` among them don't vote.

    ``settings`` are further keys of a ``zoo.cfg``, the same for all; ``configure`` raises ValueError for
    one that is wrong. The system's facts are ``nodes``,
    ``servers`` (ids by node), ``tick_ms`` and ``sync_limit_s``; sessions last 2 to 20 ticks.
    """
    further = {
        "tickTime": TICK_MS,
        "initLimit": INIT_LIMIT,
        "syncLimit": SYNC_LIMIT,
        "maxClientCnxns": 0,
        **(settings or {}),
    }

    def configure(node: str, nodes: tuple[str, ...]) -> Mapping[str, Any]:
        servers = {
            f"server.{number}": _line(each, each in observers) for number, each in enumerate(nodes, 1)
        }
        config = {"myid": nodes.index(node) + 1, "clientPort": CLIENT_PORT, **servers, **further}
        parse(config)
        return config

    def files(node: str, nodes: tuple[str, ...]) -> Mapping[str, str]:
        config = {"dataDir": "data", **configure(node, nodes)}
        lines = (f"{key}={value}\n" for key, value in config.items() if key != "myid")
        return {"zoo.cfg": "".join(lines), "data/myid": f"{config['myid']}\n"}

    return System(
        name="coordination",
        program=program,
        command=command,
        configure=configure,
        ports={"client": CLIENT_PORT, "quorum": QUORUM_PORT, "election": ELECTION_PORT},
        port="client",
        ready=ready,
        primaries=primaries,
        facts={
            "nodes": nodes,
            "servers": {node: number for number, node in enumerate(nodes, 1)},
            "tick_ms": further["tickTime"],
            "sync_limit_s": further["tickTime"] * further["syncLimit"] / 1000,
        },
        files=files,
        describe=describe,
        marks=MARKS,
    )


def _line(node: str, observer: bool) -> str:
    return f"{node}:{QUORUM_PORT}:{ELECTION_PORT}:{'observer' if observer else 'participant'}"


async def ready(endpoint: Endpoint) -> None:
    """Return when the server at ``endpoint`` serves. Raises OSError or TimeoutError if it doesn't."""
    if "Mode: " not in (answer := await ask(endpoint, "srvr")):
        raise OSError(f"{endpoint.host}:{endpoint.port} does not serve: {answer.strip()}")


async def primaries(endpoints: Mapping[str, Endpoint]) -> list[str]:
    """The nodes that say that they lead; those that don't answer are passed over."""
    answers = await asyncio.gather(*(_mode(endpoint) for endpoint in endpoints.values()))
    return [node for node, mode in zip(endpoints, answers, strict=True) if mode in _LEADING]


async def _mode(endpoint: Endpoint) -> str:
    try:
        answer = await ask(endpoint, "srvr")
    except (OSError, TimeoutError):
        return ""
    lines = dict(line.split(": ", 1) for line in answer.splitlines() if ": " in line)
    return lines.get("Mode", "")


async def ask(endpoint: Endpoint, word: str) -> str:
    """What the server at ``endpoint`` answers to a four-letter word.

    Raises OSError, and TimeoutError if it takes longer than a second.
    """
    async with asyncio.timeout(_ANSWER_WITHIN_S):
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        try:
            writer.write(word.encode())
            return (await reader.read(-1)).decode()
        finally:
            writer.close()
