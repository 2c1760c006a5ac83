"""Leader election 2: ephemeral sequential znodes below ``root``, the least leads, all watch them all.

Nothing is written when a leader fails, but every candidate is told and reads the list again.
"""

from __future__ import annotations

from impl.coordination.client.client import Client
from impl.coordination.client.errors import ServerError
from impl.coordination.protocol.errors import Code
from impl.coordination.recipes.bell import Bell
from impl.coordination.recipes.entries import discard, enter, in_order
from impl.coordination.recipes.holding import Holding, hold
from impl.coordination.recipes.insist import insist, join
from impl.coordination.recipes.turns import before

LABEL = "n"


async def campaign(client: Client, root: str, host: bytes) -> Holding:
    """Wait until this client leads; ``host`` is the data of its entry. Cancel to withdraw.

    Raises SessionLost, Removed, or ServerError.
    """
    entry = await enter(client, root, LABEL, host)
    try:
        with Bell(client) as bell:
            while before(await _candidates(client, root, bell), entry):
                await bell.heard()
        client.discard_watch(root, bell.ring)
        return await hold(client, entry.path, entry.czxid)
    except BaseException:
        client.errand(discard(client, entry.path, entry.czxid))
        raise


async def leader(client: Client, root: str) -> bytes | None:
    """The host of whoever leads as this client's server sees it, also in a chain; None if nobody."""
    try:
        for name in in_order((await client.children(root)).names):
            return (await client.get(join(root, name))).data
    except ServerError as error:
        if error.code != Code.NO_NODE:
            raise
    return None


async def _candidates(client: Client, root: str, bell: Bell) -> tuple[str, ...]:
    return (await insist(client, lambda: client.children(root, watch=bell.ring))).names
