"""A broker's own znode, and where the controller is."""

from __future__ import annotations

import asyncio

import orjson

from impl.coordination.client.client import Client
from impl.coordination.client.errors import ServerError
from impl.coordination.client.results import CreateMode
from impl.coordination.protocol.errors import Code
from impl.coordination.recipes import election_herd
from impl.coordination.recipes.insist import ensure, insist
from impl.properties import ConfigError
from impl.queue.metadata import loading, znodes
from impl.queue.metadata.image import Broker


async def register(client: Client, me: Broker, cluster_id: str) -> int:
    """Make this broker's ephemeral znode; its czxid, the broker's epoch.

    What an earlier incarnation of this broker left, one with the same addresses, is taken over.
    Raises SessionLost, ServerError, and ConfigError if another broker has this id.
    """
    await loading.prepare(client)
    await ensure(client, znodes.CLUSTER_ID, (cluster_id or client.random.randbytes(11).hex()).encode())
    while True:
        epoch = await insist(client, lambda: _attempt(client, me))
        if epoch is not None:
            return epoch


async def _attempt(client: Client, me: Broker) -> int | None:
    """The epoch; None if somebody was faster than our look."""
    path = znodes.broker_path(me.id)
    await client.sync(path)
    stat = (await client.exists(path)).stat
    if stat is not None and stat.ephemeral_owner == client.session_id:
        return stat.czxid
    transaction = client.transaction()
    if stat is not None:
        await _check_mine(client, path, me)
        transaction.delete(path, version=stat.version)
    transaction.create(path, znodes.encode_broker(me), mode=CreateMode.EPHEMERAL)
    try:
        await transaction.commit()
    except ServerError as error:
        if error.code not in (Code.NO_NODE, Code.NODE_EXISTS, Code.BAD_VERSION):
            raise
    return None


async def _check_mine(client: Client, path: str, me: Broker) -> None:
    try:
        found = znodes.decode_broker(me.id, (await client.get(path)).data, 0)
    except ServerError as error:
        if error.code != Code.NO_NODE:
            raise
        return
    if dict(found.listeners) != dict(me.listeners):
        raise ConfigError(
            f"'broker.id' {me.id} is taken by the broker at {dict(found.listeners)}; give each its own"
        )


def office(me: Broker, internal: tuple[str, int]) -> bytes:
    """What the controller's znode says of it."""
    return orjson.dumps({"broker": me.id, "host": internal[0], "port": internal[1]})


async def controller(client: Client, changed: asyncio.Event) -> tuple[str, int] | None:
    """Where the controller is reached, None if there is none; ``changed`` is set when that changes."""
    path = f"{znodes.CONTROLLER}/{election_herd.NAME}"

    def ring(event: object) -> None:
        changed.set()

    if (await client.exists(path, watch=ring)).stat is None:
        return None
    try:
        raw = orjson.loads((await client.get(path)).data)
    except ServerError as error:
        if error.code != Code.NO_NODE:
            raise
        return None
    return str(raw["host"]), int(raw["port"])
