"""What was last said of a process and a partition before a moment: where it stands, what it owns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from checkers.queue.messages import Ints, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Moments of processes: operation, place in it, partition."""

    process: Ints
    row: Ints
    place: Ints
    key: Ints

    def __len__(self) -> int:
        return len(self.row)


def last_said(said: Moments, counts: Mask, asked: Moments) -> Ints:
    """For each of ``asked``, the latest of ``said`` that counts and came before it; -1 for none.

    Both are of the same process and partition; ``said`` at the same moment is not before it.
    """
    columns = ("process", "key", "row", "place")
    process, key, row, place = (
        np.concatenate((getattr(said, name), getattr(asked, name))) for name in columns
    )
    asks = np.arange(len(row)) >= len(said)
    order = np.lexsort((~asks, place, row, key, process))
    changes = (np.diff(process[order]) != 0) | (np.diff(key[order]) != 0)
    group = np.concatenate((np.zeros(min(1, len(order)), np.int64), np.cumsum(changes)))
    tells = np.concatenate((counts, np.zeros(len(asked), np.bool_)))
    last = np.maximum.accumulate(np.where(tells[order], np.arange(len(order)), -1))
    known = (last >= 0) & (group[np.maximum(last, 0)] == group)
    answer = np.full(len(row), -1, dtype=np.int64)
    answer[order[known]] = order[last[known]]
    return answer[len(said) :]
