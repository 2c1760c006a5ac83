"""The generators a node can run, by kind. A further kind is one file and one line here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Protocol, TypeAlias

from impl.host import Host
from impl.ids.autoincrement import open_autoincrement
from impl.ids.config import Config
from impl.ids.leased_node_id import open_leased_snowflake
from impl.ids.snowflake_node import open_snowflake
from impl.ids.uuid4 import open_uuid4
from impl.ids.uuid7 import open_uuid7


class Generator(Protocol):
    """What hands out a node's IDs."""

    async def take(self, count: int) -> list[int] | list[str]:
        """``count`` new IDs. Raises Refused, or OSError when the disk fails; none is used then."""


OpenGenerator: TypeAlias = Callable[[Host, Config], Awaitable[Generator]]
"""Recover a node's generator from its disk, or begin afresh."""

GENERATORS: Mapping[str, OpenGenerator] = MappingProxyType(
    {
        "uuid4": open_uuid4,
        "uuid7": open_uuid7,
        "autoincrement": open_autoincrement,
        "snowflake": open_snowflake,
        "snowflake-leased": open_leased_snowflake,
    }
)
