"""Taking turns: what was asked for first is done first, even if it is begun later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A lock whose order is that of ``take``, which doesn't wait."""

    def __init__(self) -> None:
        self._last: asyncio.Future[None] | None = None

    def take(self) -> Turn:
        """Stand in line, now."""
        turn = Turn(self._last)
        self._last = turn.over
        return turn


class Turn:
    """A place in the line: ``async with turn.held()`` waits for all before it. Use it once."""

    def __init__(self, before: asyncio.Future[None] | None) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._before = before

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Wait for the turn, and end it at the end."""
        try:
            if self._before is not None and not self._before.done():
                await asyncio.shield(self._before)
            yield
        finally:
            self.give_up()

    def give_up(self) -> None:
        """Let the next one have its turn, once it would have been this one's."""
        before, self._before = self._before, None
        if before is None or before.done():
            self._end()
        else:
            before.add_done_callback(lambda _: self._end())

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)
