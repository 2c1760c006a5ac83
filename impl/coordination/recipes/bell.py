"""Waiting for a watch, or for the end of the session, whichever comes first."""

from __future__ import annotations

import asyncio
from types import TracebackType

from impl.coordination.client.client import Client
from impl.coordination.client.states import Transition
from impl.coordination.client.watches import WatchEvent
from impl.coordination.recipes.insist import SessionLost


class Bell:
    """``ring`` is the watch to set. Used as a context manager, so that the client forgets it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._rung = asyncio.Event()

    def __enter__(self) -> Bell:
        self._stop = self._client.listen(self._listen)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def ring(self, event: WatchEvent) -> None:
        """Wake who waits, or the next who will."""
        self._rung.set()

    async def heard(self) -> None:
        """Return when it has rung since the last time. Raises SessionLost."""
        if not self._client.state.final:
            await self._rung.wait()
            self._rung.clear()
        if self._client.state.final:
            raise SessionLost(self._client)

    def _listen(self, transition: Transition) -> None:
        if transition.state.final:
            self._rung.set()
