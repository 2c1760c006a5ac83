"""A node's disk: what was fsynced survives a power cut, the rest survives in part.

SIGKILL keeps the page cache. A power cut keeps, of each file, what was fsynced and a random prefix of
what was appended after it, sometimes with its end zeroed, as when a file's new size reaches the disk
before its data does; of new names, renames and removals it keeps a prefix, in order. Compare Pillai
et al., "All File Systems Are Not Created Equal", OSDI 2014.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import zlib
from typing import TYPE_CHECKING

from cluster.sim.world import World

if TYPE_CHECKING:
    from cluster.sim.loop import NodeLoop

_FSYNC_MIN_NS = 200_000
_FSYNC_JITTER_NS = 1_800_000
_ZEROED_TAIL = 0.25
_DIGEST_FSYNC = 9


class _Inode:
    """A file's content: as the page cache has it, and as the platter does."""

    __slots__ = ("data", "durable", "shortest", "size", "synced_at_ns")

    def __init__(self) -> None:
        self.data = bytearray()
        self.durable = bytearray()
        self.shortest = 0  # the least length since the last fsync: what is beyond was rewritten
        self.synced_at_ns = 0  # when the last fsync that was asked for is done

    def snapshot(self) -> tuple[int, bytes]:
        """What an fsync that starts now will make durable: (kept bytes, bytes after them)."""
        kept = min(self.shortest, len(self.durable))
        self.shortest = len(self.data)
        return kept, bytes(self.data[kept:])

    def commit(self, snapshot: tuple[int, bytes]) -> None:
        kept, tail = snapshot
        del self.durable[kept:]
        self.durable += tail

    def lose_power(self, stream: random.Random) -> None:
        kept = min(self.shortest, len(self.durable))
        truncated = kept < len(self.durable)
        if truncated and stream.random() < 0.5:
            self.data = bytearray(self.durable)  # the truncation never reached the disk
        else:
            self.data = self.durable[:kept] + self._torn(self.data[kept:], stream)
        self.durable = bytearray(self.data)
        self.shortest = len(self.data)

    def _torn(self, tail: bytearray, stream: random.Random) -> bytearray:
        tail = tail[: stream.randint(0, len(tail))]
        if tail and stream.random() < _ZEROED_TAIL:
            at = stream.randrange(len(tail))
            tail[at:] = bytes(len(tail) - at)
        return tail


_Change = tuple[str, str, "_Inode | None"]  # (path, path it came from or "", inode or None: gone)


class SimDisk:
    """One machine's files; kept over restarts. ``capacity_bytes`` bounds their total size."""

    def __init__(self, world: World, machine: str, code: int, capacity_bytes: int | None = None) -> None:
        self.capacity_bytes = capacity_bytes
        self.fsyncs = 0
        self.power_cuts = 0
        self._world = world
        self._machine = machine
        self._digest_code = code << 4 | _DIGEST_FSYNC
        self._latency = world.stream("disk", machine)
        self._files: dict[str, _Inode] = {}
        self._durable: dict[str, _Inode] = {}
        self._changes: list[_Change] = []
        self._applied = 0  # how many changes have become durable so far

    def lose_power(self) -> None:
        """What a power cut leaves; from a stream of its own for each cut."""
        self.power_cuts += 1
        stream = self._world.stream("power", self._machine, self.power_cuts)
        self._apply(stream.randint(0, len(self._changes)))
        self._changes.clear()
        for inode in self._inodes():
            inode.lose_power(stream)
        self._files = dict(self._durable)

    def wipe(self) -> None:
        """A new, empty disk."""
        self._files, self._durable, self._changes = {}, {}, []

    def used_bytes(self) -> int:
        """Total size of all files."""
        return sum(len(inode.data) for inode in self._files.values())

    def _inodes(self) -> list[_Inode]:
        return list({id(inode): inode for inode in self._durable.values()}.values())

    def _apply(self, count: int) -> None:
        for path, source, inode in self._changes[:count]:
            if source:
                self._durable.pop(source, None)
            if inode is None:
                self._durable.pop(path, None)
            else:
                self._durable[path] = inode
        del self._changes[:count]
        self._applied += count

    async def _sync(self, loop: NodeLoop, inode: _Inode | None) -> None:
        """One fsync: of a file, or of the directory when ``inode`` is None.

        Those of one file are done in the order in which they were asked for, as each includes the one
        before it: a process may ask again before the last is done, for instance of a cancelled task.
        """
        snapshot = inode.snapshot() if inode is not None else None
        changes = self._applied + self._changes_for(inode)
        done: asyncio.Future[None] = loop.create_future()
        cuts = self.power_cuts

        def complete(_: object) -> None:
            if self.power_cuts != cuts:
                return
            self.fsyncs += 1
            checksum = zlib.crc32(snapshot[1]) if snapshot is not None else 0
            self._world.feed(self._digest_code, checksum.to_bytes(4, "little"))
            if inode is not None and snapshot is not None:
                inode.commit(snapshot)
            self._apply(max(0, changes - self._applied))
            loop.deliver(_settle, (done,), loop.context)

        delay_ns = _FSYNC_MIN_NS + int(self._latency.random() * _FSYNC_JITTER_NS)
        when_ns = self._world.now_ns + delay_ns
        if inode is not None:
            when_ns = inode.synced_at_ns = max(when_ns, inode.synced_at_ns)
        self._world.post(when_ns, complete)
        await done

    def _changes_for(self, inode: _Inode | None) -> int:
        """How many pending name changes an fsync makes durable: all, or up to the file's creation."""
        if inode is None:
            return len(self._changes)
        created = [at for at, change in enumerate(self._changes) if change[2] is inode and not change[1]]
        return created[-1] + 1 if created else 0

    def view(self, loop: NodeLoop) -> DiskView:
        """The disk as one incarnation of the node's process uses it."""
        return DiskView(self, loop)


def _settle(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


class SimFile:
    """An open file of a simulated disk; see ``impl.host.File``."""

    def __init__(self, disk: SimDisk, loop: NodeLoop, inode: _Inode) -> None:
        self._disk = disk
        self._loop = loop
        self._inode = inode

    def append(self, data: bytes) -> None:
        capacity = self._disk.capacity_bytes
        if capacity is not None and self._disk.used_bytes() + len(data) > capacity:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._inode.data += data

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self._inode.data[offset : offset + size])

    def size(self) -> int:
        return len(self._inode.data)

    def truncate(self, size: int) -> None:
        del self._inode.data[size:]
        self._inode.shortest = min(self._inode.shortest, size)

    async def fsync(self) -> None:
        await self._disk._sync(self._loop, self._inode)

    def close(self) -> None:
        """Nothing to give back."""


class DiskView:
    """``impl.host.Disk`` over a simulated disk, for one process."""

    def __init__(self, disk: SimDisk, loop: NodeLoop) -> None:
        self._disk = disk
        self._loop = loop

    def open(self, path: str) -> SimFile:
        files = self._disk._files
        if path not in files:
            files[path] = _Inode()
            self._disk._changes.append((path, "", files[path]))
        return SimFile(self._disk, self._loop, files[path])

    def read(self, path: str) -> bytes:
        return bytes(self._inode(path).data)

    def exists(self, path: str) -> bool:
        return path in self._disk._files

    def names(self, directory: str = "") -> list[str]:
        prefix = directory.rstrip("/") + "/" if directory else ""
        below = [path.removeprefix(prefix) for path in self._disk._files if path.startswith(prefix)]
        return sorted(name for name in below if "/" not in name)

    def rename(self, source: str, target: str) -> None:
        inode = self._inode(source)
        del self._disk._files[source]
        self._disk._files[target] = inode
        self._disk._changes.append((target, source, inode))

    def remove(self, path: str) -> None:
        self._inode(path)
        del self._disk._files[path]
        self._disk._changes.append((path, "", None))

    async def fsync_directory(self, directory: str = "") -> None:
        await self._disk._sync(self._loop, None)

    async def replace(self, path: str, data: bytes) -> None:
        temporary = f"{path}.new"
        file = self.open(temporary)
        file.truncate(0)
        file.append(data)
        await file.fsync()
        self.rename(temporary, path)
        await self.fsync_directory()

    def _inode(self, path: str) -> _Inode:
        inode = self._disk._files.get(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return inode
