"""What a client watches: the callbacks, by the server's paths, and how to ask for them again.

A one-shot watch is called once and forgotten, however many events its path has. After a reconnect the
server is told of all that are still waiting (``setWatches``); it fires those whose znode has changed
since the last zxid that the client has seen, so that nothing is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.opcodes import SHAPES, Op
from impl.coordination.protocol.records import SetWatches2Request, SetWatchesRequest, WatcherEvent
from impl.coordination.tree import ancestors
from impl.coordination.watches import Event, Kind

_FRAME_BYTES = 128 * 1024


class WatchEvent(NamedTuple):
    """What happened to the znode at ``path``, by the client's own name of it."""

    type: Event
    path: str


Watch: TypeAlias = Callable[[WatchEvent], None]


class Table(IntEnum):
    """The kinds of watches, in the order in which ``setWatches2`` lists them."""

    DATA = 0
    EXIST = 1
    CHILD = 2
    PERSISTENT = 3
    RECURSIVE = 4


_ONCE_BY_EVENT = (
    (),
    (Table.DATA, Table.EXIST),
    (Table.DATA, Table.EXIST, Table.CHILD),
    (Table.DATA, Table.EXIST),
    (Table.CHILD,),
)
_BY_KIND = (
    (),
    (Table.CHILD,),
    (Table.DATA, Table.EXIST),
    (Table.DATA, Table.EXIST, Table.CHILD, Table.PERSISTENT, Table.RECURSIVE),
)


class ClientWatches:
    """All watches of one client. The same callback at the same place is one watch."""

    def __init__(self) -> None:
        self._tables: tuple[dict[str, dict[Watch, None]], ...] = tuple({} for _ in Table)

    def add(self, table: Table, path: str, watch: Watch) -> None:
        """Call ``watch`` for the next events of ``path``."""
        self._tables[table].setdefault(path, {})[watch] = None

    def remove(self, path: str, kind: Kind) -> None:
        """Forget what is watched at ``path`` in the way of ``kind``."""
        for table in _BY_KIND[kind]:
            self._tables[table].pop(path, None)

    def discard(self, path: str, watch: Watch) -> None:
        """Forget ``watch`` at ``path``; the server is not told, and its event will find nobody."""
        for table in self._tables:
            watchers = table.get(path)
            if watchers is not None and watchers.pop(watch, self) is None and not watchers:
                del table[path]

    def fired(self, event: WatcherEvent) -> list[Watch]:
        """Whom ``event`` concerns; one-shot watches are taken out. Raises Malformed if it is unknown."""
        if not Event.CREATED <= event.type <= Event.CHILDREN_CHANGED:
            raise Malformed(f"the server sends a watch event of the unknown type {event.type}")
        called: dict[Watch, None] = {}
        for table in _ONCE_BY_EVENT[event.type]:
            called |= self._tables[table].pop(event.path, {})
        called |= self._tables[Table.PERSISTENT].get(event.path, {})
        recursive = self._tables[Table.RECURSIVE]
        if recursive and event.type != Event.CHILDREN_CHANGED:
            for path in ancestors(event.path):
                called |= recursive.get(path, {})
        return list(called)

    def requests(self, last_zxid: int) -> Iterator[tuple[Op, bytes]]:
        """What to send after a reconnect: operations and their records, each of a bounded size."""
        entries = [(table, path) for table in Table for path in self._tables[table]]
        for chunk in _chunks(entries):
            lists = tuple(tuple(path for each, path in chunk if each == table) for table in Table)
            if lists[Table.PERSISTENT] or lists[Table.RECURSIVE]:
                request = SetWatches2Request(last_zxid, *lists)
                yield Op.SET_WATCHES2, SHAPES[Op.SET_WATCHES2].request.encode(request)
            else:
                older = SetWatchesRequest(last_zxid, *lists[:3])
                yield Op.SET_WATCHES, SHAPES[Op.SET_WATCHES].request.encode(older)

    def clear(self) -> None:
        """The session is over, and with it all watches."""
        for table in self._tables:
            table.clear()


def _chunks(entries: Iterable[tuple[Table, str]]) -> Iterator[list[tuple[Table, str]]]:
    chunk: list[tuple[Table, str]] = []
    size = 0
    for entry in entries:
        size += len(entry[1].encode()) + 4
        if chunk and size > _FRAME_BYTES:
            yield chunk
            chunk, size = [], len(entry[1].encode()) + 4
        chunk.append(entry)
    if chunk:
        yield chunk
