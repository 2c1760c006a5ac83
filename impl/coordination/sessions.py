"""When sessions end: the leader's part, by its monotonic clock and never by the wall clock.

A session lives until nothing was heard of it for its timeout, rounded up to the next tick. A new leader
gives each its full timeout again. A session belongs to the server its client was last connected to;
requests that come through another one, from a connection that is being replaced, are refused.
"""

from __future__ import annotations

from typing import NamedTuple

from impl.coordination.protocol.errors import Code


class _Tracked(NamedTuple):
    timeout_s: float
    owner: int
    closing: bool


class SessionTracker:
    """The sessions of one leader's time in office. Times are ``loop.time()`` in seconds."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._sessions: dict[int, _Tracked] = {}
        self._ends: dict[int, int] = {}
        self._buckets: dict[int, dict[int, None]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: int, timeout_s: float, now_s: float, *, owner: int = 0) -> None:
        """Track ``session`` from now on; one that is tracked already is only touched."""
        if session not in self._sessions:
            self._sessions[session] = _Tracked(timeout_s, owner, False)
        self.touch(session, now_s)

    def remove(self, session: int) -> None:
        """The session is closed."""
        if self._sessions.pop(session, None) is not None:
            self._unbucket(session)

    def touch(self, session: int, now_s: float) -> None:
        """Something was heard of ``session``; nothing happens if it is unknown or closing."""
        tracked = self._sessions.get(session)
        if tracked is None or tracked.closing:
            return
        end = int((now_s + tracked.timeout_s) / self._tick_s) + 1
        if self._ends.get(session) != end:
            self._unbucket(session)
            self._ends[session] = end
            self._buckets.setdefault(end, {})[session] = None

    def move(self, session: int, owner: int, now_s: float) -> int | None:
        """Give ``session`` to the server ``owner``: the owner before, None if it is gone."""
        tracked = self._sessions.get(session)
        if tracked is None or tracked.closing:
            return None
        self._sessions[session] = tracked._replace(owner=owner)
        self.touch(session, now_s)
        return tracked.owner

    def check(self, session: int, owner: int) -> Code:
        """Whether the server ``owner`` may act for ``session``: OK, SESSION_EXPIRED or SESSION_MOVED."""
        tracked = self._sessions.get(session)
        if tracked is None or tracked.closing:
            return Code.SESSION_EXPIRED
        if tracked.owner and tracked.owner != owner:
            return Code.SESSION_MOVED
        return Code.OK

    def heard(self, session: int, owner: int, now_s: float) -> Code:
        """``session`` asks for something through ``owner``: a sign of life, if it may. As ``check``.

        So a client that has an answer of the leader's lives at least its timeout from its asking.
        ZooKeeper's leader waits for the next answer to a ping, which may be lost.
        """
        code = self.check(session, owner)
        if code == Code.OK:
            self.touch(session, now_s)
        return code

    def closing(self, session: int) -> None:
        """The session is about to be closed: nothing more is accepted of it."""
        tracked = self._sessions.get(session)
        if tracked is not None:
            self._sessions[session] = tracked._replace(closing=True)
            self._unbucket(session)

    def expired(self, now_s: float) -> list[int]:
        """The sessions whose time is up, each told once; they count as closing from now on."""
        now = int(now_s / self._tick_s)
        due = sorted(end for end in self._buckets if end <= now)
        sessions = [session for end in due for session in self._buckets[end]]
        for session in sessions:
            self.closing(session)
        return sessions

    def _unbucket(self, session: int) -> None:
        end = self._ends.pop(session, None)
        if end is not None:
            bucket = self._buckets[end]
            del bucket[session]
            if not bucket:
                del self._buckets[end]
