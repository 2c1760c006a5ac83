"""Who belongs to a group, and who of them is alive.

``root``/all_nodes/<host> is persistent and tells who belongs to it; ``root``/live_nodes/<host> is
ephemeral and goes with its host's session. Each has data of its own, and everybody watches both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple

from impl.coordination.client.client import Client
from impl.coordination.client.errors import ServerError
from impl.coordination.client.results import Children, CreateMode
from impl.coordination.client.watches import WatchEvent
from impl.coordination.protocol.errors import Code
from impl.coordination.recipes.bell import Bell
from impl.coordination.recipes.insist import ensure, ensure_path, insist
from impl.coordination.recipes.insist import join as path_of

ALL, LIVE = "all_nodes", "live_nodes"


class View(NamedTuple):
    """The group by host. ``zxid`` is the last change that it may contain; it must never go back."""

    all: Mapping[str, bytes]
    live: Mapping[str, bytes]
    zxid: int


async def join(client: Client, root: str, host: str, data: bytes, *, live_data: bytes = b"") -> None:
    """Belong to the group and live while the session does; ``data`` is kept when it ends.

    What an earlier session of this host left is taken over. Raises SessionLost or ServerError.
    """
    await _directories(client, root)
    member = path_of(path_of(root, ALL), host)
    await ensure(client, member, data)
    await insist(client, lambda: client.set(member, data))
    alive = path_of(path_of(root, LIVE), host)
    while not await insist(client, lambda: _take_over(client, alive, live_data)):
        pass


async def leave(client: Client, root: str, host: str) -> None:
    """Live no longer, but belong to the group still. Raises SessionLost or ServerError."""
    await _delete(client, path_of(path_of(root, LIVE), host))


async def forget(client: Client, root: str, host: str) -> None:
    """Let ``host`` belong to the group no longer. Raises SessionLost or ServerError."""
    await _delete(client, path_of(path_of(root, ALL), host))


class Views:
    """The group as one client sees it, again whenever something changes; a context manager.

    Only what a watch was called for is read again: what it was not called for is as it was, up to the
    last change that the client may have seen.
    """

    def __init__(self, client: Client, root: str) -> None:
        self._client = client
        self._root = root
        self._bell = Bell(client)
        self._groups: dict[str, dict[str, bytes]] = {
            path_of(root, ALL): {},
            path_of(root, LIVE): {},
        }
        self._stale: dict[str, None] = {}
        self._begun = False
        self._zxid = 0

    def __enter__(self) -> Views:
        self._bell.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bell.__exit__(kind, error, trace)

    async def next(self) -> View:
        """The group now, the first time; afterwards once something has changed. Raises SessionLost."""
        if not self._begun:
            await _directories(self._client, self._root)
            self._stale.update(dict.fromkeys(self._groups))
            self._begun = True
        while not self._stale:
            await self._bell.heard()
        zxids: list[int] = []
        while self._stale:
            path = next(iter(self._stale))
            del self._stale[path]
            zxids += await self._refresh(path)
        self._zxid = max(zxids, default=self._zxid)
        members, living = self._groups.values()
        return View(dict(members), dict(living), self._zxid)

    async def _refresh(self, path: str) -> list[int]:
        """Read again what a watch told of; the zxids of the answers."""
        directory, _, host = path.rpartition("/")
        if path in self._groups:
            return await self._list(path)
        return [await self._read(directory, host)] if host in self._groups[directory] else []

    async def _list(self, directory: str) -> list[int]:
        """Who came and who went; whoever was there before is watched."""
        children: Children = await insist(
            self._client, lambda: self._client.children(directory, watch=self._ring)
        )
        known = self._groups[directory]
        for host in known.keys() - set(children.names):
            del known[host]
        new = sorted(set(children.names) - known.keys())
        read = await asyncio.gather(*(self._read(directory, host) for host in new))
        return [children.zxid, *read]

    async def _read(self, directory: str, host: str) -> int:
        """A host's data, watched; one that goes meanwhile is left out, and its directory tells of it."""
        path = path_of(directory, host)
        try:
            data = await insist(self._client, lambda: self._client.get(path, watch=self._ring))
        except ServerError as error:
            if error.code != Code.NO_NODE:
                raise
            self._groups[directory].pop(host, None)
            return error.zxid
        self._groups[directory][host] = data.data
        return data.zxid

    def _ring(self, event: WatchEvent) -> None:
        self._stale[event.path] = None
        self._bell.ring(event)


async def _directories(client: Client, root: str) -> None:
    await ensure_path(client, path_of(root, ALL))
    await ensure_path(client, path_of(root, LIVE))


async def _take_over(client: Client, path: str, data: bytes) -> bool:
    """Whether the ephemeral at ``path`` is this session's now; False if somebody was faster."""
    await client.sync(path)
    stat = (await client.exists(path)).stat
    if stat is not None and stat.ephemeral_owner == client.session_id:
        await client.set(path, data)
        return True
    transaction = client.transaction()
    if stat is not None:
        transaction.delete(path, version=stat.version)
    transaction.create(path, data, mode=CreateMode.EPHEMERAL)
    try:
        await transaction.commit()
    except ServerError as error:
        if error.code not in (Code.NO_NODE, Code.NODE_EXISTS, Code.BAD_VERSION):
            raise
        return False
    return True


async def _delete(client: Client, path: str) -> None:
    try:
        await insist(client, lambda: client.delete(path))
    except ServerError as error:
        if error.code != Code.NO_NODE:
            raise
