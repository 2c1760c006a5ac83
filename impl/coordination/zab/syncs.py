"""Clients that wait for a sync: until what was proposed is committed and the leader is still the leader.

ZooKeeper's own leader answers without asking anybody, and may have been deposed meanwhile; here a
quorum has to answer a ping that was sent after the request (ReadIndex in Ongaro's thesis on Raft, 2014,
section 6.4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from impl.coordination.txns import counter_of


class Syncs:
    """The waiting ones, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int, int, int]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, ping: int, zxid: int, server: int, tag: int) -> None:
        """``server`` asks, under ``tag``; ``ping`` is the next, ``zxid`` the last that was proposed."""
        self._waiting.append((ping, zxid, server, tag))

    def take(self, ping: int, zxid: int) -> Iterator[tuple[int, int]]:
        """Those that are answered when ``ping`` is confirmed and ``zxid`` is committed."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= ping and _reached(waiting[0][1], zxid):
            _, _, server, tag = waiting.popleft()
            yield server, tag


def _reached(wanted: int, committed: int) -> bool:
    """Whether ``wanted`` is committed; an epoch in which nothing was proposed yet always is."""
    return committed >= wanted or counter_of(wanted) == 0
