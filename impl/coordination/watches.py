"""Who is told when a znode changes: one-shot, persistent and recursive watches of one server.

A watch on data and one on children are told apart; a deletion fires both, once per watcher. Persistent
watches stay when they fire; recursive ones are told of everything below, but not that children
changed, as each child speaks for itself. Events are handed out while a transaction is applied, before
anybody can read what it did.

A client is not told of a znode that it may not read (CVE-2024-23944); a one-shot watch is used up all
the same. What is set again after a reconnect is not looked at in this way, as with the real server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Protocol, TypeAlias

from impl.coordination import acl as access
from impl.coordination.protocol.errors import ApiError, Code
from impl.coordination.protocol.records import Id
from impl.coordination.tree import Acls, Tree, ancestors, parent

CONNECTED = 3


class Event(IntEnum):
    """The type of a watcher event."""

    CREATED = 1
    DELETED = 2
    DATA_CHANGED = 3
    CHILDREN_CHANGED = 4


class Kind(IntEnum):
    """Which watches to check or to remove."""

    CHILDREN = 1
    DATA = 2
    ANY = 3


class Mode(IntEnum):
    """What ``addWatch`` adds."""

    PERSISTENT = 0
    RECURSIVE = 1


class Client(Protocol):
    """A connection that watches, and who it is."""

    @property
    def ids(self) -> Sequence[Id]:
        """By what it has authenticated as; see ``acl``."""

    def notify(self, event: int, path: str) -> None:
        """Put the event on the wire, before anything that is sent later."""


Watchers: TypeAlias = dict[str, dict[Client, None]]


class Watches:
    """All watches of one server, by path and by client."""

    def __init__(self) -> None:
        self.data: Watchers = {}
        self.child: Watchers = {}
        self.persistent: Watchers = {}
        self.recursive: Watchers = {}
        self._of_client: dict[Client, dict[tuple[int, str], None]] = {}

    # --- what the tree tells ------------------------------------------------------------------

    def created(self, path: str, acl: Acls, above: Acls) -> None:
        """Fire for a new znode."""
        self._fire(Event.CREATED, path, acl, self._take(0, path))
        self._children_changed(parent(path), above)

    def deleted(self, path: str, acl: Acls, above: Acls) -> None:
        """Fire for a znode that is gone."""
        self._fire(Event.DELETED, path, acl, self._take(0, path) | self._take(1, path))
        self._children_changed(parent(path), above)

    def changed(self, path: str, acl: Acls) -> None:
        """Fire for new data."""
        self._fire(Event.DATA_CHANGED, path, acl, self._take(0, path))

    def _children_changed(self, path: str, acl: Acls) -> None:
        watchers = self._take(1, path) | self.persistent.get(path, {})
        _tell(watchers, Event.CHILDREN_CHANGED, path, acl)

    def _fire(self, event: Event, path: str, acl: Acls, once: dict[Client, None]) -> None:
        watchers = once | self.persistent.get(path, {})
        if self.recursive:
            for above in ancestors(path):
                watchers |= self.recursive.get(above, {})
        _tell(watchers, event, path, acl)

    def _take(self, which: int, path: str) -> dict[Client, None]:
        watchers = self._table(which).pop(path, None)
        if watchers is None:
            return {}
        for client in watchers:
            self._of_client[client].pop((which, path), None)
        return watchers

    # --- what clients ask for -----------------------------------------------------------------

    def watch_data(self, path: str, client: Client) -> None:
        """One event when ``path`` is made, changed or deleted."""
        self._add(0, path, client)

    def watch_children(self, path: str, client: Client) -> None:
        """One event when a child of ``path`` comes or goes, or ``path`` itself goes."""
        self._add(1, path, client)

    def add(self, path: str, mode: int, client: Client) -> None:
        """A watch that stays. Raises ApiError MARSHALLING_ERROR for an unknown mode."""
        if mode not in (Mode.PERSISTENT, Mode.RECURSIVE):
            raise ApiError(Code.MARSHALLING_ERROR)
        self._add(2 + mode, path, client)

    def has(self, path: str, kind: int, client: Client) -> bool:
        """Whether ``client`` is told of ``path`` in the way of ``kind``, from above too."""
        if any(client in self._table(which).get(path, ()) for which in _tables(kind)):
            return True
        from_above = ancestors(path) if path.startswith("/") else ()
        return any(client in self.recursive.get(above, ()) for above in from_above)

    def remove(self, path: str, kind: int, client: Client) -> bool:
        """Take back what ``client`` watches at ``path`` itself; False if there was nothing."""
        found = any(client in self._table(which).get(path, ()) for which in _tables(kind))
        for which in _tables(kind):
            self._discard(which, path, client)
        return found

    def forget(self, client: Client) -> None:
        """The connection is gone, and all it watched."""
        for which, path in list(self._of_client.get(client, ())):
            self._discard(which, path, client)
        self._of_client.pop(client, None)

    def counts(self) -> tuple[int, int]:
        """How many watches there are, and how many paths are watched."""
        tables = (self.data, self.child, self.persistent, self.recursive)
        watches = sum(len(watchers) for table in tables for watchers in table.values())
        return watches, len({path for table in tables for path in table})

    def restore(
        self, tree: Tree, since_zxid: int, paths: tuple[Iterable[str], ...], client: Client
    ) -> None:
        """Put back what ``client`` watched up to ``since_zxid``; what changed since then fires now.

        ``paths`` are those with data, exist, child, persistent and recursive watches, in this order.
        """
        data, exist, child, persistent, recursive = paths
        for path in data:
            node = tree.nodes.get(path)
            if node is None:
                client.notify(Event.DELETED, path)
            elif node.mzxid > since_zxid:
                client.notify(Event.DATA_CHANGED, path)
            else:
                self.watch_data(path, client)
        for path in exist:
            if path in tree.nodes:
                client.notify(Event.CREATED, path)
            else:
                self.watch_data(path, client)
        for path in child:
            node = tree.nodes.get(path)
            if node is None:
                client.notify(Event.DELETED, path)
            elif node.pzxid > since_zxid:
                client.notify(Event.CHILDREN_CHANGED, path)
            else:
                self.watch_children(path, client)
        for path in persistent:
            self.add(path, Mode.PERSISTENT, client)
        for path in recursive:
            self.add(path, Mode.RECURSIVE, client)

    # --- tables -------------------------------------------------------------------------------

    def _table(self, which: int) -> Watchers:
        return (self.data, self.child, self.persistent, self.recursive)[which]

    def _add(self, which: int, path: str, client: Client) -> None:
        self._table(which).setdefault(path, {})[client] = None
        self._of_client.setdefault(client, {})[which, path] = None

    def _discard(self, which: int, path: str, client: Client) -> None:
        watchers = self._table(which).get(path)
        if watchers is not None and client in watchers:
            del watchers[client]
            if not watchers:
                del self._table(which)[path]
            self._of_client[client].pop((which, path), None)


def _tell(watchers: Iterable[Client], event: Event, path: str, acl: Acls) -> None:
    for client in watchers:
        if access.granted(acl, access.Permission.READ, client.ids):
            client.notify(event, path)


def _tables(kind: int) -> tuple[int, ...]:
    match kind:
        case Kind.CHILDREN:
            return (1, 2, 3)
        case Kind.DATA:
            return (0, 2, 3)
        case Kind.ANY:
            return (0, 1, 2, 3)
    raise ApiError(Code.MARSHALLING_ERROR)
