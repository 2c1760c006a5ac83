"""A number on disk that only grows: whatever was handed out lies below it, even after a power cut.

The file is a sequence of records of sixteen bytes, each a number and its CRC. Records have a fixed
size, so a torn tail or a page that was lost cannot hide the records around it; the largest intact
record counts. Callers that wait at the same time share one fsync.
"""

from __future__ import annotations

import asyncio
import struct
from zlib import crc32

from impl.host import Disk, File

_RECORD = struct.Struct("<4sQI")
_MAGIC = b"mark"
_COMPACT_AT_BYTES = 64 * 1024


class Watermark:
    """The number in one file of a node's disk; open it with ``Watermark.open``."""

    __slots__ = ("_disk", "_durable", "_file", "_lock", "_path", "_wanted")

    def __init__(self, disk: Disk, path: str, file: File, mark: int) -> None:
        self._disk = disk
        self._path = path
        self._file = file
        self._durable = self._wanted = mark
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, disk: Disk, path: str) -> Watermark:
        """Recover the number: 0 when there is none yet.

        It may be one that was written and never fsynced; whoever hands out numbers from there on needs
        a higher mark first, whose fsync covers both.

        The directory is fsynced even when the file exists: it may have been made by a process that was
        killed before it came to that, and would be gone with the next power cut.
        """
        file = disk.open(path)
        await disk.fsync_directory()
        data = file.read(0, file.size())
        whole = len(data) - len(data) % _RECORD.size
        if whole < len(data):
            file.truncate(whole)
        return cls(disk, path, file, largest(data[:whole]))

    @property
    def durable(self) -> int:
        """Every number below this one was reserved, and will still be after a crash."""
        return self._durable

    async def raise_to(self, mark: int) -> None:
        """Return when ``durable`` is ``mark`` or more. Raises OSError; ``durable`` then stays."""
        self._wanted = max(self._wanted, mark)
        while self._durable < mark:
            async with self._lock:
                if self._durable < mark:
                    await self._write(self._wanted)

    async def _write(self, mark: int) -> None:
        size = self._file.size()
        if size >= _COMPACT_AT_BYTES:
            await self._compact(mark)
        else:
            await self._append(mark, size)
        self._durable = mark

    async def _append(self, mark: int, size: int) -> None:
        if size % _RECORD.size:  # a full disk took only part of the record before
            self._file.truncate(size - size % _RECORD.size)
        self._file.append(record(mark))
        await self._file.fsync()

    async def _compact(self, mark: int) -> None:
        await self._disk.replace(self._path, record(mark))
        replaced, self._file = self._file, self._disk.open(self._path)
        replaced.close()


def record(mark: int) -> bytes:
    """The sixteen bytes that hold ``mark``."""
    body = _RECORD.pack(_MAGIC, mark, 0)[:-4]
    return body + struct.pack("<I", crc32(body))


def largest(data: bytes) -> int:
    """The largest number in ``data``'s intact records, 0 when there is none."""
    marks = (
        mark
        for start, (magic, mark, crc) in enumerate(_RECORD.iter_unpack(data))
        if magic == _MAGIC and crc == crc32(data[start * 16 : start * 16 + 12])
    )
    return max(marks, default=0)
