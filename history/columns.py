"""Gathers the events of a history column by column, in chunks, without an object per event.

Numbers become arrays, function names become codes, and the names of processes that are not clients
become negative codes, of which -1 is always ``"nemesis"``. Everything else stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from history.errors import HistoryError
from history.op import NEMESIS, OP_TYPES

_TYPE_CODES = {name: code for code, name in enumerate(OP_TYPES)}


@dataclass
class Columns:
    """The columns so far: numbers as a list of arrays, one per chunk, the rest as plain lists."""

    index: list[NDArray[np.int64]] = field(default_factory=list)
    time: list[NDArray[np.int64]] = field(default_factory=list)
    process: list[NDArray[np.int64]] = field(default_factory=list)
    type: list[NDArray[np.int8]] = field(default_factory=list)
    f: list[NDArray[np.int32]] = field(default_factory=list)
    key: list[Any] = field(default_factory=list)
    value: list[Any] = field(default_factory=list)
    error: list[Any] = field(default_factory=list)
    node: list[str | None] = field(default_factory=list)
    f_codes: dict[str, int] = field(default_factory=dict)
    process_codes: dict[str, int] = field(default_factory=lambda: {NEMESIS: -1})
    _nodes: dict[str | None, str | None] = field(default_factory=dict)

    def add(
        self,
        *,
        index: Sequence[Any],
        time: Sequence[Any],
        process: Sequence[Any],
        type: Sequence[Any],
        f: Sequence[Any],
        key: Sequence[Any],
        value: Sequence[Any],
        error: Sequence[Any],
        node: Sequence[Any],
    ) -> None:
        """Append a chunk of events, given as columns of equal length.

        Raises HistoryError for a number that is not one, an unknown type, a function or a node whose
        name is not text; nothing has been appended then.
        """
        indices, times, types = _integers("index", index), _integers("time", time), _types(type)
        processes, functions, nodes = self._processes(process), self._functions(f), self._shared(node)
        self.index.append(indices)
        self.time.append(times)
        self.process.append(processes)
        self.type.append(types)
        self.f.append(functions)
        self.key += key
        self.value += value
        self.error += error
        self.node += nodes

    def _processes(self, column: Sequence[Any]) -> NDArray[np.int64]:
        named = str in set(map(type, column))
        clients = [one for one in column if type(one) is not str] if named else column
        numbers = _integers("process", clients)
        if numbers.size and numbers.min() < 0:
            raise HistoryError(f"process {numbers.min()} is negative, but clients count from 0")
        if not named:
            return numbers
        return _integers("process", [self._process(p) if type(p) is str else p for p in column])

    def _process(self, name: str) -> int:
        return self.process_codes.setdefault(name, -1 - len(self.process_codes))

    def _functions(self, column: Sequence[Any]) -> NDArray[np.int32]:
        try:
            return self._known_functions(column)
        except (KeyError, TypeError):
            for name in _names("f", column):
                self.f_codes.setdefault(name, len(self.f_codes))
            return self._known_functions(column)

    def _known_functions(self, column: Sequence[Any]) -> NDArray[np.int32]:
        return np.fromiter(map(self.f_codes.__getitem__, column), np.int32, len(column))

    def _shared(self, column: Sequence[Any]) -> list[str | None]:
        """One string object per node, not one per event."""
        if column.count(None) == len(column):
            return list(column)
        for name in _names("node", column, or_none=True):
            self._nodes.setdefault(name, name)
        return list(map(self._nodes.get, column))


def _integers(name: str, column: Sequence[Any]) -> NDArray[np.int64]:
    strangers = set(map(type, column)) - {int}
    if strangers:
        raise HistoryError(f"{name} must be an integer, not {_kinds(strangers)}")
    try:
        return np.fromiter(column, np.int64, len(column))
    except OverflowError:
        raise HistoryError(f"{name} must fit into 64 bits") from None


def _types(column: Sequence[Any]) -> NDArray[np.int8]:
    try:
        return np.frombuffer(bytes(map(_TYPE_CODES.__getitem__, column)), np.int8)
    except (KeyError, TypeError):
        raise HistoryError(f"type must be one of {', '.join(OP_TYPES)}") from None


def _names(what: str, column: Sequence[Any], *, or_none: bool = False) -> list[str]:
    """Each name once, in order of first appearance: a set's order changes from run to run."""
    strangers = set(map(type, column)) - ({str, type(None)} if or_none else {str})
    if strangers:
        raise HistoryError(f"{what} must be text, not {_kinds(strangers)}")
    return [name for name in dict.fromkeys(column) if name is not None]


def _kinds(types: set[type]) -> str:
    return ", ".join(sorted("nothing" if one is type(None) else one.__name__ for one in types))
