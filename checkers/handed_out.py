"""The IDs of a history as columns: which operation got which, in an order-preserving form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from history.history import OK, History

Ints: TypeAlias = NDArray[np.int64]
_HEX_DIGITS = np.array([*range(8), *range(9, 13), *range(14, 18), *range(19, 23), *range(24, 36)])
_HYPHENS = np.array([8, 13, 18, 23])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HandedOut:
    """Successful operations in the order of their completions, and the IDs they were given.

    ``row`` and ``call`` are the rows of completion and invocation in the history; ``count`` is how
    many IDs an operation got, ``flat`` all of them, operation after operation.
    """

    row: Ints
    call: Ints
    count: Ints
    flat: Sequence[Any]

    def op_of_id(self) -> Ints:
        """For each of ``flat`` the position of its operation."""
        return np.repeat(np.arange(len(self.row)), self.count)

    def first(self) -> Ints:
        """For each operation the position of its first ID in ``flat``."""
        return np.cumsum(self.count) - self.count


def handed_out(history: History, f: str) -> HandedOut:
    """What the ``ok`` operations ``f`` got: a list of IDs each, or a single one.

    Operations that got an empty list are left out. Raises ValueError for a value that is neither.
    """
    row = np.flatnonzero(is_f(history, f) & (history.type == OK))
    values = list(map(history.value.__getitem__, row.tolist()))
    kinds = set(map(type, values))
    if not kinds & {list, tuple}:
        count, flat = np.ones(len(values), dtype=np.int64), values
    else:
        lists = values if kinds <= {list, tuple} else [_listed(value) for value in values]
        count, flat = (
            np.fromiter(map(len, lists), np.int64, len(lists)),
            list(chain.from_iterable(lists)),
        )
    _check_types(set(map(type, flat)), f)
    some = count > 0
    row = row[some]
    return HandedOut(row=row, call=history.pair[row], count=count[some], flat=flat)


def is_f(history: History, f: str) -> NDArray[np.bool_]:
    """Which events are of clients and of function ``f``."""
    code = history.fs.index(f) if f in history.fs else -1
    return np.asarray((history.f == code) & (history.process >= 0), dtype=np.bool_)


def nodes_of(history: History, rows: Ints) -> tuple[Ints, list[str]]:
    """The node of each of these events as a code, and the nodes' names by code.

    Raises ValueError when an event has none: what holds per node cannot be judged then.
    """
    names = list(map(history.node.__getitem__, rows.tolist()))
    known = sorted({name for name in names if name is not None})
    if None in names:
        index = int(history.index[rows[names.index(None)]])
        raise ValueError(f"op {index} does not say which node answered, so nothing can be said per node")
    codes: dict[str | None, int] = {name: code for code, name in enumerate(known)}
    return np.fromiter(map(codes.__getitem__, names), np.int64, len(names)), known


def ranks(ids: Sequence[Any]) -> Ints:
    """Numbers in the same order as ``ids``, equal for equal ones: 64-bit integers are themselves."""
    kinds = set(map(type, ids))
    if kinds <= {int}:
        try:
            return np.array(ids, dtype=np.int64)
        except OverflowError:
            return _sorted_ranks(ids)
    halves = uuid_halves(ids)
    return _sorted_ranks(ids) if halves is None else _pair_ranks(*halves)


def uuid_halves(ids: Sequence[Any]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]] | None:
    """The upper and lower 64 bits of UUIDs in lower-case text form; None when some are no such."""
    if set(map(len, ids)) != {36} or not all(map(str.isascii, ids)):
        return None
    text = np.array(ids, dtype="S36").view(np.uint8).reshape(len(ids), 36)
    digits = text[:, _HEX_DIGITS]
    decimal = (digits >= ord("0")) & (digits <= ord("9"))
    letter = (digits >= ord("a")) & (digits <= ord("f"))
    if not (text[:, _HYPHENS] == ord("-")).all() or not (decimal | letter).all():
        return None
    nibbles = np.where(decimal, digits - ord("0"), digits - (ord("a") - 10)).astype(np.uint8)
    words = np.ascontiguousarray(nibbles[:, ::2] << 4 | nibbles[:, 1::2]).view(">u8")
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)


def _pair_ranks(upper: NDArray[np.uint64], lower: NDArray[np.uint64]) -> Ints:
    order = np.lexsort((lower, upper))
    upper, lower = upper[order], lower[order]
    step = np.ones(len(order), dtype=np.int64)
    step[1:] = (upper[1:] != upper[:-1]) | (lower[1:] != lower[:-1])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.cumsum(step)
    return rank


def _sorted_ranks(ids: Sequence[Any]) -> Ints:
    rank = {one: number for number, one in enumerate(sorted(set(ids)))}
    return np.fromiter(map(rank.__getitem__, ids), np.int64, len(ids))


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _check_types(kinds: set[type], f: str) -> None:
    if kinds <= {int} or kinds <= {str}:
        return
    found = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise ValueError(
        f"ok operations {f!r} hold {found} as IDs; they must be all integers or all strings"
    )
