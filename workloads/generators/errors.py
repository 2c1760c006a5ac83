"""The error that generators raise, and the checks of the arguments they are made with."""

from __future__ import annotations

from typing import Final, cast

NS_PER_S: Final = 1_000_000_000


class GeneratorError(ValueError):
    """A generator was made of the wrong parts, or gave an operation that cannot be performed."""


def check_count(name: str, value: object, *, least: int = 0) -> int:
    """``value`` if it is a whole number of at least ``least``, else GeneratorError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise GeneratorError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return value


def check_seconds(name: str, value: object) -> int:
    """``value``, a finite number of seconds of at least 0, in ns; else GeneratorError."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= cast(float, value) < float("inf"):
        raise GeneratorError(f"{name} must be a number of seconds of at least 0, not {value!r}")
    return round(cast(float, value) * NS_PER_S)
