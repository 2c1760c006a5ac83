"""The systems that are not ours, by the name that ``--system`` takes. One more is a file and a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cluster.api import System
from cluster.systems.mariadb import mariadb_system
from cluster.systems.zookeeper import zookeeper_system

FOREIGN: Mapping[str, Callable[[tuple[str, ...]], System]] = MappingProxyType(
    {
        "mariadb": lambda nodes: mariadb_system(nodes=nodes),
        "zookeeper": lambda nodes: zookeeper_system(nodes=nodes),
    }
)
