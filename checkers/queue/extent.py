"""How far each partition was read: by anybody, and by the last one who read it to its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from checkers.queue.messages import Ints, Mask, Messages
from checkers.queue.versions import Versions
from history.history import OK, PENDING

NOBODY = -1


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Extent:
    """By partition; NOBODY where there is none.

    ``rank`` and ``offset`` are those of the furthest message that was read, in operation ``row``; of a
    message at several offsets the first one counts, as in Jepsen's bound. ``full`` is the operation
    that was called last of those that read the partition to its end, ``begin`` and ``end`` the
    offsets between which it did.
    """

    rank: Ints
    row: Ints
    offset: Ints
    full: Ints
    begin: Ints
    end: Ints

    def told(self, messages: Messages, key: int) -> tuple[str, int]:
        """How far the partition was read, for a message, and the operation that did."""
        if self.full[key] >= 0:
            return f"its end, {self.end[key]}", int(self.full[key])
        return f"offset {self.offset[key]}", int(self.row[key])


def extent(messages: Messages, versions: Versions) -> Extent:
    """The extents of all partitions; only successful operations count."""
    rank, row, offset = _furthest(messages, versions)
    full, begin, end = _full(messages)
    return Extent(rank=rank, row=row, offset=offset, full=full, begin=begin, end=end)


def lost(messages: Messages, versions: Versions, how_far: Extent) -> tuple[Mask, Mask]:
    """Which messages must be there and were read by nobody: those passed by, and the others.

    Passed by are those at or below the furthest rank read, and those that were acknowledged before
    their partition was read to its end.
    """
    unread = versions.promised & ~versions.read
    below = (versions.last >= 0) & (versions.last <= how_far.rank[messages.home])
    passed = unread & (below | _before_the_end(messages, how_far))
    return passed, unread & ~passed


def _before_the_end(messages: Messages, how_far: Extent) -> Mask:
    sends, operations = messages.sends, messages.operations
    returned = np.full(len(messages.home), PENDING)
    acked = sends.outcome == OK
    np.minimum.at(returned, sends.message[acked], operations.ret[sends.row[acked]])
    full = how_far.full[messages.home]
    called = np.where(full >= 0, operations.call[full], -1)
    return np.asarray(returned < called)


def _furthest(messages: Messages, versions: Versions) -> tuple[Ints, Ints, Ints]:
    rank, row, offset = _nobody(messages), _nobody(messages), _nobody(messages)
    reads = messages.reads
    good = np.flatnonzero(messages.operations.outcome[reads.row] == OK)
    first = versions.first[reads.message[good]]
    np.maximum.at(rank, reads.key[good], first)
    at = good[first == rank[reads.key[good]]][::-1]  # of several the first one is to stay
    row[reads.key[at]], offset[reads.key[at]] = reads.row[at], reads.offset[at]
    return rank, row, offset


def _full(messages: Messages) -> tuple[Ints, Ints, Ints]:
    full, begin, end = _nobody(messages), _nobody(messages), _nobody(messages)
    operations = messages.operations
    positions = {
        (step.row, key): offset
        for step in messages.steps
        if step.name == "position"
        for key, offset in step.content.items()
    }
    for step in messages.steps:
        if step.name == "end" and operations.outcome[step.row] == OK:
            for key, offset in step.content.items():
                if step.row >= full[key]:  # rows are in the order of the calls
                    full[key], end[key] = step.row, offset
                    begin[key] = positions.get((step.row, key), 0)
    return full, begin, end


def _nobody(messages: Messages) -> Ints:
    return np.full(len(messages.keys), NOBODY, dtype=np.int64)
