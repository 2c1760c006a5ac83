"""What stops a server that cannot trust its own disk."""

from __future__ import annotations


class Damaged(ValueError):
    """Transactions that may have been acknowledged are missing or unreadable; the server must not vote.

    A server that lost what it acknowledged could elect a leader that lost it as well.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}; this server will not vote: restore the file, or empty the data directory"
            " to have the server copied anew from the others"
        )


class DiskFailed(Exception):
    """What had to become durable did not; whether it will be there after a restart is unknown."""
