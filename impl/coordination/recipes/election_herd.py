"""Leader election 1: who creates the ephemeral ``root``/leader leads; all others watch ``root``.

When the leader goes, all are told and all try again: the herd.
"""

from __future__ import annotations

from impl.coordination.client.client import Client
from impl.coordination.client.errors import OUTAGES, ServerError
from impl.coordination.client.results import CreateMode
from impl.coordination.protocol.errors import Code
from impl.coordination.recipes.bell import Bell
from impl.coordination.recipes.entries import discard
from impl.coordination.recipes.holding import Holding, hold
from impl.coordination.recipes.insist import ensure_path, insist, join

NAME = "leader"


async def campaign(client: Client, root: str, host: bytes) -> Holding:
    """Wait until this client leads; ``host`` is the znode's data. Cancel to withdraw.

    One campaign of a client at a time. Raises SessionLost or ServerError.
    """
    path = join(root, NAME)
    await ensure_path(client, root)
    czxid: int | None = None
    try:
        with Bell(client) as bell:
            while (czxid := await _try(client, root, host, bell)) is None:
                await bell.heard()
        client.discard_watch(root, bell.ring)
        return await hold(client, path, czxid)
    except BaseException:
        client.errand(_withdraw(client, path))
        raise


async def leader(client: Client, root: str) -> bytes | None:
    """The host of whoever leads as this client's server sees it; None if nobody."""
    try:
        return (await client.get(join(root, NAME))).data
    except ServerError as error:
        if error.code != Code.NO_NODE:
            raise
        return None


async def _try(client: Client, root: str, host: bytes, bell: Bell) -> int | None:
    """The czxid of our own znode, or None if somebody else leads and ``bell`` will ring."""
    names = (await insist(client, lambda: client.children(root, watch=bell.ring))).names
    path = join(root, NAME)
    if NAME in names:
        return None
    while True:
        try:
            return (await client.create(path, host, mode=CreateMode.EPHEMERAL)).stat.czxid
        except OUTAGES:
            mine = await insist(client, lambda: _mine(client, path))
            if mine is not None:
                return mine
        except ServerError as error:
            if error.code != Code.NODE_EXISTS:
                raise
            return None


async def _mine(client: Client, path: str) -> int | None:
    await client.sync(path)
    stat = (await client.exists(path)).stat
    return stat.czxid if stat is not None and stat.ephemeral_owner == client.session_id else None


async def _withdraw(client: Client, path: str) -> None:
    czxid = await insist(client, lambda: _mine(client, path))
    if czxid is not None:
        await discard(client, path, czxid)
