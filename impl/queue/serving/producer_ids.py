"""Producer ids: given out one by one from blocks that the cluster's state reserves."""

from __future__ import annotations

import asyncio

from impl.queue.metadata.state import ClusterState


class ProducerIds:
    """No id is given twice, by no broker: what is left of a block at a restart is never used."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state
        self._block = iter(range(0))
        self._reserving = asyncio.Lock()

    async def next(self) -> int:
        """A new id. Raises ApiError if none can be reserved."""
        async with self._reserving:
            found = next(self._block, None)
            if found is None:
                self._block = iter(await self._state.producer_ids())
                found = next(self._block)
            return found
