"""Which completion belongs to which invocation.

A client process is single-threaded: its events alternate between an invocation and its completion,
and an ``info`` is its last. Fault actions are ``info`` when they begin and ``info`` again when they
have ended, so those of one process and one function are paired in turn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from history.errors import HistoryError

INVOKE, OK, FAIL, INFO = 0, 1, 2, 3
"""Codes of the event types, in the order of ``history.op.OP_TYPES``."""


def pairs(process: NDArray[np.int64], type: NDArray[np.int8], f: NDArray[np.int32]) -> NDArray[np.int64]:
    """Row of each event's partner, -1 where it has none; any history, well-formed or not.

    An invocation's partner is the next event of its process if that is a completion.
    """
    partner = np.full(len(process), -1, dtype=np.int64)
    order = _by_client(process)
    first, second = order[:-1], order[1:]
    joined = (process[first] == process[second]) & (type[first] == INVOKE) & (type[second] != INVOKE)
    partner[first[joined]] = second[joined]
    partner[second[joined]] = first[joined]
    _pair_named(partner, process, type, f)
    return partner


def _by_client(process: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of clients, one client after the other; small numbers are sorted many times faster."""
    clients = np.flatnonzero(process >= 0)
    labels = process[clients]
    small = labels.size and int(labels.max()) <= np.iinfo(np.int16).max
    order = np.argsort(labels.astype(np.int16) if small else labels, kind="stable")
    return np.asarray(clients[order])


def _pair_named(
    partner: NDArray[np.int64],
    process: NDArray[np.int64],
    type: NDArray[np.int8],
    f: NDArray[np.int32],
) -> None:
    begun: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero(process < 0).tolist():
        action = (int(process[row]), int(f[row]))
        begin = begun.pop(action, None)
        if begin is None or type[row] == INVOKE:
            begun[action] = row
        else:
            partner[begin], partner[row] = row, begin


def check(
    index: NDArray[np.int64],
    process: NDArray[np.int64],
    type: NDArray[np.int8],
    partner: NDArray[np.int64],
) -> None:
    """Raise HistoryError for the first event that no sequence of single-threaded clients records."""
    late = np.flatnonzero(np.diff(index) <= 0)
    if late.size:
        row = int(late[0]) + 1
        raise HistoryError(f"event {index[row]} stands after event {index[row - 1]}: sort by index")
    order = _by_client(process)
    culprits = [
        *order[(type[order] != INVOKE) & (partner[order] < 0)].tolist(),
        *_followers(order, process, (type == INVOKE) & (partner < 0)),
        *_followers(order, process, type == INFO),
    ]
    if culprits:
        row = min(culprits)
        before = order[: int(np.flatnonzero(order == row)[0])]
        raise HistoryError(
            f"event {index[row]}: process {process[row]} {_reason(row, before, process, type)}"
        )


def _followers(
    order: NDArray[np.int64], process: NDArray[np.int64], last: NDArray[np.bool_]
) -> list[int]:
    """Events right after one that had to be the last of its process."""
    first, second = order[:-1], order[1:]
    follows: list[int] = second[last[first] & (process[first] == process[second])].tolist()
    return follows


def _reason(
    row: int, before: NDArray[np.int64], process: NDArray[np.int64], type: NDArray[np.int8]
) -> str:
    previous = int(before[-1]) if before.size and process[before[-1]] == process[row] else None
    if previous is not None and type[previous] == INFO:
        return "acts again after its operation ended in info; a new process must take its place"
    if type[row] == INVOKE:
        return "invokes while its last invocation is still open"
    return "completes what it never invoked"
