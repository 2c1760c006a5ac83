"""The configuration: ``zoo.cfg``, read as ZooKeeper reads it, or the same keys in a mapping.

``clientPort`` is required; ``server.N=host:port:electionPort[:observer]`` for each server of an
ensemble, of which ``myid`` is one. Keys that ZooKeeper has and that mean nothing here are let pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


class ConfigError(ValueError):
    """The configuration is wrong; the message names the key and what is wanted."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server of the ensemble: where its peers reach it, and whether it votes."""

    id: int
    host: str
    port: int
    election_port: int
    observer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked configuration. ``servers`` always has ``me``; limits are in ticks.

    ``snap_count`` transactions lie between two snapshots; ``max_counter`` ends an epoch before its
    counter runs over; a port of 0 is none; ``ssl`` are paths of PEM files: certificate, key, trusted.
    """

    me: int
    servers: Mapping[int, Server]
    client_port: int
    client_address: str = ""
    secure_port: int = 0
    ssl: Mapping[str, str] = field(default_factory=dict)
    tick_ms: int = 3000
    init_limit: int = 10
    sync_limit: int = 5
    min_session_ms: int = 0
    max_session_ms: int = 0
    max_connections: int = 60
    snap_count: int = 100_000
    snap_retain: int = 3
    max_frame_bytes: int = 0xFFFFF
    max_counter: int = 0xFFFFFFFF
    container_check_ms: int = 60_000
    read_only: bool = False
    super_digest: str = ""

    @property
    def tick_s(self) -> float:
        return self.tick_ms / 1000

    @property
    def voters(self) -> tuple[int, ...]:
        """The ids of the servers that vote, ascending."""
        return tuple(sorted(id for id, server in self.servers.items() if not server.observer))

    @property
    def observer(self) -> bool:
        """Whether this server only observes."""
        return self.servers[self.me].observer

    def session_ms(self, wanted_ms: int) -> int:
        """The session timeout for a client that wants ``wanted_ms``: 2 to 20 ticks."""
        low = self.min_session_ms or 2 * self.tick_ms
        high = self.max_session_ms or 20 * self.tick_ms
        return max(low, min(wanted_ms, high))


_NUMBERS: Mapping[str, tuple[str, int, int]] = MappingProxyType(
    {
        "clientPort": ("client_port", 0, 65535),
        "secureClientPort": ("secure_port", 1, 65535),
        "tickTime": ("tick_ms", 1, 10**7),
        "initLimit": ("init_limit", 1, 10**6),
        "syncLimit": ("sync_limit", 1, 10**6),
        "minSessionTimeout": ("min_session_ms", -1, 10**9),
        "maxSessionTimeout": ("max_session_ms", -1, 10**9),
        "maxClientCnxns": ("max_connections", 0, 10**6),
        "snapCount": ("snap_count", 1, 10**9),
        "autopurge.snapRetainCount": ("snap_retain", 3, 10**6),
        "jute.maxbuffer": ("max_frame_bytes", 64, 10**9),
        "maxCounter": ("max_counter", 1, 0xFFFFFFFF),
        "znode.container.checkIntervalMs": ("container_check_ms", 1, 10**9),
    }
)
_SSL: Mapping[str, str] = MappingProxyType(
    {
        "ssl.keyStore.location": "certificate",
        "ssl.keyFile": "key",
        "ssl.trustStore.location": "trusted",
    }
)
_SUPER_DIGEST = "DigestAuthenticationProvider.superDigest"


def read(text: str) -> dict[str, str]:
    """The keys and values of a ``zoo.cfg``. Raises ConfigError with the line that is neither."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith(("#", "!")):
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise ConfigError(f"line {number} of the configuration is {line!r}; it must be key=value")
        values[key.strip()] = value.strip()
    return values


def parse(raw: Mapping[str, Any]) -> Config:
    """Check ``raw``. Raises ConfigError with the key at fault."""
    values = {key.removeprefix("zookeeper."): value for key, value in raw.items()}
    numbers = {
        name: _number(key, values[key], low, high)
        for key, (name, low, high) in _NUMBERS.items()
        if key in values
    }
    if "client_port" not in numbers and "secure_port" not in numbers:
        raise ConfigError("the configuration lacks 'clientPort'; set it to the port for clients")
    numbers.setdefault("client_port", 0)
    me, servers = _ensemble(values)
    return Config(
        me=me,
        servers=servers,
        client_address=str(values.get("clientPortAddress", "")),
        ssl={name: str(values[key]) for key, name in _SSL.items() if key in values},
        read_only=str(values.get("readonlymode.enabled", "false")).lower() == "true",
        super_digest=str(values.get(_SUPER_DIGEST, "")),
        **{name: max(number, 0) for name, number in numbers.items()},
    )


def _ensemble(values: Mapping[str, Any]) -> tuple[int, dict[int, Server]]:
    servers = {
        server.id: server
        for server in (_server(key, str(value)) for key, value in values.items() if _is_server(key))
    }
    if not servers:
        return 1, {1: Server(1, "", 0, 0)}
    me = _number("myid", values.get("myid", ""), 1, 254)
    if me not in servers:
        raise ConfigError(f"'myid' is {me} and there is no 'server.{me}'; add it or correct myid")
    if all(server.observer for server in servers.values()):
        raise ConfigError("every server is an observer; at least one must vote")
    return me, servers


def _is_server(key: str) -> bool:
    return key.startswith("server.")


def _server(key: str, value: str) -> Server:
    id = _number(key, key.removeprefix("server."), 1, 254)
    fields = value.split(";")[0].split(":")
    wrong = ConfigError(f"{key!r} is {value!r}; it must be host:port:electionPort[:observer]")
    if not 3 <= len(fields) <= 4 or fields[3:] not in ([], ["participant"], ["observer"]):
        raise wrong
    port, election_port = (_number(key, port, 1, 65535) for port in fields[1:3])
    return Server(id, fields[0], port, election_port, fields[3:] == ["observer"])


def _number(key: str, value: Any, low: int, high: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = low - 1
    if not low <= number <= high:
        raise ConfigError(f"{key!r} is {value!r}; it must be a whole number from {low} to {high}")
    return number
