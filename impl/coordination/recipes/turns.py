"""Waiting in a queue of entries until it is one's turn, and holding what one waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from impl.coordination.client.client import Client
from impl.coordination.client.errors import ServerError
from impl.coordination.protocol.errors import Code
from impl.coordination.recipes.bell import Bell
from impl.coordination.recipes.entries import Entry, discard, enter, in_order
from impl.coordination.recipes.holding import Holding, hold
from impl.coordination.recipes.insist import insist, join

Blocker: TypeAlias = Callable[[Sequence[str]], str | None]
"""Which of the entries before one's own has to go first; None when it is one's turn."""


class Removed(Exception):
    """Somebody deleted the entry while it was waiting."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} was deleted while it was queueing; queue again")


async def queue(client: Client, root: str, label: str, data: bytes, blocker: Blocker) -> Holding:
    """Queue up and wait for the turn, watching one entry at a time: only its going wakes this client.

    Raises SessionLost, Removed, or ServerError. A place that is not returned is given up.
    """
    entry = await enter(client, root, label, data)
    try:
        with Bell(client) as bell:
            while (ahead := await blocking(client, entry, blocker)) is not None:
                await _gone(client, join(root, ahead), bell)
        return await hold(client, entry.path, entry.czxid)
    except BaseException:
        client.errand(discard(client, entry.path, entry.czxid))
        raise


async def blocking(client: Client, entry: Entry, blocker: Blocker) -> str | None:
    """The entry that has to go first, as the server sees it now. Raises Removed."""
    names = (await insist(client, lambda: client.children(entry.root))).names
    return blocker(before(names, entry))


def before(names: Sequence[str], entry: Entry) -> list[str]:
    """The entries before ``entry``, in order. Raises Removed if it is not among ``names``."""
    ordered = in_order(names)
    if entry.name not in ordered:
        raise Removed(entry.path)
    return ordered[: ordered.index(entry.name)]


def last(ahead: Sequence[str]) -> str | None:
    """Wait for the entry just before one's own."""
    return ahead[-1] if ahead else None


async def _gone(client: Client, path: str, bell: Bell) -> None:
    # Read rather than ask whether it exists: a read of a missing znode leaves no watch behind.
    try:
        await insist(client, lambda: client.get(path, watch=bell.ring))
        await bell.heard()
    except ServerError as error:
        if error.code != Code.NO_NODE:
            raise
    finally:
        client.discard_watch(path, bell.ring)
