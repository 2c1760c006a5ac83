"""The recipes that a client works with. A known-bad variant is one of them replaced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from impl.coordination.client.client import Client
from impl.coordination.recipes import (
    election_chain,
    election_herd,
    election_sequence,
    lock,
    membership,
)
from impl.coordination.recipes.configuration import Settings
from impl.coordination.recipes.holding import Holding

Campaign: TypeAlias = Callable[[Client, str, bytes], Awaitable[Holding]]
"""Queue below a path with some data, until it is this client's turn."""


async def _acquire(client: Client, root: str, data: bytes) -> Holding:
    return await lock.acquire(client, root, data=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipes:
    """What can be replaced: each a function with the signature of the right one."""

    herd: Campaign = election_herd.campaign
    sequence: Campaign = election_sequence.campaign
    chain: Campaign = election_chain.campaign
    lock: Campaign = _acquire
    join: Callable[..., Awaitable[None]] = membership.join
    settings: Callable[[Client, str], Settings] = Settings


RECIPES = Recipes()
