"""A lock for many readers or one writer, in the order in which they came, so that no writer starves.

A writer waits for the entry just before its own, a reader for the last writer before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from impl.coordination.client.client import Client
from impl.coordination.recipes.entries import label_of
from impl.coordination.recipes.holding import Holding
from impl.coordination.recipes.turns import last, queue

READ, WRITE = "read", "write"


async def acquire_read(client: Client, root: str, *, data: bytes = b"") -> Holding:
    """Wait until this client may read; others may as well. Raises as ``acquire_write``."""
    return await queue(client, root, READ, data, _last_writer)


async def acquire_write(client: Client, root: str, *, data: bytes = b"") -> Holding:
    """Wait until this client is alone. Cancel to give up.

    Raises SessionLost, Removed, or ServerError.
    """
    return await queue(client, root, WRITE, data, last)


def _last_writer(ahead: Sequence[str]) -> str | None:
    return last([name for name in ahead if label_of(name) == WRITE])
