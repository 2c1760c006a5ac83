"""Asking until a server has answered, for what may be asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from impl.coordination.client.client import Client
from impl.coordination.client.errors import OUTAGES, ServerError
from impl.coordination.protocol.errors import Code

T = TypeVar("T")
_PAUSE_S = 0.1


class SessionLost(Exception):
    """The session is over, and with it whatever was held or waited for."""

    def __init__(self, client: Client) -> None:
        state, reason = client.transition
        super().__init__(f"the session is {state.value}: {reason}")


async def insist(client: Client, attempt: Callable[[], Awaitable[T]]) -> T:
    """The first answer to ``attempt``. Raises SessionLost, and ServerError when that is the answer."""
    while not client.state.final:
        try:
            return await attempt()
        except OUTAGES:
            await asyncio.sleep(client.random.uniform(0.0, _PAUSE_S))
    raise SessionLost(client)


async def ensure_path(client: Client, path: str) -> None:
    """Have a persistent znode at ``path``, and above it. Raises SessionLost or ServerError."""
    parts = path.strip("/").split("/")
    for depth in range(1, len(parts) + 1):
        await ensure(client, "/" + "/".join(parts[:depth]))


async def ensure(client: Client, path: str, data: bytes = b"") -> None:
    """Have a persistent znode at ``path``, with ``data`` if it is new.

    A server that has it is asked first: a read is its own, a create goes through the whole ensemble.
    """
    if path == "/" or (await insist(client, lambda: client.exists(path))).stat is not None:
        return
    try:
        await insist(client, lambda: client.create(path, data))
    except ServerError as error:
        if error.code != Code.NODE_EXISTS:
            raise


def join(root: str, name: str) -> str:
    """The path of ``root``'s child ``name``."""
    return f"/{name}" if root == "/" else f"{root}/{name}"
