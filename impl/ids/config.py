"""The configuration of an ID node: what may stand in it, and what is assumed when it does not.

``kind`` (required) is the generator: ``uuid4``, ``uuid7``, ``autoincrement``, ``snowflake`` or
``snowflake-leased``. ``port`` is where it listens, ``peers`` maps other nodes' names to
``[host, port]``. Snowflake needs ``node_id`` (0-1023), leased Snowflake ``coordination``, the list of
``[host, port]`` of the servers that lease node ids, auto-increment ``offset`` and ``step``; the rest
has defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from impl.ids.errors import ConfigError

EPOCH_MS = 1_288_834_974_657
"""Twitter's Snowflake epoch, 2010-11-04T01:42:54.657Z; 41 bits last until July 2080."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked configuration; see the module's docstring.

    ``reserve`` is how many auto-increment IDs one fsync reserves, ``reserve_ms`` how far ahead of the
    clock a timestamp is reserved; after a crash that much is skipped or waited for.
    ``max_clock_wait_ms`` is the largest step back that a Snowflake node waits out within a request;
    a larger one is refused. ``max_count`` bounds the IDs in one request. ``session_timeout_ms`` is how
    long a leased node id stays taken when its node is gone.
    """

    kind: str
    port: int = 8080
    node_id: int = -1
    offset: int = -1
    step: int = -1
    epoch_ms: int = EPOCH_MS
    reserve: int = 100
    reserve_ms: int = 2000
    max_clock_wait_ms: int = 10
    max_count: int = 10_000
    peer_interval_ms: int = 2000
    peer_timeout_ms: int = 500
    session_timeout_ms: int = 6000
    coordination: tuple[tuple[str, int], ...] = ()
    peers: Mapping[str, tuple[str, int]] = field(default_factory=dict)


_RANGES = MappingProxyType(
    {
        "port": (0, 65535),
        "node_id": (0, 1023),
        "offset": (1, 2**31),
        "step": (1, 2**31),
        "epoch_ms": (0, 2**45),
        "reserve": (1, 10**6),
        "reserve_ms": (1, 10**6),
        "max_clock_wait_ms": (0, 60_000),
        "max_count": (1, 10**6),
        "peer_interval_ms": (10, 10**7),
        "peer_timeout_ms": (1, 60_000),
        "session_timeout_ms": (100, 600_000),
    }
)
_REQUIRED = MappingProxyType(
    {
        "snowflake": ("node_id",),
        "snowflake-leased": ("coordination",),
        "autoincrement": ("offset", "step"),
    }
)
_FOR_THE_MACHINE = ("name", "directory")


def parse(raw: Mapping[str, Any], kinds: tuple[str, ...]) -> Config:
    """Check ``raw`` against what a node of one of ``kinds`` understands.

    Raises ConfigError with the key at fault and what it should be.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"configuration is a {type(raw).__name__}; it must be an object with 'kind'")
    known = ("kind", "peers", "coordination", *_RANGES)
    for key in raw:
        if key not in known and key not in _FOR_THE_MACHINE:
            raise ConfigError(f"configuration has an unknown key {key!r}; {_nearest(str(key), known)}")
    numbers = {key: _number(key, raw[key]) for key in _RANGES if key in raw}
    config = Config(
        kind=_kind(raw.get("kind"), kinds),
        peers=_peers(raw.get("peers", {})),
        coordination=_servers(raw.get("coordination", [])),
        **numbers,
    )
    for key in _REQUIRED.get(config.kind, ()):
        if key not in raw:
            raise ConfigError(f"configuration lacks {key!r}, which kind {config.kind!r} needs")
    if config.kind == "autoincrement" and config.offset > config.step:
        raise ConfigError(
            f"'offset' is {config.offset} and 'step' {config.step}; the offset must be 1 to the step"
        )
    return config


def _kind(value: Any, kinds: tuple[str, ...]) -> str:
    if value not in kinds:
        raise ConfigError(f"'kind' is {value!r}; {_nearest(str(value), kinds)}")
    return str(value)


def _number(key: str, value: Any) -> int:
    low, high = _RANGES[key]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{key!r} is {value!r}; it must be a whole number from {low} to {high}")
    return value


def _peers(value: Any) -> dict[str, tuple[str, int]]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"'peers' is {value!r}; it must map names to [host, port]")
    return {str(name): _address(f"peer {str(name)!r}", address) for name, address in value.items()}


def _servers(value: Any) -> tuple[tuple[str, int], ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"'coordination' is {value!r}; it must be a list of [host, port]")
    return tuple(_address("a server of 'coordination'", address) for address in value)


def _address(what: str, value: Any) -> tuple[str, int]:
    match value:
        case [str(host), int(port)] if 0 < port < 65536:
            return host, port
    raise ConfigError(f"{what} is {value!r}; it must be [host, port]")


def _nearest(value: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(value, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
