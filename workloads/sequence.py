"""Sequential znodes: suffixes never repeat, and follow the order of creation.

Operations: ``create`` of a persistent sequential znode; ``ok`` carries its name, suffix and czxid.
``delete`` of the last one that this client made: a suffix is not used again for that. ``pair``, a
multi that makes two of them at once, and every third time goes on with a check that must fail.
``list``, a sync and then all names, with the zxid of the state. Every name has a number of its own.
Servers take a snapshot every few changes, and start from it.

Fails when a suffix is given twice, whatever was deleted or restarted in between; when the later
znode has the smaller suffix, by czxid or in real time; when one that was acknowledged is missing
from a list; when one that was there is missing in a later state; when one of a pair is there
without the other, or any of one that was refused; or when nothing can be created once all is
healed.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from checkers.progress import progress
from checkers.sequences import sequences
from checkers.verdict import all_of
from history.op import Op, invoke
from impl.coordination.client.client import Client
from impl.coordination.client.errors import MayHaveHappened
from impl.coordination.client.results import CreateMode
from workloads.coordination import SNAPSHOT_EVERY, Session, coordination_workload, each_until_ok
from workloads.generators import mix, numbered, phases, repeat, stagger
from workloads.workload import ClientContext, Workload, WorkloadOptions

ROOT = "/sequence"
_SUFFIX_DIGITS = 10
_REFUSED_IN = 3
_FINAL_FROM = 1_000_000
_NO_VERSION = 1_000_000


class SequenceClient:
    """Remembers what it made, so that it can delete it."""

    def __init__(self, context: ClientContext) -> None:
        self._session = Session(context, paths=(ROOT,))
        self._mine: list[str] = []
        self._does = {
            "create": self._create,
            "delete": self._delete,
            "pair": _pair,
            "list": _list,
        }

    async def open(self) -> None:
        await self._session.open()

    async def invoke(self, op: Op) -> Op:
        if op.f == "delete" and not self._mine:
            return op.completed("fail", error="nothing of its own to delete")
        return await self._session.perform(op, self._does[op.f])

    async def close(self) -> None:
        await self._session.close()

    async def _create(self, client: Client, op: Op) -> dict[str, Any]:
        path = f"{ROOT}/s{op.value}-"
        created = await client.create(path, mode=CreateMode.PERSISTENT_SEQUENTIAL)
        made = _made(created.path, created.stat.czxid)
        self._mine.append(made["name"])
        return made

    async def _delete(self, client: Client, op: Op) -> dict[str, Any]:
        name = self._mine.pop()
        try:
            await client.delete(f"{ROOT}/{name}")
        except MayHaveHappened as error:
            return {"name": name, "unsure": str(error)}
        return {"name": name}


async def _pair(client: Client, op: Op) -> dict[str, Any]:
    transaction = client.transaction()
    for half in "ab":
        path = f"{ROOT}/p{op.value}-{half}-"
        transaction.create(path, mode=CreateMode.PERSISTENT_SEQUENTIAL)
    if op.value % _REFUSED_IN == 0:
        transaction.check(ROOT, version=_NO_VERSION)
    both = await transaction.commit()
    return {"made": [_made(each.path, each.zxid) for each in both]}


def _made(path: str, czxid: int) -> dict[str, Any]:
    name = path.rpartition("/")[2]
    return {"name": name, "suffix": int(name[-_SUFFIX_DIGITS:]), "czxid": czxid}


async def _list(client: Client, op: Op) -> dict[str, Any]:
    await client.sync(ROOT)
    children = await client.children(ROOT)
    return {"names": sorted(children.names), "zxid": children.zxid}


def sequence(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another system."""
    creates, pairs = numbered(partial(invoke, "create")), numbered(partial(invoke, "pair"))
    final = numbered(partial(invoke, "create"), start=_FINAL_FROM)
    load = mix(*[creates] * 4, *[repeat("delete")] * 2, pairs, *[repeat("list")] * 2)
    return coordination_workload(
        "sequence",
        options,
        client=SequenceClient,
        generator=stagger(1 / options.rate, load),
        final=phases(each_until_ok(final), each_until_ok(repeat("list"))),
        checker=all_of(sequences=sequences(), progress=progress("create", "list")),
        progress=("create", "list"),
        settings={"snapCount": SNAPSHOT_EVERY},
    )
