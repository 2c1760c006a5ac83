"""One server's copy of the state: what is logged, what of it is committed, and the tree made of that.

The tree only ever has committed transactions, so that a snapshot never has to be taken back; what is
logged beyond waits until the leader says that it is committed, or is cut off again.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from impl.coordination import txns
from impl.coordination.storage.store import Store
from impl.coordination.tree import Acls, Frozen, Result, Tree, Watcher
from impl.coordination.txns import Txn


class Pending(NamedTuple):
    """A logged transaction; ``server`` has the client that waits for it, under ``tag``; 0 if none."""

    txn: Txn
    server: int
    tag: int


Applied: TypeAlias = Callable[[Pending, Result], None]


class Relay:
    """Tells whoever watches at the moment; the tree outlives the watches."""

    def __init__(self) -> None:
        self.to: Watcher | None = None

    def created(self, path: str, acl: Acls, above: Acls) -> None:
        if self.to is not None:
            self.to.created(path, acl, above)

    def deleted(self, path: str, acl: Acls, above: Acls) -> None:
        if self.to is not None:
            self.to.deleted(path, acl, above)

    def changed(self, path: str, acl: Acls) -> None:
        if self.to is not None:
            self.to.changed(path, acl)


class Replica:
    """The state of one server; a snapshot is taken every ``snap_count`` transactions or so."""

    def __init__(self, store: Store, *, snap_count: int, chance: random.Random) -> None:
        self.store = store
        self.relay = Relay()
        self.tree: Tree = store.tree(self.relay)
        self._pending: deque[Pending] = deque()
        self._snap_count = snap_count
        self._chance = chance
        self._until_snapshot = self._next_snapshot()
        self._snapshot_due = asyncio.Event()
        self._take_pending()

    def _take_pending(self) -> None:
        logged = self.store.log.after(self.tree.zxid)
        self._pending = deque(Pending(txns.decode(each.data), 0, 0) for each in logged)

    def propose(self, txn: Txn, data: bytes, server: int, tag: int) -> None:
        """Log a transaction that may come to be committed; ``data`` are its bytes."""
        self.store.log.append(txn.zxid, data)
        self._pending.append(Pending(txn, server, tag))

    def commit(self, zxid: int, applied: Applied) -> None:
        """Apply all up to ``zxid``, in order; ``applied`` is told of each."""
        pending, tree = self._pending, self.tree
        while pending and pending[0].txn.zxid <= zxid:
            entry = pending.popleft()
            applied(entry, tree.apply(entry.txn))
            self._until_snapshot -= 1
        if self._until_snapshot <= 0:
            self._until_snapshot = self._next_snapshot()
            self._snapshot_due.set()

    async def truncate(self, zxid: int) -> None:
        """Forget what was logged after ``zxid``. Raises ValueError if that was committed."""
        if zxid < self.tree.zxid:
            raise ValueError(f"the leader wants {zxid:#x} back, and {self.tree.zxid:#x} was committed")
        await self.store.log.truncate(zxid)
        self._take_pending()

    async def install(self, frozen: Frozen) -> None:
        """Take over a snapshot in place of everything. Durable on return."""
        await self.store.install(frozen)
        self.tree = self.store.thaw(frozen, self.relay)
        self._pending.clear()

    async def snapshots(self) -> None:
        """Take snapshots when they are due, forever."""
        while True:
            await self._snapshot_due.wait()
            self._snapshot_due.clear()
            await self.store.save(self.tree.freeze())

    def _next_snapshot(self) -> int:
        """At another moment on each server, so that they don't all write at once."""
        return self._snap_count // 2 + self._chance.randrange(self._snap_count // 2 + 1) + 1
