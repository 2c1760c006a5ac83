"""The configuration: ``zoo.cfg``, read as ZooKeeper reads it, or the same keys in a mapping.

``server.N=host:port:electionPort[:observer][;[address:]clientPort]`` stands for each server of an
ensemble, of which ``myid`` is one; ``clientPort`` is required unless it stands there. Keys that
ZooKeeper has and that mean nothing here are let pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from impl.properties import ConfigError, whole_number


@dataclass(frozen=True, slots=True)
class Server:
    """One server of the ensemble: where its peers reach it, whether it votes.

    ``client`` is the address and port for clients, if that is said in the same place.
    """

    id: int
    host: str
    port: int
    election_port: int
    observer: bool = False
    client: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked configuration. ``servers`` always has ``me``; limits are in ticks.

    ``snap_count`` transactions lie between two snapshots; ``max_counter`` ends an epoch before its
    counter runs over; a port of 0 is none; ``ssl`` are paths of PEM files: certificate, key, trusted;
    ``words`` are the four-letter words that are answered, None for all.
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
    enforce_quotas: bool = False
    super_digest: str = ""
    words: frozenset[str] | None = None

    @property
    def tick_s(self) -> float:
        return self.tick_ms / 1000

    @property
    def voters(self) -> tuple[int, ...]:
        """The ids of the servers that vote, ascending."""
        return tuple(sorted(id for id, server in self.servers.items() if not server.observer))

    @property
    def members(self) -> str:
        """The ensemble as clients read it from ``/zookeeper/config``; empty if there is none."""
        lines = [_member(server) for _, server in sorted(self.servers.items()) if server.host]
        return "\n".join([*lines, "version=0"]) if lines else ""

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


def parse(raw: Mapping[str, Any]) -> Config:
    """Check ``raw``. Raises ConfigError with the key at fault."""
    values = {key.removeprefix("zookeeper."): value for key, value in raw.items()}
    numbers = {
        name: whole_number(key, values[key], low, high)
        for key, (name, low, high) in _NUMBERS.items()
        if key in values
    }
    me, servers = _ensemble(values)
    address, _, port = servers[me].client.rpartition(":")
    if port:
        numbers.setdefault("client_port", int(port))
    if "client_port" not in numbers and "secure_port" not in numbers:
        raise ConfigError("the configuration lacks 'clientPort'; set it to the port for clients")
    numbers.setdefault("client_port", 0)
    return Config(
        me=me,
        servers=servers,
        client_address=str(values.get("clientPortAddress", address)),
        words=_words(str(values.get("4lw.commands.whitelist", "*"))),
        ssl={name: str(values[key]) for key, name in _SSL.items() if key in values},
        read_only=_flag(values, "readonlymode.enabled"),
        enforce_quotas=_flag(values, "enforceQuota"),
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
    me = whole_number("myid", values.get("myid", ""), 1, 254)
    if me not in servers:
        raise ConfigError(f"'myid' is {me} and there is no 'server.{me}'; add it or correct myid")
    if all(server.observer for server in servers.values()):
        raise ConfigError("every server is an observer; at least one must vote")
    return me, servers


def _is_server(key: str) -> bool:
    return key.startswith("server.")


def _server(key: str, value: str) -> Server:
    id = whole_number(key, key.removeprefix("server."), 1, 254)
    for_peers, _, for_clients = value.partition(";")
    fields = for_peers.split(":")
    wrong = ConfigError(f"{key!r} is {value!r}; it must be host:port:electionPort[:observer]")
    if not 3 <= len(fields) <= 4 or fields[3:] not in ([], ["participant"], ["observer"]):
        raise wrong
    port, election_port = (whole_number(key, port, 1, 65535) for port in fields[1:3])
    client = _client_address(key, for_clients) if for_clients else ""
    return Server(id, fields[0], port, election_port, fields[3:] == ["observer"], client)


def _client_address(key: str, text: str) -> str:
    address, _, port = text.strip().rpartition(":")
    return f"{address or '0.0.0.0'}:{whole_number(key, port, 1, 65535)}"


def _member(server: Server) -> str:
    role = "observer" if server.observer else "participant"
    client = f";{server.client}" if server.client else ""
    return f"server.{server.id}={server.host}:{server.port}:{server.election_port}:{role}{client}"


def _flag(values: Mapping[str, Any], key: str) -> bool:
    return str(values.get(key, "false")).lower() == "true"


def _words(text: str) -> frozenset[str] | None:
    words = frozenset(word.strip() for word in text.split(","))
    return None if "*" in words else words
