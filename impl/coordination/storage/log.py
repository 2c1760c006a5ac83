"""The transaction log: appended to in the order of zxids, fsynced in groups, read again for recovery.

What is appended waits in memory until the next group is written and fsynced by ``run``; all that
came while one fsync was under way goes into the next. Only a durable transaction is acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from impl.coordination.storage.errors import Damaged, DiskFailed
from impl.coordination.storage.marker import Marker
from impl.coordination.storage.records import MAGIC, Record, Scan, frame, scan
from impl.coordination.txns import counter_of, epoch_of
from impl.host import Disk, File

PREFIX = "log."
_MARK_EVERY_S = 1.0
_RECENT = 1000
_log = logging.getLogger(__name__)


class Logged(NamedTuple):
    """A transaction's zxid and bytes."""

    zxid: int
    data: bytes


class TxnLog:
    """The log in the files ``log.<first zxid>``.

    ``base`` is the zxid before the first that it holds, ``last`` that of the last one appended, and
    ``ends`` the last zxid of each epoch it knows of, the base's included. Open it with ``recover``.
    """

    def __init__(self, disk: Disk, marker: Marker) -> None:
        self.base = 0
        self.last = 0
        self.durable = 0
        self.ends: list[int] = []
        self._disk = disk
        self._marker = marker
        self._file: File | None = None
        self._buffer: list[bytes] = []
        self._recent: deque[Logged] = deque(maxlen=_RECENT)
        self._new_name = False
        self._work = asyncio.Event()
        self._roll = False
        self._marked_s = 0.0

    # --- recovery -----------------------------------------------------------------------------

    async def recover(self, snapshot_zxid: int) -> None:
        """Read what there is; cut a torn tail. Raises Damaged, and then changes nothing.

        ``snapshot_zxid`` is that of the newest good snapshot: older transactions are not needed.
        """
        self.base = self.last = snapshot_zxid
        self.ends = [snapshot_zxid] if snapshot_zxid else []
        scans = [(name, scan(self._disk.read(name))) for name in self._names()]
        _check_ends(scans)
        records = [record for _, each in scans for record in each.records]
        self._adopt(records, snapshot_zxid)
        if self.last < self._marker.zxid:
            raise Damaged(f"the log ends at {self.last:#x}, and {self._marker.zxid:#x} was acknowledged")
        await self._repair(scans, snapshot_zxid)
        self.durable = self.last

    def _adopt(self, records: Sequence[Record], snapshot_zxid: int) -> None:
        """Take over what the log holds, if it leads up to and beyond the snapshot without a gap."""
        before = 0
        for record in records:
            if before and not follows(record.zxid, before):
                raise Damaged(f"the log goes from {before:#x} to {record.zxid:#x}; a part is missing")
            before = record.zxid
        newer = [record.zxid for record in records if record.zxid > snapshot_zxid]
        if newer and records[0].zxid > snapshot_zxid and not follows(newer[0], snapshot_zxid):
            raise Damaged(
                f"the log begins at {newer[0]:#x}, and the snapshot ends at {snapshot_zxid:#x}"
            )
        if records and records[-1].zxid >= snapshot_zxid:
            self.base = min(snapshot_zxid, records[0].zxid - 1)
            self.ends = [self.base] if counter_of(self.base) else []
            for record in records:
                self._note(record.zxid)

    async def _repair(self, scans: list[tuple[str, Scan]], snapshot_zxid: int) -> None:
        behind = (
            self.last
            == snapshot_zxid
            > max((each.zxid for _, f in scans for each in f.records), default=0)
        )
        for name, found in reversed(scans):
            if behind or not found.records:
                self._disk.remove(name)
                await self._disk.fsync_directory()
            elif found.fault:
                _log.warning("%s: cut behind its last whole record, %s", name, found.fault)
                await self._cut(name, found.end)
        if names := self._names():
            await self._cut(names[-1], self._disk.open(names[-1]).size())
            await self._disk.fsync_directory()

    def _names(self) -> list[str]:
        names = (name for name in self._disk.names() if name.startswith(PREFIX))
        files = [name for name in names if name != "log.marker" and not name.endswith(".new")]
        return sorted(files, key=lambda name: int(name.removeprefix(PREFIX), 16))

    # --- appending ----------------------------------------------------------------------------

    def append(self, zxid: int, data: bytes) -> None:
        """Take a transaction; it is durable once ``durable`` has reached ``zxid``."""
        self._buffer.append(frame(data))
        self._recent.append(Logged(zxid, data))
        self._note(zxid)
        self._work.set()

    async def run(self, synced: Callable[[int], None]) -> None:
        """Write and fsync in groups, forever; tell ``synced`` up to which zxid all is durable."""
        while True:
            await self._work.wait()
            self._work.clear()
            zxid = self.last
            await self.sync()
            synced(zxid)

    async def sync(self) -> None:
        """Return when all that was appended before the call is durable. Raises DiskFailed."""
        zxid = self.last
        try:
            if self._buffer or self.durable < zxid:
                self._write_out()
                await self._fsync()
        except OSError as error:
            raise DiskFailed(f"the log cannot be written: {error}") from error
        self.durable = zxid
        now_s = asyncio.get_running_loop().time()
        if zxid > self._marker.zxid and now_s - self._marked_s > _MARK_EVERY_S:
            self._marked_s = now_s
            await self._marker.set(zxid)

    def _write_out(self) -> None:
        if not self._buffer:
            return
        data = b"".join(self._buffer)
        self._buffer.clear()
        if self._file is None or self._roll:
            self._start_file(data)
        assert self._file is not None
        self._file.append(data)

    async def _fsync(self) -> None:
        if self._file is not None:
            await self._file.fsync()
        if self._new_name:
            await self._disk.fsync_directory()
            self._new_name = False

    def _start_file(self, data: bytes) -> None:
        first = scan(MAGIC + data).records[0].zxid
        if self._file is not None:
            self._file.close()
        self._file = self._disk.open(f"{PREFIX}{first:x}")
        self._file.truncate(0)
        self._file.append(MAGIC)
        self._new_name = True
        self._roll = False

    def _note(self, zxid: int) -> None:
        if self.ends and epoch_of(self.ends[-1]) == epoch_of(zxid):
            self.ends[-1] = zxid
        else:
            self.ends.append(zxid)
        self.last = zxid

    # --- reading, cutting, purging ------------------------------------------------------------

    def after(self, zxid: int) -> Iterator[Logged]:
        """What was logged after ``zxid``, oldest first, not only what is durable."""
        if zxid >= self.last or (self._recent and self._recent[0].zxid <= zxid):
            yield from [each for each in self._recent if each.zxid > zxid]
        else:
            yield from self._read_after(zxid)

    def _read_after(self, zxid: int) -> Iterator[Logged]:
        names = self._names()
        for place, name in enumerate(names):
            following = names[place + 1 : place + 2]
            if following and int(following[0].removeprefix(PREFIX), 16) <= zxid + 1:
                continue
            for record in scan(self._disk.read(name)).records:
                if record.zxid > zxid:
                    yield Logged(record.zxid, record.data)
        for record in scan(MAGIC + b"".join(self._buffer)).records:
            if record.zxid > zxid:
                yield Logged(record.zxid, record.data)

    async def truncate(self, zxid: int) -> None:
        """Forget everything after ``zxid``; durable on return. Newest files go first.

        What still waits to be written is written before: a part of it may be from before ``zxid``.
        """
        await self.sync()
        await self._marker.set(min(zxid, self._marker.zxid))
        self._close()
        for name in reversed(self._names()):
            found = scan(self._disk.read(name))
            kept = [record.end for record in found.records if record.zxid <= zxid]
            if kept:
                await self._cut(name, kept[-1])
                break
            self._disk.remove(name)
            await self._disk.fsync_directory()
        older = [end for end in self.ends if epoch_of(end) < epoch_of(zxid)]
        self.ends = [*older, zxid] if zxid else older
        self.last = self.durable = zxid

    async def _cut(self, name: str, end: int) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._disk.open(name)
        self._file.truncate(end)
        await self._file.fsync()

    async def reset(self, zxid: int) -> None:
        """A snapshot of ``zxid`` is durable, sent by the leader: nothing of this log is needed."""
        await self._marker.set(0)
        self._close()
        for name in reversed(self._names()):
            self._disk.remove(name)
        await self._disk.fsync_directory()
        self.base = self.last = self.durable = zxid
        self.ends = [zxid]

    def roll(self) -> None:
        """Begin a new file with the next group."""
        self._roll = True

    def purge(self, zxid: int) -> None:
        """Remove the files that hold nothing after ``zxid``."""
        names = self._names()
        for name, following in pairwise(names):
            if int(following.removeprefix(PREFIX), 16) <= zxid + 1:
                self._disk.remove(name)
                self.base = int(following.removeprefix(PREFIX), 16) - 1

    def _close(self) -> None:
        self._buffer.clear()
        self._recent.clear()
        self._work.clear()
        self._roll = False
        if self._file is not None:
            self._file.close()
            self._file = None


def _check_ends(scans: Sequence[tuple[str, Scan]]) -> None:
    """Only the last file may have a torn tail."""
    for place, (name, found) in enumerate(scans):
        if found.fault and not (found.torn and place == len(scans) - 1):
            raise Damaged(f"{name}, {found.fault}; no crash leaves a log like that")


def follows(zxid: int, before: int) -> bool:
    """Whether ``zxid`` may come next: the epoch's next, or a later epoch's first."""
    if epoch_of(zxid) == epoch_of(before):
        return zxid == before + 1
    return zxid > before and counter_of(zxid) == 1
