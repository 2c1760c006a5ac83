"""A register's operations gathered by value: who wrote it, when it was read, which cas led to it.

A cluster is a value's writer and its readers (Gibbons & Korach 1997); successful cas chain clusters
together. Values are numbers here, so that each column is an array over them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from checkers.factorize import factorize
from checkers.model import MISMATCH, Call, State, cas_values, refused
from checkers.rows import called
from history.history import FAIL, OK, PENDING, Operations

Ints: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = NDArray[np.intp]

BEGINNING = -1
"""The stamp at which the initial value was written: before the first event."""


@dataclass(frozen=True, slots=True)
class Actions:
    """Rows of a register's operations by what they do; values are numbers below ``values``.

    ``expected`` is the value that a writer took over, -1 if it was a write and no cas.
    """

    operations: Operations
    values: int
    initial: int
    reads: Rows
    read: Ints
    writers: Rows
    written: Ints
    expected: Ints
    failed: Rows
    refuted: Ints


def actions_of(operations: Operations, initial: State) -> Actions:
    """The reads, writers and failed cas of one register, each column in order of call."""
    outcome, argument, value = operations.outcome, operations.argument, operations.value
    is_read, is_write, is_cas = (called(operations, f) for f in ("read", "write", "cas"))
    reads = np.flatnonzero(is_read & (outcome == OK))
    writes = np.flatnonzero(is_write & (outcome != FAIL))
    cas = np.flatnonzero(is_cas & (outcome != FAIL))
    failed = _refusals(operations, np.flatnonzero(is_cas & (outcome == FAIL)))
    pairs = [cas_values(argument[row]) for row in cas.tolist()]
    flat = [initial]
    flat += [value[row] for row in reads.tolist()]
    flat += [argument[row] for row in writes.tolist()]
    flat += [new for _, new in pairs]
    flat += [expected for expected, _ in pairs]
    flat += [cas_values(argument[row])[0] for row in failed.tolist()]
    if initial is not None and None in flat:
        flat = [initial if value is None else value for value in flat]
    numbers, values = factorize(flat)
    sizes = (1, len(reads), len(writes) + len(cas), len(cas), len(failed))
    start, read, written, expected, refuted = np.split(numbers, np.cumsum(sizes)[:-1])
    return Actions(
        operations=operations,
        values=values,
        initial=int(start[0]),
        reads=reads,
        read=read,
        writers=np.concatenate((writes, cas)),
        written=written,
        expected=np.concatenate((np.full(len(writes), -1, dtype=np.int64), expected)),
        failed=failed,
        refuted=refuted,
    )


def _refusals(operations: Operations, rows: Rows) -> Rows:
    """Those of ``rows``, failed operations, that the register answered."""
    errors = [operations.error[row] for row in rows.tolist()]
    kept = [
        error is not None and refused(Call("cas", 0, None, None, FAIL, error), error=MISMATCH)
        for error in errors
    ]
    return rows[np.array(kept, dtype=np.bool_)]


def that_happened(acts: Actions) -> Actions:
    """Without the pending writers whose value nobody saw: those may as well never have happened."""
    seen = np.zeros(acts.values, dtype=np.bool_)
    seen[acts.read] = True
    happened = acts.operations.ret[acts.writers] != PENDING
    seen[acts.expected[happened & (acts.expected >= 0)]] = True
    pending = np.flatnonzero(~happened)
    while (now := pending[seen[acts.written[pending]]]).size:
        happened[now] = True
        pending = pending[~seen[acts.written[pending]]]
        seen[acts.expected[now[acts.expected[now] >= 0]]] = True
    return replace(
        acts,
        writers=acts.writers[happened],
        written=acts.written[happened],
        expected=acts.expected[happened],
    )


@dataclass(frozen=True, slots=True)
class Clusters:
    """Per value: its writer's row (-1: none), stamps of writer and reads, and its place in a chain.

    A chain of cas begins at ``root`` and reaches the value after ``depth`` of them; ``parent`` is the
    value taken over, the value itself at the root.
    """

    acts: Actions
    writer: Ints
    write_call: Ints
    write_ret: Ints
    read_call: Ints
    read_ret: Ints
    parent: Ints
    root: Ints
    depth: Ints


def clusters_of(acts: Actions) -> Clusters:
    """Gather what happened by value; every value has at most one writer."""
    call, ret = acts.operations.call, acts.operations.ret
    writer = np.full(acts.values, -1, dtype=np.int64)
    writer[acts.written] = acts.writers
    write_call, write_ret, read_call = np.full((3, acts.values), BEGINNING, dtype=np.int64)
    write_call[acts.written], write_ret[acts.written] = call[acts.writers], ret[acts.writers]
    read_call[acts.read] = call[acts.reads]  # rows ascend by call: the last one stays
    read_ret = np.full(acts.values, PENDING, dtype=np.int64)
    np.minimum.at(read_ret, acts.read, ret[acts.reads])
    parent = np.arange(acts.values)
    cas = acts.expected >= 0
    parent[acts.written[cas]] = acts.expected[cas]
    root, depth = _chains(parent)
    return Clusters(acts, writer, write_call, write_ret, read_call, read_ret, parent, root, depth)


def _chains(parent: Ints) -> tuple[Ints, Ints]:
    """Root and depth of every value by pointer doubling; what is on a cycle has no root that is one."""
    root, depth = parent, (parent != np.arange(len(parent))).astype(np.int64)
    for _ in range(len(parent).bit_length()):
        if not depth[root].any():
            break
        depth = depth + depth[root]
        root = root[root]
    return root, depth
