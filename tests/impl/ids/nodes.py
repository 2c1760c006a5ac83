"""ID nodes on real sockets, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from impl.host import Program
from impl.ids.server import serve
from tests.impl.hosts import StillHost


@asynccontextmanager
async def running(
    directory: Path, config: Mapping[str, Any], *, program: Program = serve
) -> AsyncIterator[StillHost]:
    """A node on ``config["port"]`` that answers, until the block ends."""
    host = StillHost(directory)
    host.per_reading_ns = 100_000
    task = asyncio.ensure_future(program(host, config))
    try:
        await _answers(task, config["port"])
        yield host
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _answers(task: asyncio.Future[None], port: int) -> None:
    while True:
        if task.done():
            task.result()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0)
        else:
            writer.close()
            return
