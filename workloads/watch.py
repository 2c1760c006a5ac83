"""Watches, one-shot, persistent and recursive, while servers come and go.

Operations: ``watch`` (``key`` is ``data``, ``existence`` or ``children``) reads with a one-shot
watch, goes on reading for up to two seconds, and ends when it was called and has read once more;
``ok`` carries the log of all that it read and was told, in the order in which it came. ``follow``
(``persistent`` or ``recursive``) adds a watch that stays, reads for a second and a half, removes it and
reads on for a while. ``change`` of the same: sets data, creates or deletes the znode, adds a child; of
the ``leaf`` that is followed it sets the data, adds a child, or deletes one.

Fails when a watcher reads something new without having been told before, when it is told and then reads
the old, when a one-shot watch is told twice; when one that stays is not told of each change once, or is
told after it was removed; or when nothing can be watched once all is healed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from checkers.followed import followed
from checkers.progress import progress
from checkers.verdict import all_of
from checkers.watches import watches
from history.op import Op, invoke
from impl.coordination.client.client import Client
from impl.coordination.client.errors import OUTAGES, ServerError
from impl.coordination.client.results import CreateMode
from impl.coordination.client.states import Transition
from impl.coordination.client.watches import Watch, WatchEvent
from workloads.coordination import Session, coordination_workload, each_until_ok
from workloads.generators import mix, numbered, phases, repeat, stagger
from workloads.workload import ClientContext, Workload, WorkloadOptions

ROOT = "/watch"
KINDS = ("data", "existence", "children")
STAYING = ("persistent", "recursive")
TREE = f"{ROOT}/tree"
LEAF = f"{TREE}/leaf"
_FOR_S = 2.0
_EVERY_S = 0.15
_FOLLOWED, _AFTERWARDS = 10, 3
"""How many times a follower reads, and how many times more once it has removed its watch."""


class WatchClient:
    """Counts its connections, so that the log can say on which one something came."""

    def __init__(self, context: ClientContext) -> None:
        paths = (ROOT, f"{ROOT}/data", f"{ROOT}/children", TREE, LEAF)
        self._session = Session(context, paths=paths, on_client=self._listen)
        self._connection = 0
        self._followed: list[dict[str, Any]] = []

    async def open(self) -> None:
        await self._session.open()

    async def invoke(self, op: Op) -> Op:
        work = {"watch": self._watch, "follow": self._follow}.get(op.f, _change)
        return await self._session.perform(op, work)

    async def close(self) -> None:
        await self._session.close()

    async def _listen(self, client: Client) -> None:
        def changed(transition: Transition) -> None:
            self._connection += transition.state.connected

        def told(event: WatchEvent) -> None:
            if event.path.startswith(TREE):
                what = {"event": event.type.name.lower(), "path": event.path}
                self._followed.append({**what, "connection": self._connection})

        client.listen(changed)
        client.listen_events(told)

    async def _watch(self, client: Client, op: Op) -> dict[str, Any]:
        log: list[dict[str, Any]] = []

        def told(event: WatchEvent) -> None:
            log.append({"event": event.type.name.lower(), "connection": self._connection})

        try:
            first = await self._look(client, op.key, told)
            log.insert(0, first)
            await self._go_on(client, op.key, log)
        finally:
            client.discard_watch(f"{ROOT}/{op.key}", told)
        return {"kind": op.key, "key": f"{ROOT}/{op.key}", "log": log}

    async def _follow(self, client: Client, op: Op) -> dict[str, Any]:
        log = self._followed = []
        watched = TREE if op.key == "recursive" else LEAF
        try:
            await client.add_watch(watched, _ignore, recursive=op.key == "recursive")
            await self._read_leaf(client, log, _FOLLOWED)
            try:
                await client.remove_watches(watched)
                log.append({"removed": True, "connection": self._connection})
            except ServerError:
                log.append({"removed": False, "connection": self._connection})
            await self._read_leaf(client, log, _AFTERWARDS)
        except OUTAGES:
            client.discard_watch(watched, _ignore)
            client.move()  # the server may still have the watch, and would tell the next to follow
            raise
        finally:
            self._followed = []
        return {"kind": op.key, "key": LEAF, "log": log}

    async def _read_leaf(self, client: Client, log: list[dict[str, Any]], times: int) -> None:
        for _ in range(times):
            stat = (await client.get(LEAF)).stat
            counters = {"version": stat.version, "cversion": stat.cversion}
            log.append({**counters, "connection": self._connection})
            await asyncio.sleep(_EVERY_S)

    async def _go_on(self, client: Client, kind: str, log: list[dict[str, Any]]) -> None:
        """Read on, until one read after the event or until the time is over; an outage ends it."""
        until_s = asyncio.get_running_loop().time() + _FOR_S
        try:
            while asyncio.get_running_loop().time() < until_s:
                was_told = len(log) > 1 and any("event" in entry for entry in log)
                log.append(await self._look(client, kind, None))
                if was_told:
                    return
                await asyncio.sleep(_EVERY_S)
            await client.sync(ROOT)
            log.append(await self._look(client, kind, None))
        except OUTAGES:
            return

    async def _look(self, client: Client, kind: str, watch: Watch | None) -> dict[str, Any]:
        path = f"{ROOT}/{kind}"
        if kind == "data":
            mark = (await client.get(path, watch=watch)).stat.mzxid
        elif kind == "children":
            mark = (await client.children(path, watch=watch)).stat.pzxid
        else:
            stat = (await client.exists(path, watch=watch)).stat
            mark = 0 if stat is None else stat.mzxid
        return {"mark": mark, "connection": self._connection}


def _ignore(event: WatchEvent) -> None:
    """What servers tell is heard of before it is known whose watch it is for."""


async def _change(client: Client, op: Op) -> dict[str, Any]:
    path = LEAF if op.key == "leaf" else f"{ROOT}/{op.key}"
    if op.key == "leaf":
        return {"zxid": await _change_leaf(client, op.value % 3)}
    if op.key == "data":
        return {"zxid": (await client.set(path, b"%d" % op.value)).zxid}
    if op.key == "children":
        made = await client.create(f"{path}/c-", mode=CreateMode.PERSISTENT_SEQUENTIAL)
        return {"zxid": made.zxid}
    try:
        return {"zxid": (await client.delete(path)).zxid}
    except ServerError:
        return {"zxid": (await client.create(path)).zxid}


async def _change_leaf(client: Client, turn: int) -> int:
    if turn == 0:
        return (await client.set(LEAF, b"%d" % turn)).zxid
    names = (await client.children(LEAF)).names
    if turn == 1 and names:
        return (await client.delete(f"{LEAF}/{min(names)}")).zxid
    return (await client.create(f"{LEAF}/c-", mode=CreateMode.PERSISTENT_SEQUENTIAL)).zxid


def watch(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another system."""
    watching = numbered(lambda n: invoke("watch", key=KINDS[n % len(KINDS)]))
    following = numbered(lambda n: invoke("follow", key=STAYING[n % len(STAYING)]))
    changing = numbered(lambda n: invoke("change", n, key=KINDS[n % len(KINDS)]))
    stirring = numbered(lambda n: invoke("change", n, key="leaf"))
    return coordination_workload(
        "watch",
        options,
        client=WatchClient,
        generator=stagger(1 / options.rate, mix(watching, changing, following, stirring)),
        final=phases(
            each_until_ok(repeat(invoke("watch", key="data"))),
            each_until_ok(repeat(invoke("follow", key="persistent"))),
        ),
        checker=all_of(watches=watches(), followed=followed(), progress=progress("watch", "follow")),
        progress=("watch", "follow"),
    )
