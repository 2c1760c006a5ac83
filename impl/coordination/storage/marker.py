"""A durable lower bound of what the log holds: how a log that lost its end is found out.

Written now and then, after the log was fsynced. The last intact record of the file counts, as the
bound is lowered too: before the log is truncated on the leader's word.
"""

from __future__ import annotations

import struct
from zlib import crc32

from impl.host import Disk, File

PATH = "log.marker"
_RECORD = struct.Struct(">4sqI")
_MAGIC = b"zxid"
_COMPACT_AT_BYTES = 64 * 1024


class Marker:
    """The zxid up to which the log is known to be durable."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._file: File = disk.open(PATH)
        content = self._file.read(0, self._file.size())
        whole = len(content) - len(content) % _RECORD.size
        if whole < len(content):
            self._file.truncate(whole)
        self.zxid = _last(content[:whole])

    async def set(self, zxid: int) -> None:
        """Return when ``zxid`` is on disk."""
        if self._file.size() >= _COMPACT_AT_BYTES:
            await self._disk.replace(PATH, _record(zxid))
            self._file.close()
            self._file = self._disk.open(PATH)
        else:
            self._file.append(_record(zxid))
            await self._file.fsync()
        self.zxid = zxid


def _record(zxid: int) -> bytes:
    body = _RECORD.pack(_MAGIC, zxid, 0)[:-4]
    return body + crc32(body).to_bytes(4, "big")


def _last(content: bytes) -> int:
    zxids = [
        zxid
        for place, (magic, zxid, checksum) in enumerate(_RECORD.iter_unpack(content))
        if magic == _MAGIC and crc32(content[place * 16 : place * 16 + 12]) == checksum
    ]
    return zxids[-1] if zxids else 0
