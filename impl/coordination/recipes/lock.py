"""A distributed lock: the chain of ``election_chain``, below the lock's own path.

``async with await acquire(client, "/lock") as held:`` and, before each deed, ``held.believes()``; pass
``held.token`` along to a resource that refuses tokens less than one it has seen.
"""

from __future__ import annotations

from impl.coordination.client.client import Client
from impl.coordination.recipes.holding import Holding
from impl.coordination.recipes.turns import last, queue

LABEL = "lock"


async def acquire(client: Client, root: str, *, data: bytes = b"") -> Holding:
    """Wait until this client has the lock at ``root``. Cancel to give up.

    Raises SessionLost, Removed, or ServerError.
    """
    return await queue(client, root, LABEL, data, last)
