"""Java's properties files, as ZooKeeper's and Kafka's configurations are: ``key=value``, a line each."""

from __future__ import annotations

from typing import Any


class ConfigError(ValueError):
    """A configuration is wrong; the message names the key and what is wanted."""


def read(text: str) -> dict[str, str]:
    """The keys and values of a file. Raises ConfigError with the line that is neither."""
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


def whole_number(key: str, value: Any, low: int, high: int) -> int:
    """``value`` of ``key`` as a number. Raises ConfigError unless it is one from ``low`` to ``high``."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = low - 1
    if not low <= number <= high:
        raise ConfigError(f"{key!r} is {value!r}; it must be a whole number from {low} to {high}")
    return number
