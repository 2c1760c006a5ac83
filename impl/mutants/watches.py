"""Watches whose events come too late, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from impl.coordination.parts import Parts
from impl.coordination.server import serve
from impl.coordination.tree import Acls, Tree
from impl.coordination.watches import Client, Mode, Watches
from impl.mutants.mutant import COORDINATION, Mutant

_LATE_S = 0.1


class Queued(Watches):
    """Events have a queue of their own, and answers overtake it."""

    def created(self, path: str, acl: Acls, above: Acls) -> None:
        _later(super().created, path, acl, above)

    def deleted(self, path: str, acl: Acls, above: Acls) -> None:
        _later(super().deleted, path, acl, above)

    def changed(self, path: str, acl: Acls) -> None:
        _later(super().changed, path, acl)


def _later(tell: Callable[..., None], *what: Any) -> None:
    asyncio.get_running_loop().call_later(_LATE_S, tell, *what)


class PutBack(Watches):
    """After a reconnect all are watched again, and what changed meanwhile is not looked at."""

    def restore(
        self, tree: Tree, since_zxid: int, paths: tuple[Iterable[str], ...], client: Client
    ) -> None:
        data, exist, child, persistent, recursive = paths
        for path in (*data, *exist):
            self.watch_data(path, client)
        for path in child:
            self.watch_children(path, client)
        for path in persistent:
            self.add(path, Mode.PERSISTENT, client)
        for path in recursive:
            self.add(path, Mode.RECURSIVE, client)


MUTANTS = (
    Mutant(
        name="watch-after-data",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(watches=Queued)),
        failure="fdb-zk issue 3: a ZooKeeper over FoundationDB, whose watches fire when they like; "
        "reads overtook them until each looked for events first",
        workload="watch",
        caught_by="watches",
        seeds=1,
        on_real_clusters=True,
    ),
    Mutant(
        name="watch-lost-at-reconnect",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(watches=PutBack)),
        failure="ZooKeeper before 3.0, by its release notes: watches went with the connection, and "
        "clients had to set them again; of what had happened in between nobody told them",
        workload="watch",
        caught_by="watches",
        seeds=10,
        faults=("partition", "kill", "terminate", "pause", "power", "lose", "slow", "rolling-restart"),
    ),
)
