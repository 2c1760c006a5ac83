"""The configuration: Kafka's ``server.properties``, or the same keys in a mapping.

``listeners`` are ``NAME://host:port``, one for clients and, if wanted, one for the other brokers, which
``inter.broker.listener.name`` names; ``advertised.listeners`` is what metadata tells of them. Keys that
Kafka has and that mean nothing here are let pass; a known key with a wrong value is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from impl.properties import ConfigError, whole_number


@dataclass(frozen=True, slots=True)
class Listener:
    """A named address."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A checked configuration; a field is Kafka's key with ``_`` for ``.``.

    ``defaults`` are the settings of topics that have none of their own, by the topic's key; ``given``
    are the broker's keys that the configuration has.
    """

    broker_id: int = 0
    cluster_id: str = ""
    rack: str | None = None
    listeners: tuple[Listener, ...] = ()
    advertised: tuple[Listener, ...] = ()
    inter_broker: str = ""
    zookeeper_connect: str = ""
    log_dir: str = "kafka-logs"
    session_timeout_ms: int = 18_000
    replica_lag_ms: int = 30_000
    replica_wait_ms: int = 500
    replica_fetch_bytes: int = 1 << 20
    replica_response_bytes: int = 10 << 20
    replica_timeout_ms: int = 30_000
    rebalance_leaders: bool = True
    imbalance_check_s: int = 300
    controlled_shutdown: bool = True
    offsets_commit_timeout_ms: int = 5000
    num_partitions: int = 1
    default_replication_factor: int = 1
    auto_create_topics: bool = True
    delete_topics: bool = True
    offsets_partitions: int = 50
    offsets_replication_factor: int = 3
    offsets_segment_bytes: int = 100 << 20
    offsets_metadata_max_bytes: int = 4096
    offsets_retention_ms: int = 7 * 86_400_000
    initial_rebalance_delay_ms: int = 3000
    min_session_timeout_ms: int = 6000
    max_session_timeout_ms: int = 1_800_000
    group_max_size: int = 1 << 31
    fetch_max_bytes: int = 4 << 20
    max_request_bytes: int = 100 << 20
    max_idle_ms: int = 600_000
    max_connections: int = 1 << 31
    retention_check_ms: int = 300_000
    compaction_check_ms: int = 15_000
    flush_check_ms: int = 1 << 63
    producer_expiration_ms: int = 86_400_000
    defaults: Mapping[str, str] = field(default_factory=dict)
    given: frozenset[str] = frozenset()


_FAR = (1 << 63) - 1
_NUMBERS: Mapping[str, tuple[str, int, int]] = MappingProxyType(
    {
        "broker.id": ("broker_id", 0, 2**31 - 1),
        "zookeeper.session.timeout.ms": ("session_timeout_ms", 1, 2**31 - 1),
        "replica.lag.time.max.ms": ("replica_lag_ms", 1, 2**31 - 1),
        "replica.fetch.wait.max.ms": ("replica_wait_ms", 1, 2**31 - 1),
        "replica.fetch.max.bytes": ("replica_fetch_bytes", 1, 2**31 - 1),
        "replica.fetch.response.max.bytes": ("replica_response_bytes", 1, 2**31 - 1),
        "replica.socket.timeout.ms": ("replica_timeout_ms", 1, 2**31 - 1),
        "leader.imbalance.check.interval.seconds": ("imbalance_check_s", 1, 2**31 - 1),
        "offsets.commit.timeout.ms": ("offsets_commit_timeout_ms", 1, 2**31 - 1),
        "num.partitions": ("num_partitions", 1, 100_000),
        "default.replication.factor": ("default_replication_factor", 1, 32767),
        "offsets.topic.num.partitions": ("offsets_partitions", 1, 100_000),
        "offsets.topic.replication.factor": ("offsets_replication_factor", 1, 32767),
        "offsets.topic.segment.bytes": ("offsets_segment_bytes", 14, 2**31 - 1),
        "offset.metadata.max.bytes": ("offsets_metadata_max_bytes", 0, 2**31 - 1),
        "group.initial.rebalance.delay.ms": ("initial_rebalance_delay_ms", 0, 2**31 - 1),
        "group.min.session.timeout.ms": ("min_session_timeout_ms", 1, 2**31 - 1),
        "group.max.session.timeout.ms": ("max_session_timeout_ms", 1, 2**31 - 1),
        "group.max.size": ("group_max_size", 1, 2**31),
        "fetch.max.bytes": ("fetch_max_bytes", 1024, 2**31 - 1),
        "socket.request.max.bytes": ("max_request_bytes", 64, 2**31 - 1),
        "connections.max.idle.ms": ("max_idle_ms", -1, _FAR),
        "max.connections": ("max_connections", 0, 2**31),
        "log.retention.check.interval.ms": ("retention_check_ms", 1, _FAR),
        "log.cleaner.backoff.ms": ("compaction_check_ms", 1, _FAR),
        "log.flush.scheduler.interval.ms": ("flush_check_ms", 1, _FAR),
        "producer.id.expiration.ms": ("producer_expiration_ms", 1, 2**31 - 1),
    }
)
_FLAGS = MappingProxyType(
    {
        "auto.create.topics.enable": "auto_create_topics",
        "auto.leader.rebalance.enable": "rebalance_leaders",
        "controlled.shutdown.enable": "controlled_shutdown",
        "delete.topic.enable": "delete_topics",
    }
)
_MINUTE_MS = 60_000
_FOR_TOPICS: tuple[tuple[str, str, int], ...] = (
    ("log.segment.bytes", "segment.bytes", 1),
    ("log.roll.hours", "segment.ms", 60 * _MINUTE_MS),
    ("log.roll.ms", "segment.ms", 1),
    ("log.index.interval.bytes", "index.interval.bytes", 1),
    ("log.retention.hours", "retention.ms", 60 * _MINUTE_MS),
    ("log.retention.minutes", "retention.ms", _MINUTE_MS),
    ("log.retention.ms", "retention.ms", 1),
    ("log.retention.bytes", "retention.bytes", 1),
    ("log.flush.interval.messages", "flush.messages", 1),
    ("log.flush.interval.ms", "flush.ms", 1),
    ("log.cleanup.policy", "cleanup.policy", 0),
    ("log.cleaner.delete.retention.ms", "delete.retention.ms", 1),
    ("log.cleaner.min.cleanable.ratio", "min.cleanable.dirty.ratio", 0),
    ("log.message.timestamp.type", "message.timestamp.type", 0),
    ("message.max.bytes", "max.message.bytes", 1),
    ("min.insync.replicas", "min.insync.replicas", 1),
    ("unclean.leader.election.enable", "unclean.leader.election.enable", 0),
    ("compression.type", "compression.type", 0),
)
"""The broker's key, the topic's, and what one of the broker's units is in the topic's (0: no number)."""


def parse(raw: Mapping[str, Any]) -> Config:
    """Check ``raw``. Raises ConfigError with the key at fault."""
    numbers: dict[str, Any] = {
        name: whole_number(key, raw[key], low, high)
        for key, (name, low, high) in _NUMBERS.items()
        if key in raw
    }
    numbers |= {name: _flag(key, raw[key]) for key, name in _FLAGS.items() if key in raw}
    if "offsets.retention.minutes" in raw:
        minutes = whole_number("offsets.retention.minutes", raw["offsets.retention.minutes"], 1, 2**31)
        numbers["offsets_retention_ms"] = minutes * _MINUTE_MS
    listeners = _listeners("listeners", str(raw.get("listeners", "PLAINTEXT://:9092")))
    advertised = _listeners("advertised.listeners", str(raw.get("advertised.listeners", "")))
    inter_broker = str(raw.get("inter.broker.listener.name", listeners[0].name))
    names = [each.name for each in listeners]
    for each in (*(each.name for each in advertised), inter_broker):
        if each not in names:
            raise ConfigError(f"there is no listener {each!r}; 'listeners' has {', '.join(names)}")
    return Config(
        cluster_id=str(raw.get("cluster.id", "")),
        rack=str(raw["broker.rack"]) if "broker.rack" in raw else None,
        listeners=listeners,
        advertised=advertised or listeners,
        inter_broker=inter_broker,
        zookeeper_connect=str(raw.get("zookeeper.connect", "")),
        log_dir=str(raw.get("log.dirs", raw.get("log.dir", "kafka-logs"))).split(",")[0].strip(),
        defaults=MappingProxyType(_defaults(raw)),
        given=frozenset(raw),
        **numbers,
    )


def shown(config: Config) -> dict[str, int | bool | str]:
    """What a broker goes by, by Kafka's keys."""
    values: dict[str, int | bool | str] = {
        "advertised.listeners": _written(config.advertised),
        "listeners": _written(config.listeners),
        "inter.broker.listener.name": config.inter_broker,
        "log.dirs": config.log_dir,
        "zookeeper.connect": config.zookeeper_connect,
    }
    values |= {key: getattr(config, name) for key, (name, _, _) in _NUMBERS.items()}
    return values | {key: getattr(config, name) for key, name in _FLAGS.items()}


def _written(listeners: tuple[Listener, ...]) -> str:
    return ",".join(f"{each.name}://{each.host}:{each.port}" for each in listeners)


def _defaults(raw: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, name, unit in _FOR_TOPICS:
        if key in raw:
            value = str(raw[key]).strip()
            number = whole_number(key, value, -1, _FAR) if unit else 0
            found[name] = str(number * unit if number >= 0 else number) if unit else value
    return found


def _listeners(key: str, value: str) -> tuple[Listener, ...]:
    return tuple(_listener(key, each.strip()) for each in value.split(",") if each.strip())


def _listener(key: str, value: str) -> Listener:
    name, separator, address = value.partition("://")
    host, colon, port = address.rpartition(":")
    if not separator or not colon or not name:
        raise ConfigError(f"{key!r} has {value!r}; it must be NAME://host:port")
    return Listener(name.upper(), host.strip("[]"), whole_number(key, port, 0, 65535))


def ensemble(connect: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """The servers and the chroot that ``zookeeper.connect`` names. Raises ConfigError."""
    servers, slash, chroot = connect.partition("/")
    found = []
    for each in servers.split(","):
        host, colon, port = each.strip().rpartition(":")
        if not colon:
            host, port = each.strip(), "2181"
        number = whole_number("zookeeper.connect", port, 1, 65535)
        found.append((host.strip("[]") or "localhost", number))
    return tuple(found), slash + chroot if chroot else ""


def _flag(key: str, value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ConfigError(f"{key!r} is {value!r}; it must be true or false")
    return text == "true"
