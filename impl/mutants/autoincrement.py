"""Auto-increment nodes that forget how far they had counted, or count as another does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from impl.host import File, Host
from impl.ids.config import Config
from impl.ids.server import serve
from impl.ids.watermark import largest, record
from impl.mutants.mutant import Mutant
from impl.mutants.swap import serve_with

_RECORD_BYTES = 16
_FSYNC_EVERY_S = 1.0


class Recomputed:
    """``SELECT MAX(id) FROM jobs`` at start, where finished jobs have been deleted: nothing is left."""

    def __init__(self, config: Config) -> None:
        self._next = config.offset
        self._step = config.step

    async def take(self, count: int) -> list[int]:
        first = self._next
        self._next = first + count * self._step
        return list(range(first, self._next, self._step))


class LateFsync:
    """Writes the counter before it answers, but fsyncs in the background, once a second."""

    def __init__(self, file: File, config: Config) -> None:
        data = file.read(0, file.size() - file.size() % _RECORD_BYTES)
        self._file = file
        self._file.truncate(len(data))
        self._next = largest(data)
        self._config = config
        self._syncing: asyncio.Task[None] | None = None

    async def take(self, count: int) -> list[int]:
        first = self._next
        self._next = first + count
        self._file.append(record(self._next))
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._sync_later())
        offset, step = self._config.offset, self._config.step
        return [offset + number * step for number in range(first, self._next)]

    async def _sync_later(self) -> None:
        await asyncio.sleep(_FSYNC_EVERY_S)
        await self._file.fsync()


async def _open_recomputed(host: Host, config: Config) -> Recomputed:
    return Recomputed(config)


async def _open_late_fsync(host: Host, config: Config) -> LateFsync:
    file = host.disk.open("autoincrement.mark")
    await host.disk.fsync_directory()
    return LateFsync(file, config)


async def _serve_with_offset_of_the_first(host: Host, config: Mapping[str, Any]) -> None:
    """The second node was cloned from the first, settings and all."""
    offset = 1 if config.get("offset") == 2 else config.get("offset")
    await serve(host, {**config, "offset": offset})


MUTANTS = (
    Mutant(
        name="autoincrement-recomputed-after-restart",
        kind="autoincrement",
        program=serve_with("autoincrement", _open_recomputed),
        failure="InnoDB before MySQL 8.0 (MySQL bug 199): the counter lived in memory and was computed "
        "anew as MAX(id) + 1 after a restart, so IDs of deleted rows came back",
        workload="autoincrement",
        caught_by="unique-ids",
        seeds=5,
        faults=("kill", "power", "rolling-restart"),
        on_real_clusters=True,
    ),
    Mutant(
        name="autoincrement-fsync-after-answer",
        kind="autoincrement",
        program=serve_with("autoincrement", _open_late_fsync),
        failure="INCR on Redis with 'appendfsync everysec', or 'innodb_flush_log_at_trx_commit=2': a "
        "power cut loses the last second of the counter",
        workload="autoincrement",
        caught_by="unique-ids",
        seeds=30,
        faults=("power",),
    ),
    Mutant(
        name="autoincrement-same-offset",
        kind="autoincrement",
        program=_serve_with_offset_of_the_first,
        failure="a MySQL multi-master pair where auto_increment_offset was cloned along with the server",
        workload="autoincrement",
        caught_by="autoincrement",
        seeds=1,
        on_real_clusters=True,
    ),
)
