"""Entities of kio from plain dicts, whatever their version.

Each version of a message is a class of its own. A dict has the fields of the newest; a version takes
those that it knows. Milliseconds and tuples are made what the class wants them to be.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

_REQUIRED = object()
_Convert = Callable[[Any], Any]
_Plan = tuple[tuple[str, _Convert | None, Any], ...]


class Builder:
    """Builds entities; remembers for each class how."""

    def __init__(self) -> None:
        self._plans: dict[type, _Plan] = {}

    def build(self, entity: type, values: Mapping[str, Any]) -> Any:
        """An ``entity`` with ``values``; what it doesn't have is left out.

        Raises KeyError for a field that has no default and no value.
        """
        plan = self._plans.get(entity)
        if plan is None:
            plan = self._plans[entity] = self._plan(entity)
        made = {}
        for name, convert, default in plan:
            value = values.get(name, default)
            if value is _REQUIRED:
                raise KeyError(f"{entity.__name__} needs {name!r}")
            made[name] = value if convert is None or value is None else convert(value)
        return entity(**made)

    def _plan(self, entity: type) -> _Plan:
        hints = typing.get_type_hints(entity)
        return tuple(self._step(each, hints[each.name]) for each in fields(entity))

    def _step(self, field: Field[Any], hint: Any) -> tuple[str, _Convert | None, Any]:
        return field.name, self._converter(field, hint), _default(field, hint)

    def _converter(self, field: Field[Any], hint: Any) -> _Convert | None:
        inner, many = _inner(hint)
        if is_dataclass(inner) and isinstance(inner, type):
            entity = inner
            if many:
                return lambda values: tuple(self.build(entity, each) for each in values)
            return lambda values: self.build(entity, values) if isinstance(values, Mapping) else values
        if many:
            return tuple
        return _CONVERTERS.get(field.metadata.get("kafka_type", ""))


def _inner(hint: Any) -> tuple[Any, bool]:
    """The type in ``hint`` without None and tuple, and whether there was a tuple."""
    options = [each for each in typing.get_args(hint) if each is not type(None)]
    if typing.get_origin(hint) is tuple:
        return options[0], True
    if options and type(None) in typing.get_args(hint):
        return _inner(options[0])
    return hint, False


def _default(field: Field[Any], hint: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    if field.name == "throttle_time":
        return timedelta()
    return None if type(None) in typing.get_args(hint) else _REQUIRED


def _milliseconds(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(milliseconds=value)


def _moment(value: Any) -> datetime | None:
    if value == -1 or isinstance(value, datetime):
        return None if value == -1 else value
    return datetime.fromtimestamp(value / 1000, UTC)


_CONVERTERS: Mapping[str, _Convert] = MappingProxyType(
    {"timedelta_i32": _milliseconds, "timedelta_i64": _milliseconds, "datetime_i64": _moment}
)
