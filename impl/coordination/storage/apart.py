"""Log files on a disk of their own (``dataLogDir``): two disks that look like one."""

from __future__ import annotations

from impl.coordination.storage.log import PREFIX
from impl.host import Disk, File


class LogApart:
    """What is called ``log.*`` lies on ``log``, all else on ``rest``. A ``host.Disk``."""

    def __init__(self, rest: Disk, log: Disk) -> None:
        self._rest = rest
        self._log = log

    def _disk(self, path: str) -> Disk:
        return self._log if path.startswith(PREFIX) else self._rest

    def open(self, path: str) -> File:
        return self._disk(path).open(path)

    def read(self, path: str) -> bytes:
        return self._disk(path).read(path)

    def exists(self, path: str) -> bool:
        return self._disk(path).exists(path)

    def names(self, directory: str = "") -> list[str]:
        return sorted((*self._rest.names(directory), *self._log.names(directory)))

    def rename(self, source: str, target: str) -> None:
        self._disk(source).rename(source, target)

    def remove(self, path: str) -> None:
        self._disk(path).remove(path)

    async def fsync_directory(self, directory: str = "") -> None:
        await self._log.fsync_directory(directory)
        await self._rest.fsync_directory(directory)

    async def replace(self, path: str, data: bytes) -> None:
        await self._disk(path).replace(path, data)


def log_apart(rest: Disk, log: Disk) -> LogApart:
    """Both as one. Raises ValueError if there are log files on ``rest``, which would not be read."""
    misplaced = [name for name in rest.names() if name.startswith(PREFIX)]
    if misplaced:
        raise ValueError(
            f"'dataLogDir' is set and {misplaced[0]} is in 'dataDir'; move the log.* files there first"
        )
    return LogApart(rest, log)
