"""A history: every event of a run, in the order in which they were recorded, as columns.

Order of recording is order in real time: events have unique positions, so nothing is ever tied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from history.columns import Columns
from history.errors import HistoryError
from history.op import OP_TYPES, Op, Process
from history.operations import PENDING, Operations
from history.pairing import FAIL, INFO, INVOKE, OK, check, pairs

__all__ = [
    "FAIL",
    "INFO",
    "INVOKE",
    "OK",
    "PENDING",
    "History",
    "HistoryError",
    "Operations",
    "hashable",
]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class History(Collection[Op]):
    """Immutable; one row per event. Iterates over ``Op``; ``history[row]`` is one, a slice a History.

    ``index`` is the event's number in the whole run, ``time`` in nanoseconds since its start;
    ``process`` is a client's number >= 0 or a negative code of ``process_names``, -1 for the nemesis;
    ``type`` is INVOKE, OK, FAIL or INFO; ``f`` a code into ``fs``; ``key``, ``value``, ``error`` and
    ``node`` are lists; ``pair`` is the row of the partner event, -1 where there is none.
    """

    index: NDArray[np.int64]
    time: NDArray[np.int64]
    process: NDArray[np.int64]
    process_names: Mapping[int, str]
    type: NDArray[np.int8]
    f: NDArray[np.int32]
    fs: tuple[str, ...]
    key: Sequence[Any]
    value: Sequence[Any]
    error: Sequence[Any]
    node: Sequence[str | None]
    pair: NDArray[np.int64]

    def __post_init__(self) -> None:
        for column in (self.index, self.time, self.process, self.type, self.f, self.pair):
            column.setflags(write=False)

    @classmethod
    def from_ops(cls, ops: Iterable[Op], *, strict: bool = True) -> History:
        """The history of ``ops``; an index of -1 becomes the event's position.

        Raises HistoryError for a column that holds what it must not and, if ``strict``, for the first
        event that single-threaded clients cannot have recorded.
        """
        ops = list(ops)
        columns = Columns()
        columns.add(
            index=[position if op.index == -1 else op.index for position, op in enumerate(ops)],
            time=[op.time for op in ops],
            process=[op.process for op in ops],
            type=[op.type for op in ops],
            f=[op.f for op in ops],
            key=[op.key for op in ops],
            value=[op.value for op in ops],
            error=[op.error for op in ops],
            node=[op.node for op in ops],
        )
        return cls.from_columns(columns, strict=strict)

    @classmethod
    def from_columns(cls, columns: Columns, *, strict: bool = True) -> History:
        """The history of columns gathered chunk by chunk; raises as ``from_ops`` does."""
        index, process = _joined(columns.index, np.int64), _joined(columns.process, np.int64)
        type_, f = _joined(columns.type, np.int8), _joined(columns.f, np.int32)
        pair = pairs(process, type_, f)
        if strict:
            check(index, process, type_, pair)
        return cls(
            index=index,
            time=_joined(columns.time, np.int64),
            process=process,
            process_names=MappingProxyType({code: name for name, code in columns.process_codes.items()}),
            type=type_,
            f=f,
            fs=tuple(columns.f_codes),
            key=columns.key,
            value=columns.value,
            error=columns.error,
            node=columns.node,
            pair=pair,
        )

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[Op]:
        return map(self._op, range(len(self)))

    def __contains__(self, op: object) -> bool:
        return any(op == one for one in self)

    def __repr__(self) -> str:
        return f"<History of {len(self)} events, {len(self.operations())} operations>"

    @overload
    def __getitem__(self, row: int) -> Op: ...
    @overload
    def __getitem__(self, row: slice) -> History: ...
    def __getitem__(self, row: int | slice) -> Op | History:
        if isinstance(row, slice):
            return self.select(np.arange(len(self))[row])
        return self._op(range(len(self))[row])

    def _op(self, row: int) -> Op:
        return Op(
            index=int(self.index[row]),
            time=int(self.time[row]),
            process=self._process(int(self.process[row])),
            type=OP_TYPES[self.type[row]],
            f=self.fs[self.f[row]],
            key=self.key[row],
            value=self.value[row],
            error=self.error[row],
            node=self.node[row],
        )

    def _process(self, code: int) -> Process:
        return code if code >= 0 else self.process_names[code]

    def select(self, mask_or_rows: ArrayLike) -> History:
        """The events of a boolean mask or of ascending rows; each keeps its ``index``.

        Partners are kept where both are chosen; an event whose partner is not becomes unpaired.
        """
        rows = np.asarray(mask_or_rows)
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        where = rows.tolist()
        return History(
            index=self.index[rows],
            time=self.time[rows],
            process=self.process[rows],
            process_names=self.process_names,
            type=self.type[rows],
            f=self.f[rows],
            fs=self.fs,
            key=[self.key[row] for row in where],
            value=[self.value[row] for row in where],
            error=[self.error[row] for row in where],
            node=[self.node[row] for row in where],
            pair=_kept_pairs(self.pair[rows], rows),
        )

    def clients(self) -> History:
        """The events of client processes."""
        return self.select(self.process >= 0)

    def nemesis(self) -> History:
        """The events of processes that have a name: fault actions, mostly."""
        return self.select(self.process < 0)

    def by_process(self) -> dict[Process, History]:
        """Each process's own events, processes in order of first appearance."""
        groups = _groups(self.process.tolist())
        return {self._process(code): self.select(rows) for code, rows in groups.items()}

    def by_key(self) -> dict[Any, History]:
        """Client events per key, keys made hashable and in order of first appearance.

        An event belongs to the key of its invocation; those without a key stand under None.
        """
        rows = np.flatnonzero(self.process >= 0)
        invocation = np.where(
            (self.type[rows] != INVOKE) & (self.pair[rows] >= 0), self.pair[rows], rows
        )
        groups = _groups([hashable(self.key[row]) for row in invocation.tolist()])
        return {key: self.select(rows[positions]) for key, positions in groups.items()}

    def operations(self) -> Operations:
        """One row per client invocation, ordered by call; computed once."""
        return self._operations

    @cached_property
    def _operations(self) -> Operations:
        call = np.flatnonzero((self.process >= 0) & (self.type == INVOKE)).astype(np.int64)
        partner = self.pair[call]
        paired = partner >= 0
        outcome = np.where(paired, self.type[partner], np.int8(INFO)).astype(np.int8)
        returned = outcome != INFO
        calls, alone = call.tolist(), np.flatnonzero(~paired).tolist()
        partners = partner.tolist()
        argument = _picked(self.value, calls)
        answers = _picked(self.value, partners, none=alone)
        return Operations(
            call=call,
            ret=np.where(returned, partner, PENDING),
            call_time=self.time[call],
            ret_time=np.where(returned, self.time[partner], PENDING),
            outcome=outcome,
            process=self.process[call],
            f=self.f[call],
            fs=self.fs,
            key=_picked(self.key, calls),
            argument=argument,
            value=[a if v is None else v for v, a in zip(answers, argument, strict=True)],
            error=_picked(self.error, partners, none=alone),
            node=_picked(self.node, partners, none=alone),
            index=self.index[call],
            ret_index=np.where(paired, self.index[partner], -1),
        )


def hashable(key: Any) -> Any:
    """``key`` as something a dict takes: lists become tuples, maps tuples of their sorted items."""
    if isinstance(key, list | tuple):
        return tuple(map(hashable, key))
    if isinstance(key, dict):
        return tuple(sorted(((k, hashable(v)) for k, v in key.items()), key=repr))
    if isinstance(key, set | frozenset):
        return frozenset(map(hashable, key))
    return key


def _picked(column: Sequence[Any], rows: list[int], *, none: Sequence[int] = ()) -> list[Any]:
    """What stands in these rows; None at the places of ``none``, whatever row they have."""
    if column.count(None) == len(column):
        return [None] * len(rows)
    found = list(map(column.__getitem__, rows))
    for place in none:
        found[place] = None
    return found


def _joined(chunks: Sequence[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(chunks) if chunks else np.empty(0, dtype=dtype)


def _kept_pairs(partner: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    if not rows.size:
        return partner
    place = np.minimum(np.searchsorted(rows, partner), len(rows) - 1)
    return np.where(rows[place] == partner, place, -1)


def _groups(labels: Sequence[Any]) -> dict[Any, NDArray[np.int64]]:
    groups: dict[Any, list[int]] = {}
    for position, label in enumerate(labels):
        groups.setdefault(label, []).append(position)
    return {label: np.array(positions, dtype=np.int64) for label, positions in groups.items()}
