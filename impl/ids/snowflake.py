"""Snowflake: 41 bits of milliseconds since an epoch, 10 bits of node id, 12 bits of sequence.

This is the core, synchronous and without a disk, for use within a process: ``next_id`` for one ID,
``take`` for many. It never gives an ID twice while it lives: what it cannot do it refuses with an
exception that says why. ``impl.ids.snowflake_node`` adds waiting and what has to survive a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

TIMESTAMP_BITS, NODE_BITS, SEQUENCE_BITS = 41, 10, 12
TIMESTAMP_END = 1 << TIMESTAMP_BITS
NODES = 1 << NODE_BITS
PER_MS = 1 << SEQUENCE_BITS
_NODE_SHIFT = SEQUENCE_BITS
_TIMESTAMP_SHIFT = NODE_BITS + SEQUENCE_BITS
_NS = 1_000_000


class Parts(NamedTuple):
    """What an ID is made of; ``timestamp_ms`` counts from the epoch it was made with."""

    timestamp_ms: int
    node_id: int
    sequence: int


def decode(snowflake: int) -> Parts:
    """Take an ID apart. Raises ValueError when it is negative or has more than 63 bits."""
    if not 0 <= snowflake < 1 << 63:
        raise ValueError(f"{snowflake} is no Snowflake ID: it must have 63 bits and no sign")
    return Parts(
        snowflake >> _TIMESTAMP_SHIFT, snowflake >> _NODE_SHIFT & NODES - 1, snowflake & PER_MS - 1
    )


def encode(timestamp_ms: int, node_id: int, sequence: int) -> int:
    """The ID with these parts."""
    return timestamp_ms << _TIMESTAMP_SHIFT | node_id << _NODE_SHIFT | sequence


class ClockMovedBack(Exception):
    """The clock stands ``behind_ns`` before the millisecond of the last ID."""

    def __init__(self, behind_ns: int) -> None:
        super().__init__(f"the clock stands {behind_ns / _NS:.3f} ms before the last ID's millisecond")
        self.behind_ns = behind_ns


class SequenceExhausted(Exception):
    """All 4096 IDs of this millisecond are used up; the next begins in ``wait_ns``."""

    def __init__(self, wait_ns: int) -> None:
        super().__init__(f"all {PER_MS} IDs of this millisecond are used; wait {wait_ns} ns")
        self.wait_ns = wait_ns


class BeyondCeiling(Exception):
    """The clock has reached ``timestamp_ms``, which is the ceiling or lies above it."""

    def __init__(self, timestamp_ms: int) -> None:
        super().__init__(f"timestamp {timestamp_ms} is not below the ceiling")
        self.timestamp_ms = timestamp_ms


class BeforeEpoch(Exception):
    """The clock stands before the epoch."""


class Snowflake:
    """Generator of one node's IDs.

    ``floor_ms`` is the least timestamp it may use; until the clock gets there it behaves as if the
    clock had moved back. ``ceiling_ms`` is the first it may not use, at most the end of 41 bits; it
    may be raised at any time. Both count from ``epoch_ms``.
    """

    __slots__ = ("_clock", "_end_ns", "_epoch_ns", "_full", "_last", "_node", "_start_ns", "ceiling_ms")

    def __init__(
        self,
        node_id: int,
        wall_clock_ns: Callable[[], int],
        *,
        epoch_ms: int,
        floor_ms: int = 0,
        ceiling_ms: int = TIMESTAMP_END,
    ) -> None:
        if not 0 <= node_id < NODES:
            raise ValueError(f"node id {node_id} does not fit: it must be 0 to {NODES - 1}")
        self._node = node_id << _NODE_SHIFT
        self._clock = wall_clock_ns
        self._epoch_ns = epoch_ms * _NS
        self._last = self._full = -1
        self._start_ns = self._end_ns = self._epoch_ns + floor_ms * _NS
        self.ceiling_ms = ceiling_ms

    def next_id(self) -> int:
        """One ID, greater than all before.

        Raises ClockMovedBack, SequenceExhausted, BeyondCeiling or BeforeEpoch; nothing is used up then.
        """
        now_ns = self._clock()
        if self._start_ns <= now_ns < self._end_ns and self._last < self._full:
            self._last = last = self._last + 1
            return last
        return self._advance(now_ns)

    def take(self, count: int) -> list[int]:
        """At least one ID and at most ``count``: what is left of this millisecond. Raises as above."""
        first = self.next_id()
        self._last = last = min(first + count - 1, self._full)
        return list(range(first, last + 1))

    def _advance(self, now_ns: int) -> int:
        if now_ns < self._epoch_ns:
            raise BeforeEpoch(f"the clock stands {(self._epoch_ns - now_ns) // _NS} ms before the epoch")
        if now_ns < self._start_ns:
            raise ClockMovedBack(self._start_ns - now_ns)
        if now_ns < self._end_ns:
            raise SequenceExhausted(self._end_ns - now_ns)
        timestamp = (now_ns - self._epoch_ns) // _NS
        if timestamp >= self.ceiling_ms:
            raise BeyondCeiling(timestamp)
        self._start_ns = self._epoch_ns + timestamp * _NS
        self._end_ns = self._start_ns + _NS
        self._last = timestamp << _TIMESTAMP_SHIFT | self._node
        self._full = self._last + PER_MS - 1
        return self._last
