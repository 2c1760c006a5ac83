"""All that a server keeps on its disk: epochs, log and snapshots; and the tree made of them."""

from __future__ import annotations

import logging

from impl.coordination.config import Config
from impl.coordination.protocol.jute import Malformed
from impl.coordination.storage import snapshot
from impl.coordination.storage.epochs import Epochs
from impl.coordination.storage.errors import Damaged
from impl.coordination.storage.log import TxnLog
from impl.coordination.storage.marker import Marker
from impl.coordination.tree import Frozen, Tree, Watcher
from impl.host import Disk

_log = logging.getLogger(__name__)


class Store:
    """A server's disk, recovered. ``retain`` is how many snapshots, with the logs after them, stay."""

    def __init__(self, disk: Disk, epochs: Epochs, log: TxnLog, *, retain: int = 3) -> None:
        self._disk = disk
        self._retain = retain
        self.epochs = epochs
        self.log = log

    def tree(self, watcher: Watcher | None = None) -> Tree:
        """The state of the newest good snapshot: what the log has beyond may not be committed."""
        found = self.newest()
        return Tree(watcher) if found is None else self.thaw(found, watcher)

    def thaw(self, frozen: Frozen, watcher: Watcher | None = None) -> Tree:
        """The tree of a snapshot."""
        return Tree.thaw(frozen, watcher)

    def newest(self) -> Frozen | None:
        """The newest snapshot that is good; what is wrong with newer ones goes to the log."""
        for zxid in reversed(snapshot.zxids(self._disk)):
            try:
                return snapshot.read(self._disk, zxid)
            except Malformed as error:
                _log.error("snapshot passed over: %s", error)
        return None

    async def save(self, frozen: Frozen) -> None:
        """Write a snapshot, begin a new log file, and remove what ``retain`` snapshots don't need."""
        await snapshot.write(self._disk, frozen)
        self.log.roll()
        await self._purge()

    async def install(self, frozen: Frozen) -> None:
        """Take over a snapshot that the leader sent, in place of the whole log. Durable on return."""
        await snapshot.write(self._disk, frozen)
        for zxid in snapshot.zxids(self._disk):
            if zxid > frozen.zxid:
                self._disk.remove(snapshot.name(zxid))
        await self.log.reset(frozen.zxid)

    async def _purge(self) -> None:
        zxids = snapshot.zxids(self._disk)
        if len(zxids) < self._retain:
            return
        for zxid in zxids[: -self._retain]:
            self._disk.remove(snapshot.name(zxid))
        await self._disk.fsync_directory()
        self.log.purge(zxids[-self._retain])


async def recover(disk: Disk, *, retain: int = 3) -> Store:
    """What ``disk`` holds after a stop of any kind. Raises Damaged if something is lost."""
    for name in disk.names():
        if name.endswith(snapshot.PART):
            disk.remove(name)
    epochs = Epochs.load(disk)
    log = TxnLog(disk, Marker(disk))
    store = Store(disk, epochs, log, retain=retain)
    newest = store.newest()
    await log.recover(newest.zxid if newest else 0)
    written = snapshot.zxids(disk)
    if written and log.last < written[-1]:
        raise Damaged(f"{snapshot.name(written[-1])} is damaged and the log ends at {log.last:#x}")
    return store


async def open_store(disk: Disk, config: Config) -> Store:
    """``recover`` with what ``config`` says of it."""
    return await recover(disk, retain=config.snap_retain)
