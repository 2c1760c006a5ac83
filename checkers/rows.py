"""Rows of ``Operations`` as the deciders want them: by function, by key, as calls, as text."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from checkers.model import Call, Model, State
from checkers.transitions import Operation
from history.history import PENDING, Operations, hashable


def by_key(operations: Operations) -> dict[Hashable, Operations]:
    """The operations of each key, keys in order of first appearance; None where there is no key."""
    if operations.key.count(None) == len(operations):
        return {None: operations} if len(operations) else {}
    groups: dict[Hashable, list[int]] = {}
    for row, key in enumerate(operations.key):
        groups.setdefault(hashable(key), []).append(row)
    return {key: take(operations, rows) for key, rows in groups.items()}


def take(operations: Operations, rows: Sequence[int]) -> Operations:
    """The operations at ``rows``; their stamps and indices stay as they are."""
    where = np.asarray(rows, dtype=np.intp)
    columns: dict[str, Any] = {}
    for column in fields(operations):
        values = getattr(operations, column.name)
        if isinstance(values, np.ndarray):
            columns[column.name] = values[where]
        else:
            columns[column.name] = values if column.name == "fs" else [values[row] for row in rows]
    return Operations(**columns)


def called(operations: Operations, function: str) -> NDArray[np.bool_]:
    """Mask of the operations of ``function``."""
    code = operations.fs.index(function) if function in operations.fs else -1
    return np.equal(operations.f, code)


def name(operations: Operations, row: int) -> str:
    """The function of one operation."""
    return operations.fs[int(operations.f[row])]


def call(operations: Operations, row: int) -> Call:
    """One operation as the models read it."""
    return Call(
        name(operations, row),
        int(operations.process[row]),
        operations.argument[row],
        operations.value[row],
        int(operations.outcome[row]),
        operations.error[row],
    )


def text(model: Model, operations: Operations, row: int) -> str:
    """One operation, that constrains something, for a message: what it did and who did it."""
    action = model.interpret(call(operations, row), None)
    assert action is not None
    return f"{model.describe(action)} (process {operations.process[row]})"


def actions(model: Model, operations: Operations, initial: State) -> list[Operation]:
    """The operations that constrain something, as ``model`` reads them; it starts with ``initial``."""
    columns = zip(
        operations.call.tolist(),
        operations.ret.tolist(),
        operations.f.tolist(),
        operations.process.tolist(),
        operations.argument,
        operations.value,
        operations.outcome.tolist(),
        operations.error,
        strict=True,
    )
    found = []
    for row, (start, ret, f, process, argument, value, outcome, error) in enumerate(columns):
        one = Call(operations.fs[f], process, argument, value, outcome, error)
        action = model.interpret(one, initial)
        if action is not None:
            found.append(Operation(start, None if ret == PENDING else ret, action, row))
    return found
