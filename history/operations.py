"""A history as operations: one row per client invocation, with what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PENDING = 2**62
"""The return of an operation that never returned: later than every row and every time."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Operations:
    """Client invocations with their completions, ordered by call; all columns have one length.

    ``call`` and ``ret`` are rows of the history, so that a precedes b in real time exactly if
    ``ret[a] < call[b]``; ``call_time`` and ``ret_time`` are in nanoseconds. Both returns are
    ``PENDING`` where the completion is ``info`` or missing, and ``outcome`` is ``INFO`` there.
    ``key`` and ``argument`` come from the invocation; ``value`` from the completion if that has one,
    else it is the argument; ``error`` and ``node`` from the completion, else None. ``index`` and
    ``ret_index`` are the indices of the two events, the latter -1 where there is no completion.
    """

    call: NDArray[np.int64]
    ret: NDArray[np.int64]
    call_time: NDArray[np.int64]
    ret_time: NDArray[np.int64]
    outcome: NDArray[np.int8]
    process: NDArray[np.int64]
    f: NDArray[np.int32]
    fs: tuple[str, ...]
    key: list[Any]
    argument: list[Any]
    value: list[Any]
    error: list[Any]
    node: list[str | None]
    index: NDArray[np.int64]
    ret_index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.call)

    def where(self, *fs: str, outcome: int | None = None) -> NDArray[np.intp]:
        """Rows whose function is one of ``fs`` (any, if none is given) and that ended in ``outcome``."""
        chosen = np.ones(len(self), dtype=np.bool_)
        if fs:
            chosen &= np.isin(self.f, [code for code, name in enumerate(self.fs) if name in fs])
        if outcome is not None:
            chosen &= self.outcome == outcome
        return np.flatnonzero(chosen)
