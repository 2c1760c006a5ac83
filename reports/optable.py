"""The operations of a run as the page keeps them: numbers in columns, and each text once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from history.history import INFO, INVOKE, History, Operations
from reports.packing import Column
from reports.text import safe, shown

Ints: TypeAlias = NDArray[np.int64]

NO_COMPLETION = INVOKE
"""The outcome of an operation that nothing is known of, not even ``info``."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OpTable:
    """One row per client operation, ordered by call. Times in µs since the start of the run.

    ``end`` is the time of the completion whatever its type, of the call where there is none; ``outcome``
    is OK, FAIL, INFO or ``NO_COMPLETION``; ``ret`` is the index of the completion, -1 without one.
    ``key``, ``argument``, ``value`` and ``error`` are codes into ``texts``, 0 for none; ``value`` is 0
    as well where it is the argument. ``f`` and ``node`` are codes into their names, 0 of ``nodes`` for
    none.
    """

    call: Ints
    end: Ints
    outcome: Ints
    process: Ints
    f: Ints
    node: Ints
    index: Ints
    ret: Ints
    key: Ints
    argument: Ints
    value: Ints
    error: Ints
    fs: tuple[str, ...]
    nodes: tuple[str, ...]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.call)


def op_table(history: History, nodes: Sequence[str], rows: NDArray[np.intp] | None = None) -> OpTable:
    """The operations of ``history``, or those at ``rows`` of ``history.operations()``."""
    operations = history.operations()
    kept = np.arange(len(operations)) if rows is None else rows
    end, outcome = _ends(history, operations)
    names = [safe(node) for node in nodes]
    node_codes = {"": 0, **{name: code for code, name in enumerate(names, 1)}}
    texts = _Texts()
    where = kept.tolist()
    argument = texts.codes([operations.argument[row] for row in where])
    value = texts.codes([_new(operations, row) for row in where])
    return OpTable(
        call=operations.call_time[kept] // 1000,
        end=end[kept] // 1000,
        outcome=outcome[kept],
        process=operations.process[kept],
        f=operations.f[kept].astype(np.int64),
        node=_codes([operations.node[row] or "" for row in where], node_codes),
        index=operations.index[kept],
        ret=operations.ret_index[kept],
        key=texts.codes([operations.key[row] for row in where]),
        argument=argument,
        value=np.where(value == argument, 0, value),
        error=texts.codes([operations.error[row] for row in where]),
        fs=tuple(safe(f) for f in operations.fs),
        nodes=tuple(node_codes),
        texts=texts.all(),
    )


def processes(table: OpTable) -> Ints:
    """Those of the operations, in order."""
    return np.unique(table.process)


def columns(table: OpTable) -> list[Column]:
    """What is needed to draw; ``process`` is a place in :func:`processes`."""
    return [
        Column("call", table.call),
        Column("took", table.end - table.call),
        Column("outcome", table.outcome),
        Column("process", np.searchsorted(processes(table), table.process)),
        Column("f", table.f),
        Column("node", table.node),
        Column("index", table.index),
        Column("ret", np.where(table.ret < 0, 0, table.ret - table.index)),
    ]


def text_columns(table: OpTable) -> tuple[list[Column], bytes]:
    """What is needed to tell about single operations: codes, lengths of the texts, and the texts.

    ``said`` is 1 where there is an argument, 2 where there is a value beside it, 3 for both; the columns
    of these have the codes of those rows only.
    """
    encoded = [text.encode("utf-8", "backslashreplace") for text in table.texts]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    return [
        Column("key", table.key),
        Column("said", (table.argument > 0) + 2 * (table.value > 0)),
        Column("argument", table.argument[table.argument > 0]),
        Column("value", table.value[table.value > 0]),
        Column("error", table.error),
        Column("length", lengths),
    ], b"".join(encoded)


class _Texts:
    """Each text once, numbered by first appearance; 0 is None."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {"": 0}

    def codes(self, values: Sequence[Any]) -> Ints:
        known = self._codes
        found = (0 if value is None else known.setdefault(shown(value), len(known)) for value in values)
        return np.fromiter(found, np.int64, len(values))

    def all(self) -> tuple[str, ...]:
        return tuple(self._codes)


def _codes(names: Sequence[str], codes: dict[str, int]) -> Ints:
    """``names`` by ``codes``, which learns those that it does not have."""
    found = (codes.setdefault(safe(name), len(codes)) for name in names)
    return np.fromiter(found, np.int64, len(names))


def _new(operations: Operations, row: int) -> Any:
    """What the completion says beyond the argument."""
    value = operations.value[row]
    return None if value is operations.argument[row] else value


def _ends(history: History, operations: Operations) -> tuple[Ints, Ints]:
    """The time of each completion, of ``info`` too, and the outcome with missing ones told apart."""
    partner = history.pair[operations.call]
    missing = partner < 0
    end = np.where(missing, operations.call_time, history.time[partner])
    outcome = operations.outcome.astype(np.int64)
    return end, np.where(missing & (outcome == INFO), NO_COMPLETION, outcome)
