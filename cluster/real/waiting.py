"""Waiting for several things at once, and for what must not be cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any


async def all_done(work: Iterable[Awaitable[None]]) -> None:
    """Do all of it at the same time. Raises the first error, when all is through."""
    for error in await asyncio.gather(*work, return_exceptions=True):
        if error is not None:
            raise error


async def undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """Finish ``work`` even if this task is cancelled meanwhile, then let the cancellation go on."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled:
        raise cancelled
