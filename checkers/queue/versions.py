"""Which message stands where in each partition, holes left out, as far as the history tells.

Jepsen's version order: offsets may have holes (transaction markers, compaction), so that what is
compared are the ranks of the offsets that are known to hold something. Nothing here is as long as the
largest offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from checkers.queue.messages import NOWHERE, Ints, Mask, Messages, among, codes
from history.history import OK

_FAR = 2**62


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Versions:
    """``key`` and ``offset`` are the known offsets, ascending; their row is their rank, over all keys.

    Two ranks of one partition are as far apart as the offsets known between them. ``entry_rank``,
    ``entry_message`` are who was said to stand at a rank, each pair once, ordered by rank. Of each
    message, ``first`` and ``last`` are its ranks, -1 where none is known; ``read`` whether a
    successful operation polled it, ``promised`` whether it must be there: it was acknowledged, or was
    polled by somebody. ``of_read`` and ``of_send`` are the ranks of those rows, -1 for unknown.
    """

    key: Ints
    offset: Ints
    entry_rank: Ints
    entry_message: Ints
    first: Ints
    last: Ints
    read: Mask
    promised: Mask
    of_read: Ints
    of_send: Ints

    def rank(self, key: int, offset: int) -> int:
        """How many known offsets lie before this one."""
        low, high = np.searchsorted(self.key, [key, key + 1])
        return int(low + np.searchsorted(self.offset[low:high], offset))


def versions(messages: Messages, *, believed: bool = True) -> Versions:
    """The order of all messages; acknowledgements are ``believed`` where they bind: with acks=all."""
    reads, sends = messages.reads, messages.sends
    promised = promised_sends(messages)
    told = promised & (sends.offset != NOWHERE) & believed
    key = np.concatenate((reads.key, sends.key[told]))
    offset = np.concatenate((reads.offset, sends.offset[told]))
    message = np.concatenate((reads.message, sends.message[told]))
    _, first, rank = np.unique(codes(key, offset), return_index=True, return_inverse=True)
    entries = np.unique(codes(rank, message), return_index=True)[1]
    entries = entries[np.lexsort((message[entries], rank[entries]))]
    low, high = _span(message[entries], rank[entries], len(messages.home))
    by_send = np.full(len(sends.row), -1, dtype=np.int64)
    by_send[told] = rank[len(reads.row) :]
    return Versions(
        key=key[first],
        offset=offset[first],
        entry_rank=rank[entries],
        entry_message=message[entries],
        first=low,
        last=high,
        read=_any(len(low), reads.message[messages.operations.outcome[reads.row] == OK]),
        promised=_any(len(low), sends.message[promised]),
        of_read=rank[: len(reads.row)],
        of_send=by_send,
    )


def promised_sends(messages: Messages) -> Mask:
    """Which sends must have taken effect: acknowledged, or of a transaction that was seen to have."""
    sends, operations = messages.sends, messages.operations
    promised = np.asarray(sends.outcome == OK)
    if "txn" in operations.fs:
        seen = among(sends.message, messages.reads.message[_read_ok(messages)])
        done = _any(len(operations), sends.row[seen]) & (operations.f == operations.fs.index("txn"))
        promised = promised | done[sends.row]
    return promised


def _read_ok(messages: Messages) -> Mask:
    return np.asarray(messages.operations.outcome[messages.reads.row] == OK)


def _span(message: Ints, rank: Ints, count: int) -> tuple[Ints, Ints]:
    low, high = np.full(count, _FAR), np.full(count, -1)
    np.minimum.at(low, message, rank)
    np.maximum.at(high, message, rank)
    low[low == _FAR] = -1
    return low, high


def _any(count: int, where: Ints) -> Mask:
    mask = np.zeros(count, dtype=np.bool_)
    mask[where] = True
    return mask
