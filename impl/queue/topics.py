"""Topics: which names are legal, and the settings one can have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from impl.queue.config import Config
from impl.queue.log.settings import LogSettings
from impl.queue.protocol.errors import ApiError, Code

OFFSETS = "__consumer_offsets"
INTERNAL = (OFFSETS,)
_LEGAL = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_FAR = (1 << 63) - 1
BOOLEAN, STRING, INT, LONG, DOUBLE, LIST = 1, 2, 3, 5, 6, 7
"""Kafka's numbers of the types, for DescribeConfigs."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A topic's setting: Kafka's type, its default, what is allowed."""

    type: int
    default: str
    valid: Callable[[str], bool]


def _whole(low: int, high: int = _FAR) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(r"-?\d{1,19}", value) is not None and low <= int(value) <= high


def _one_of(*values: str) -> Callable[[str], bool]:
    return lambda value: value in values


def _policy(value: str) -> bool:
    return bool(value) and all(each in ("compact", "delete") for each in value.split(","))


def _ratio(value: str) -> bool:
    return re.fullmatch(r"0?\.\d+|[01](\.0*)?", value) is not None


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "cleanup.policy": Setting(LIST, "delete", _policy),
        "compression.type": Setting(
            STRING,
            "producer",
            _one_of("producer", "uncompressed", "none", "gzip", "snappy", "lz4", "zstd"),
        ),
        "delete.retention.ms": Setting(LONG, "86400000", _whole(0)),
        "file.delete.delay.ms": Setting(LONG, "60000", _whole(0)),
        "flush.messages": Setting(LONG, str(_FAR), _whole(1)),
        "flush.ms": Setting(LONG, str(_FAR), _whole(0)),
        "index.interval.bytes": Setting(INT, "4096", _whole(0, 2**31 - 1)),
        "max.compaction.lag.ms": Setting(LONG, str(_FAR), _whole(1)),
        "max.message.bytes": Setting(INT, "1048588", _whole(0, 2**31 - 1)),
        "message.timestamp.type": Setting(STRING, "CreateTime", _one_of("CreateTime", "LogAppendTime")),
        "min.cleanable.dirty.ratio": Setting(DOUBLE, "0.5", _ratio),
        "min.compaction.lag.ms": Setting(LONG, "0", _whole(0)),
        "min.insync.replicas": Setting(INT, "1", _whole(1, 32767)),
        "preallocate": Setting(BOOLEAN, "false", _one_of("true", "false")),
        "retention.bytes": Setting(LONG, "-1", _whole(-1)),
        "retention.ms": Setting(LONG, "604800000", _whole(-1)),
        "segment.bytes": Setting(INT, "1073741824", _whole(14, 2**31 - 1)),
        "segment.index.bytes": Setting(INT, "10485760", _whole(4, 2**31 - 1)),
        "segment.jitter.ms": Setting(LONG, "0", _whole(0)),
        "segment.ms": Setting(LONG, "604800000", _whole(1)),
        "unclean.leader.election.enable": Setting(BOOLEAN, "false", _one_of("true", "false")),
    }
)


def check_name(name: str) -> None:
    """Raises ApiError INVALID_TOPIC_EXCEPTION for a name that Kafka does not take."""
    if _LEGAL.fullmatch(name) is None or name in (".", ".."):
        raise ApiError(
            Code.invalid_topic_exception,
            f"topic name {name[:260]!r} is illegal; use 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'",
        )


def check_setting(name: str, value: str | None) -> None:
    """Raises ApiError INVALID_CONFIG for a setting that there isn't, or a value it can't have."""
    setting = SETTINGS.get(name)
    if setting is None:
        raise ApiError(Code.invalid_config, f"Unknown topic config name: {name}")
    if value is None or not setting.valid(value):
        raise ApiError(Code.invalid_config, f"Invalid value {value} for configuration {name}")


def effective(name: str, own: Mapping[str, str], config: Config) -> str:
    """The value of the setting ``name`` for a topic whose own settings are ``own``."""
    return own.get(name) or config.defaults.get(name) or SETTINGS[name].default


def log_settings(own: Mapping[str, str], config: Config) -> LogSettings:
    """What the logs of such a topic go by."""

    def number(name: str) -> int:
        return int(effective(name, own, config))

    policy = effective("cleanup.policy", own, config).split(",")
    return LogSettings(
        segment_bytes=number("segment.bytes"),
        segment_ms=number("segment.ms"),
        index_interval_bytes=number("index.interval.bytes"),
        retention_ms=number("retention.ms"),
        retention_bytes=number("retention.bytes"),
        flush_messages=number("flush.messages"),
        flush_ms=number("flush.ms"),
        compact="compact" in policy,
        delete="delete" in policy,
        delete_retention_ms=number("delete.retention.ms"),
        min_cleanable_ratio=float(effective("min.cleanable.dirty.ratio", own, config)),
        producer_expiration_ms=config.producer_expiration_ms,
    )
