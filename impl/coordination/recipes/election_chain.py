"""Leader election 3: a chain. Each candidate watches the one just before it; a failure wakes one.

The entries below ``root`` are ephemeral and sequential; the least leads. Nothing is written when a
leader fails, and of all candidates one is told.
"""

from __future__ import annotations

from impl.coordination.client.client import Client
from impl.coordination.recipes.holding import Holding
from impl.coordination.recipes.turns import last, queue

LABEL = "n"


async def campaign(client: Client, root: str, host: bytes) -> Holding:
    """Wait until this client leads; ``host`` is the data of its entry. Cancel to withdraw.

    Raises SessionLost, Removed, or ServerError.
    """
    return await queue(client, root, LABEL, host, last)
