"""Servers that have said yes, and whether they are a quorum by now."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from impl.coordination.zab.election import has_quorum


class Gathering:
    """``quorum`` is set once more than half of ``voters`` were added; it stays set."""

    def __init__(self, voters: Collection[int]) -> None:
        self.quorum = asyncio.Event()
        self._voters = voters
        self._present: dict[int, None] = {}

    def add(self, server: int) -> None:
        """``server`` says yes."""
        self._present[server] = None
        if has_quorum(self._present, self._voters):
            self.quorum.set()
