"""Ephemeral sequential znodes: their creation, which survives a lost reply, their order, their removal.

A create whose reply is lost may have made a znode that its client does not know of, and that everybody
behind it would wait for. So each name carries a random mark, which is looked for after an outage (the
"protected" create of Curator). The look comes after a ``sync`` on the new connection: what the old one
carried is then either visible or refused for good, as the session has moved.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from impl.coordination.client.client import Client
from impl.coordination.client.errors import OUTAGES, ServerError
from impl.coordination.client.results import CreateMode
from impl.coordination.recipes.insist import SessionLost, ensure_path, insist, join

_MARK_BITS = 128
_SUFFIX = 10


class Entry(NamedTuple):
    """A place in the queue below ``root``; ``czxid`` orders entries as their suffixes do."""

    root: str
    name: str
    czxid: int

    @property
    def path(self) -> str:
        """The znode's path."""
        return join(self.root, self.name)


async def enter(client: Client, root: str, label: str, data: bytes) -> Entry:
    """Queue up below ``root``, which is made if it is missing. Raises SessionLost or ServerError.

    An entry that is not returned does not stay: also when cancelled.
    """
    mark = f"{client.random.getrandbits(_MARK_BITS):032x}"
    try:
        await ensure_path(client, root)
        return await insist(client, lambda: _find_or_create(client, root, mark, label, data))
    except BaseException:
        client.errand(_forget(client, root, mark))
        raise


def in_order(names: Iterable[str]) -> list[str]:
    """The names of entries from first to last; what is no entry is left out."""
    return sorted(
        (name for name in names if name[-_SUFFIX:].isdigit()), key=lambda name: name[-_SUFFIX:]
    )


def label_of(name: str) -> str:
    """The label that an entry was made with."""
    return name[:-_SUFFIX].rstrip("-").rpartition("-")[2]


async def discard(client: Client, path: str, czxid: int) -> None:
    """Delete the znode at ``path`` if it is still the one with this czxid, however long it takes.

    Ends as well when the session does, and the znode, being ephemeral, with it.
    """
    try:
        await client.delete(path)
    except ServerError:
        return
    except OUTAGES:
        await _quietly(client, path, czxid)


async def _quietly(client: Client, path: str, czxid: int) -> None:
    async def attempt() -> None:
        await client.sync(path)
        stat = (await client.exists(path)).stat
        if stat is not None and stat.czxid == czxid:
            await client.delete(path)

    try:
        await insist(client, attempt)
    except (ServerError, SessionLost):
        return


async def _find_or_create(client: Client, root: str, mark: str, label: str, data: bytes) -> Entry:
    prefix = join(root, f"_c_{mark}-{label}-")
    try:
        created = await client.create(prefix, data, mode=CreateMode.EPHEMERAL_SEQUENTIAL)
        return Entry(root, created.path.rpartition("/")[2], created.stat.czxid)
    except OUTAGES:
        found = await insist(client, lambda: _find(client, root, mark))
        if found is None:
            raise
        return found


async def _find(client: Client, root: str, mark: str) -> Entry | None:
    await client.sync(root)
    for name in (await client.children(root)).names:
        if mark in name:
            stat = (await client.exists(join(root, name))).stat
            return Entry(root, name, stat.czxid) if stat is not None else None
    return None


async def _forget(client: Client, root: str, mark: str) -> None:
    try:
        found = await insist(client, lambda: _find(client, root, mark))
    except (ServerError, SessionLost):
        return
    if found is not None:
        await discard(client, found.path, found.czxid)
