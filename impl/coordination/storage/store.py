"""All that a server keeps on its disk: epochs, log and snapshots; and the tree made of them."""

from __future__ import annotations

import logging
from collections.abc import Callable

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
    """A server's disk, recovered. ``retain`` is how many snapshots, with the logs after them, stay.

    ``members`` is what the tree has to say of who the servers are, whatever a snapshot says.
    """

    def __init__(
        self, disk: Disk, epochs: Epochs, log: TxnLog, *, retain: int = 3, members: bytes = b""
    ) -> None:
        self._disk = disk
        self._retain = retain
        self._members = members
        self.epochs = epochs
        self.log = log

    def tree(self, watcher: Watcher | None = None) -> Tree:
        """The state of the newest good snapshot: what the log has beyond may not be committed."""
        found = self.newest()
        if found is not None:
            return self.thaw(found, watcher)
        return self._described(Tree(watcher))

    def thaw(self, frozen: Frozen, watcher: Watcher | None = None) -> Tree:
        """The tree of a snapshot."""
        return self._described(Tree.thaw(frozen, watcher))

    def _described(self, tree: Tree) -> Tree:
        if self._members:
            tree.describe(self._members)
        return tree

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


async def recover(
    disk: Disk,
    *,
    retain: int = 3,
    members: bytes = b"",
    epochs: Callable[[Disk], Epochs] = Epochs.load,
    log: Callable[[Disk, Marker], TxnLog] = TxnLog,
) -> Store:
    """What ``disk`` holds after a stop of any kind. Raises Damaged if something is lost.

    ``epochs`` and ``log`` open these two; the log is recovered here.
    """
    for name in disk.names():
        if name.endswith(snapshot.PART):
            disk.remove(name)
    store = Store(disk, epochs(disk), log(disk, Marker(disk)), retain=retain, members=members)
    newest = store.newest()
    await store.log.recover(newest.zxid if newest else 0)
    written, last = snapshot.zxids(disk), store.log.last
    if written and last < written[-1]:
        raise Damaged(f"{snapshot.name(written[-1])} is damaged and the log ends at {last:#x}")
    return store


async def open_store(
    disk: Disk,
    config: Config,
    *,
    epochs: Callable[[Disk], Epochs] = Epochs.load,
    log: Callable[[Disk, Marker], TxnLog] = TxnLog,
) -> Store:
    """``recover`` with what ``config`` says of it."""
    return await recover(
        disk,
        retain=config.snap_retain,
        members=config.members.encode(),
        epochs=epochs,
        log=log,
    )
