"""What a controller shows brokers: the image of its term, and to each of them what it lacks of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from impl.queue.metadata import wire
from impl.queue.metadata.image import Broker, Image
from impl.queue.metadata.wire import Change
from impl.queue.protocol.errors import ApiError, Code

_REMEMBERED = 500


class Images:
    """``newest`` is the cluster as it is; a broker that is not far behind is told what has changed."""

    def __init__(self, image: Image) -> None:
        self.newest = image
        self._changes: deque[Change] = deque(maxlen=_REMEMBERED)
        self._waiting: dict[asyncio.Future[None], None] = {}

    def show(self, image: Image, change: Change) -> None:
        """The next version, in which ``change`` differs; who waits is told."""
        self.newest = replace(image, version=self.newest.version + 1)
        self._changes.append(change)
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def after(
        self, broker: int, broker_epoch: int, epoch: int, version: int, wait_s: float
    ) -> dict[str, Any]:
        """What a broker lacks that has version ``version`` of controller epoch ``epoch``, at the latest
        after ``wait_s``; nothing before the broker's registration is known here.

        Raises ApiError STALE_BROKER_EPOCH when it isn't by then.
        """
        try:
            async with asyncio.timeout(wait_s):
                while epoch_of(self.newest.brokers, broker) != broker_epoch or (
                    epoch == self.newest.controller_epoch and version == self.newest.version
                ):
                    await self._next_change()
        except TimeoutError:
            if epoch_of(self.newest.brokers, broker) != broker_epoch:
                raise ApiError(Code.stale_broker_epoch) from None
        behind = self.newest.version - version
        if epoch != self.newest.controller_epoch or not 0 <= behind <= len(self._changes):
            return wire.whole(self.newest)
        return wire.since(self.newest, list(self._changes)[len(self._changes) - behind :])

    async def _next_change(self) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiting] = None
        try:
            await waiting
        finally:
            self._waiting.pop(waiting, None)


def epoch_of(brokers: Mapping[int, Broker], id: int) -> int | None:
    """The epoch of a broker that lives; None if it doesn't."""
    broker = brokers.get(id)
    return broker.epoch if broker is not None else None
