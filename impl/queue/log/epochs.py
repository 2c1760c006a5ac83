"""Where each leader epoch begins in a log (KIP-101): what truncation goes by, not the high watermark."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple


class EpochStart(NamedTuple):
    """``epoch``'s first batch is at ``start_offset``."""

    epoch: int
    start_offset: int


class EpochCache:
    """The epochs that have batches in a log, ascending."""

    def __init__(self, entries: Iterable[EpochStart] = ()) -> None:
        self.entries = list(entries)

    @property
    def latest(self) -> int:
        """The newest epoch; -1 if there is none."""
        return self.entries[-1].epoch if self.entries else -1

    def note(self, epoch: int, offset: int) -> None:
        """A batch of ``epoch`` is at ``offset``."""
        if epoch > self.latest:
            self.entries.append(EpochStart(epoch, offset))

    def truncate(self, end_offset: int) -> None:
        """Forget what begins at ``end_offset`` or later."""
        while self.entries and self.entries[-1].start_offset >= end_offset:
            self.entries.pop()

    def advance(self, start_offset: int) -> None:
        """Forget what ends at ``start_offset`` or before; the epoch that spans it begins there."""
        while len(self.entries) > 1 and self.entries[1].start_offset <= start_offset:
            self.entries.pop(0)
        if self.entries and self.entries[0].start_offset < start_offset:
            self.entries[0] = EpochStart(self.entries[0].epoch, start_offset)

    def end_of(self, epoch: int, end_offset: int) -> tuple[int, int]:
        """The largest epoch not above ``epoch`` and the offset at which it ends; (-1, -1) if unknown.

        ``end_offset`` is the log's. This is what OffsetForLeaderEpoch answers (KIP-279).
        """
        at = bisect_right(self.entries, epoch, key=lambda entry: entry.epoch)
        if at == 0:
            return -1, -1
        ends = self.entries[at].start_offset if at < len(self.entries) else end_offset
        return self.entries[at - 1].epoch, ends

    def at(self, offset: int) -> int:
        """The epoch that the batch at ``offset`` is of; -1 if that isn't known."""
        at = bisect_right(self.entries, offset, key=lambda entry: entry.start_offset)
        return self.entries[at - 1].epoch if at else -1
