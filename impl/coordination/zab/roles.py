"""The seam between replication and the clients of a server: what each asks of the other."""

from __future__ import annotations

from typing import Protocol

from impl.coordination.replica import Pending
from impl.coordination.requests import Request
from impl.coordination.tree import Result

READ_ONLY = "read-only"


class Abdicated(Exception):
    """The server can no longer be what it was elected to be; the message says why."""


class Role(Protocol):
    """What a server that serves does for its clients: by itself if it leads, else by asking the leader.

    Answers come through ``Service``, by ``tag``, in the order in which things were asked.
    """

    @property
    def mode(self) -> str:
        """``leader``, ``follower``, ``observer``, ``standalone`` or ``read-only``."""

    def submit(self, request: Request) -> None:
        """Have ``request`` made into a transaction; ``Service.applied`` follows."""

    def sync(self, tag: int, session: int) -> None:
        """Wait, for ``session``, for all that is proposed by now; ``Service.synced`` follows."""

    def revalidate(self, tag: int, session: int, password: bytes) -> None:
        """Take over a session that has come here; ``Service.revalidated`` follows."""

    def touch(self, session: int) -> None:
        """A client of this server was heard of."""


class Alone:
    """The role of a server that has no quorum and serves reads, to those who ask for no more.

    Clients ask nothing of it: a read-only server refuses writes by itself.
    """

    @property
    def mode(self) -> str:
        return READ_ONLY

    def submit(self, request: Request) -> None:
        return

    def sync(self, tag: int, session: int) -> None:
        return

    def revalidate(self, tag: int, session: int, password: bytes) -> None:
        return

    def touch(self, session: int) -> None:
        return


class Service(Protocol):
    """The clients of a server, as replication sees them."""

    @property
    def serving(self) -> bool:
        """Whether the last ``start`` came after the last ``stop``."""

    def start(self, role: Role) -> None:
        """The state is up to date: serve."""

    def stop(self) -> None:
        """Serve no more, until the next ``start``; nothing that was asked is answered."""

    def applied(self, entry: Pending, result: Result) -> None:
        """A transaction has reached the tree."""

    def synced(self, tag: int) -> None:
        """What ``Role.sync`` waited for is there."""

    def revalidated(self, tag: int, timeout_ms: int) -> None:
        """The session is this server's now, or gone if ``timeout_ms`` is 0."""

    def moved(self, session: int) -> None:
        """The session is another server's now."""
