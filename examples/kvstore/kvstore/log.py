"""Where a replica keeps what it promised: an append-only file of lines."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Protocol


class Log(Protocol):
    """What a replica needs of a disk."""

    def read(self) -> bytes:
        """All that was appended; the end may be torn after a power cut."""

    async def append(self, data: bytes) -> None:
        """Return when ``data`` survives a power cut."""


class FileLog:
    """A ``Log`` in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        return self._path.read_bytes() if self._path.exists() else b""

    async def append(self, data: bytes) -> None:
        await asyncio.to_thread(self._append, data)

    def _append(self, data: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
