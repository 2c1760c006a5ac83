"""What the operations give. ``zxid`` is that of the reply: the last change its server had made."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from impl.coordination.protocol.records import Acl, ClientInfo, Stat


class CreateMode(IntEnum):
    """What kind of znode to create; the two with a TTL go once they are unused for that long."""

    PERSISTENT = 0
    EPHEMERAL = 1
    PERSISTENT_SEQUENTIAL = 2
    EPHEMERAL_SEQUENTIAL = 3
    CONTAINER = 4
    PERSISTENT_WITH_TTL = 5
    PERSISTENT_SEQUENTIAL_WITH_TTL = 6


class Done(NamedTuple):
    """It was done, or found to be so."""

    zxid: int


class Created(NamedTuple):
    """The new znode's path, with its suffix if it is sequential."""

    path: str
    stat: Stat
    zxid: int


class Made(NamedTuple):
    """What a creation within a transaction tells: the new znode's path."""

    path: str
    zxid: int


class Existing(NamedTuple):
    """``stat`` is None if there is no such znode."""

    stat: Stat | None
    zxid: int


class Data(NamedTuple):
    """A znode's data; null is read as ``b""``."""

    data: bytes
    stat: Stat
    zxid: int


class Changed(NamedTuple):
    """A znode's stat with its new version."""

    stat: Stat
    zxid: int


class Children(NamedTuple):
    """Names of the children, in no order, and the stat of their parent."""

    names: tuple[str, ...]
    stat: Stat
    zxid: int


class AclOf(NamedTuple):
    """A znode's access control list; ``stat.aversion`` is its version."""

    acl: tuple[Acl, ...]
    stat: Stat
    zxid: int


class Paths(NamedTuple):
    """Paths of znodes, in no order."""

    paths: tuple[str, ...]
    zxid: int


class Count(NamedTuple):
    """How many znodes there are below one."""

    number: int
    zxid: int


class Identities(NamedTuple):
    """As whom the server knows this connection."""

    clients: tuple[ClientInfo, ...]
    zxid: int
