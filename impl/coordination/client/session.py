"""What a client knows of its session: who it is, what it has seen, and until when it must be alive.

Times are ``loop.time()`` in seconds. A server that answers heard the question no earlier than it was
sent; so counting from the sending can only end the session sooner here than there.

There are two grades of knowledge. Any answer shows that *a server* has heard of the session. Only what a
quorum had a part in (a new session, a write, a sync) shows that the one who lets sessions expire has: a
follower that is cut off from the leader answers pings for a while, and a leader that was deposed takes a
session back from what it knew.
"""

from __future__ import annotations

import math

from impl.coordination.protocol.records import ConnectRequest, ConnectResponse

NO_PASSWORD = bytes(16)


class Session:
    """One session. ``timeout_s`` is what is wished for until a server has agreed on another."""

    def __init__(self, timeout_s: float, last_zxid: int) -> None:
        self.id = 0
        self.password = NO_PASSWORD
        self.timeout_s = timeout_s
        self.last_zxid = last_zxid
        self.heard_s = math.inf
        self.confirmed_s = -math.inf
        self._wished_ms = round(timeout_s * 1000)
        self._writable = False

    @property
    def deadline_s(self) -> float:
        """When the session is over unless a server is heard; infinite before there is one."""
        return self.heard_s + self.timeout_s

    def introduction(self) -> ConnectRequest:
        """What a connection begins with. A read-only server's session is known to nobody else."""
        if not self._writable:
            return ConnectRequest(0, self.last_zxid, self._wished_ms, 0, NO_PASSWORD)
        return ConnectRequest(0, self.last_zxid, self._wished_ms, self.id, self.password)

    def adopt(self, response: ConnectResponse, sent_s: float, *, read_only: bool) -> None:
        """A server accepted what was sent at ``sent_s``: a new session, or this one once more."""
        new = self.id != response.session
        self.id = response.session
        self.password = response.password or NO_PASSWORD
        self.timeout_s = response.timeout_ms / 1000
        self._writable = self._writable or not read_only
        if self._writable:
            self.heard_s = sent_s
        if new and not read_only:
            self.confirmed_s = sent_s

    def answered(self, sent_s: float) -> None:
        """A server answered what was sent at ``sent_s``."""
        if self.heard_s < sent_s:
            self.heard_s = sent_s

    def confirmed(self, sent_s: float) -> None:
        """A quorum had a part in the answer to what was sent at ``sent_s``."""
        if self.confirmed_s < sent_s:
            self.confirmed_s = sent_s

    def saw(self, zxid: int) -> None:
        """A reply carried ``zxid``; servers that are behind it are refused from now on."""
        if zxid > self.last_zxid:
            self.last_zxid = zxid
