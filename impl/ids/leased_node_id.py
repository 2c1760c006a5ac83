"""Snowflake with a leased node id: an ephemeral sequential znode, given up with its session.

The node id is the znode's number modulo 1024; a node whose id is still another's queues again. What has
to outlive the node lies in the tree too: below ``marks``, by node id, the timestamp up to which IDs may
have been handed out. It is raised in one transaction with a check that the node's znode is still there,
and read by the next to have that id. So an ID is never given twice, whatever clocks and pauses do. On
top of that a node stops as soon as it cannot be certain that its session lives, and leases anew.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from impl.coordination.client.client import Client
from impl.coordination.client.errors import ServerError
from impl.coordination.recipes.entries import Entry, discard, enter, in_order
from impl.coordination.recipes.holding import Holding, hold
from impl.coordination.recipes.insist import SessionLost, ensure_path, insist, join
from impl.host import Host
from impl.ids.config import Config
from impl.ids.errors import Refused
from impl.ids.snowflake import NODES, TIMESTAMP_END, Snowflake
from impl.ids.snowflake_node import SnowflakeNode

ENTRIES, MARKS = "/snowflake/nodes", "/snowflake/marks"
LABEL = "node"
_SUFFIX = 10
_PAUSE_S = 0.5


class Lease(NamedTuple):
    """A node id, as long as ``held`` is believed, and the generator that uses it."""

    node_id: int
    held: Holding
    node: SnowflakeNode


class LeasedSnowflake:
    """The generator of one node; refuses while it has no node id."""

    def __init__(self, host: Host, config: Config) -> None:
        self._host = host
        self._config = config
        self._lease: Lease | None = None
        self._keeper = asyncio.ensure_future(self._keep())

    @property
    def node_id(self) -> int | None:
        """The node id that is certain now."""
        lease = self._lease
        return lease.node_id if lease is not None and lease.held.believes() else None

    async def take(self, count: int) -> list[int]:
        """``count`` new IDs, greater than all before under this node id. Raises Refused."""
        lease = self._certain()
        ids = await lease.node.take(count)
        if self._certain() is not lease:
            raise self._refused()
        return ids

    def _certain(self) -> Lease:
        if self._lease is None or not self._lease.held.believes():
            raise self._refused()
        return self._lease

    def _refused(self) -> Refused:
        return Refused("no-node-id", f"{self._host.name} has no node id that is certain to be its own")

    async def _keep(self) -> None:
        """Lease, and lease again with a new session, for as long as the node runs."""
        while True:
            client = Client(
                self._config.coordination,
                session_timeout_s=self._config.session_timeout_ms / 1000,
                random=self._host.random,
            )
            async with client:
                try:
                    self._lease = await lease(client, self._host, self._config)
                    await self._lease.held.lost()
                except (SessionLost, ServerError):
                    pass
            self._lease = None
            await asyncio.sleep(self._host.random.uniform(0.0, _PAUSE_S))


async def open_leased_snowflake(host: Host, config: Config) -> LeasedSnowflake:
    """The generator of a node of kind ``snowflake-leased``; leases in the background."""
    return LeasedSnowflake(host, config)


async def lease(client: Client, host: Host, config: Config) -> Lease:
    """Take a node id that nobody has. Raises SessionLost or ServerError."""
    while True:
        entry = await enter(client, ENTRIES, LABEL, host.name.encode())
        if await _is_free(client, entry):
            break
        await discard(client, entry.path, entry.czxid)
    node_id = _node_id(entry.name)
    mark = await _Mark.read(client, entry, node_id)
    core = Snowflake(
        node_id,
        host.wall_clock_ns,
        epoch_ms=config.epoch_ms,
        floor_ms=mark.durable,
        ceiling_ms=min(mark.durable, TIMESTAMP_END),
    )
    node = SnowflakeNode(
        core, mark, reserve_ms=config.reserve_ms, max_clock_wait_ms=config.max_clock_wait_ms
    )
    return Lease(node_id, await hold(client, entry.path, entry.czxid), node)


class _Mark:
    """The timestamp in the tree up to which IDs of one node id may have been handed out."""

    def __init__(self, client: Client, entry: Entry, path: str, durable: int) -> None:
        self._client = client
        self._entry = entry
        self._path = path
        self._durable = durable
        self._raising = asyncio.Lock()

    @property
    def durable(self) -> int:
        """The mark as the tree has it."""
        return self._durable

    @classmethod
    async def read(cls, client: Client, entry: Entry, node_id: int) -> _Mark:
        """The mark as those who had this node id before have left it.

        The server has deleted their znodes by now, and made their last changes before that.
        """
        path = join(MARKS, f"{node_id:04}")
        await ensure_path(client, path)
        data = (await insist(client, lambda: client.get(path))).data
        return cls(client, entry, path, int(data or b"0"))

    async def raise_to(self, value: int) -> None:
        """Raise it if the node id is still ours. Raises Refused."""
        async with self._raising:
            if value <= self._durable:
                return
            data = str(value).encode()
            try:
                await insist(self._client, lambda: self._raise(data))
            except (ServerError, SessionLost) as error:
                raise Refused("no-node-id", f"the lease of the node id is over: {error}") from None
            self._durable = value

    async def _raise(self, data: bytes) -> None:
        await self._client.transaction().check(self._entry.path).set(self._path, data).commit()


async def _is_free(client: Client, entry: Entry) -> bool:
    names = in_order((await insist(client, lambda: client.children(ENTRIES))).names)
    same = [name for name in names if _node_id(name) == _node_id(entry.name)]
    return same == [entry.name]


def _node_id(name: str) -> int:
    return int(name[-_SUFFIX:]) % NODES
