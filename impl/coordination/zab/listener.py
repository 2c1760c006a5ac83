"""A listening port whose connections are each handled by a task, until it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

from impl.coordination.zab.link import Link


class Listener:
    """``async with``: listen on ``host`` and ``port``, hand each connection to ``handle``.

    On leaving, the port is closed and what is still being handled is cancelled. ``failed`` is called
    with whatever ``handle`` raises. Raises OSError if the port cannot be used.
    """

    def __init__(
        self,
        host: str,
        port: int,
        handle: Callable[[Link], Awaitable[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._address = (host, port)
        self._handle = handle
        self._failed = failed
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], None] = {}

    async def __aenter__(self) -> Listener:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Link(self._accept), *self._address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()

    def _accept(self, link: Link) -> None:
        task = asyncio.get_running_loop().create_task(self._run(link))
        self._tasks[task] = None
        task.add_done_callback(self._done)

    async def _run(self, link: Link) -> None:
        try:
            await self._handle(link)
        finally:
            link.close()

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)
