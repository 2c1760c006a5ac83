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
from impl.coordination.protocol.errors import Code
from impl.coordination.recipes.bell import Bell
from impl.coordination.recipes.insist import ensure, ensure_path, insist
from impl.coordination.recipes.insist import join as path_of

ALL, LIVE = "all_nodes", "live_nodes"


class View(NamedTuple):
    """The group by host. ``zxid`` is the last change it may contain; it grows from view to view."""

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
    """The group as one client sees it, again whenever something changes; a context manager."""

    def __init__(self, client: Client, root: str) -> None:
        self._client = client
        self._root = root
        self._bell = Bell(client)
        self._fresh = True

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
        if self._fresh:
            await _directories(self._client, self._root)
        else:
            await self._bell.heard()
        members, zxid_of_members = await self._read(path_of(self._root, ALL))
        living, zxid = await self._read(path_of(self._root, LIVE))
        self._fresh = False
        return View(members, living, max(zxid, zxid_of_members))

    async def _read(self, path: str) -> tuple[dict[str, bytes], int]:
        """Data by host, watched; a host that goes meanwhile is left out, and the bell rings for it."""
        children: Children = await insist(
            self._client, lambda: self._client.children(path, watch=self._bell.ring)
        )
        names = sorted(children.names)
        found = await asyncio.gather(*(self._data(path_of(path, name)) for name in names))
        data = {name: each[0] for name, each in zip(names, found, strict=True) if each is not None}
        return data, max([children.zxid, *(each[1] for each in found if each is not None)])

    async def _data(self, path: str) -> tuple[bytes, int] | None:
        try:
            data = await insist(self._client, lambda: self._client.get(path, watch=self._bell.ring))
        except ServerError as error:
            if error.code != Code.NO_NODE:
                raise
            return None
        return data.data, data.zxid


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
