"""Sequential znodes: suffixes never repeat, and follow the order of creation.

Operations: ``create`` of a persistent sequential znode; ``ok`` carries its name, suffix and czxid.
``delete`` of the last one that this client made: a suffix is not used again for that. ``list``, a
sync and then all names.

Fails when a suffix is given twice, whatever was deleted or restarted in between; when the later
znode has the smaller suffix, by czxid or in real time; when one that was acknowledged is missing
from a list; or when nothing can be created once all is healed.
"""

from __future__ import annotations

from typing import Any

from checkers.progress import progress
from checkers.sequences import sequences
from checkers.verdict import all_of
from history.op import Op
from impl.coordination.client.client import Client
from impl.coordination.client.errors import MayHaveHappened
from impl.coordination.client.results import CreateMode
from workloads.coordination import Session, coordination_workload, each_until_ok
from workloads.generators import mix, phases, repeat, stagger
from workloads.workload import ClientContext, Workload, WorkloadOptions

ROOT = "/sequence"
_SUFFIX_DIGITS = 10


class SequenceClient:
    """Remembers what it made, so that it can delete it."""

    def __init__(self, context: ClientContext) -> None:
        self._session = Session(context, paths=(ROOT,))
        self._mine: list[str] = []
        self._does = {"create": self._create, "delete": self._delete, "list": _list}

    async def open(self) -> None:
        await self._session.open()

    async def invoke(self, op: Op) -> Op:
        if op.f == "delete" and not self._mine:
            return op.completed("fail", error="nothing of its own to delete")
        return await self._session.perform(op, self._does[op.f])

    async def close(self) -> None:
        await self._session.close()

    async def _create(self, client: Client, op: Op) -> dict[str, Any]:
        created = await client.create(f"{ROOT}/s-", mode=CreateMode.PERSISTENT_SEQUENTIAL)
        name = created.path.rpartition("/")[2]
        self._mine.append(name)
        return {"name": name, "suffix": int(name[-_SUFFIX_DIGITS:]), "czxid": created.stat.czxid}

    async def _delete(self, client: Client, op: Op) -> dict[str, Any]:
        name = self._mine.pop()
        try:
            await client.delete(f"{ROOT}/{name}")
        except MayHaveHappened as error:
            return {"name": name, "unsure": str(error)}
        return {"name": name}


async def _list(client: Client, op: Op) -> dict[str, Any]:
    await client.sync(ROOT)
    return {"names": sorted((await client.children(ROOT)).names)}


def sequence(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another system."""
    load = mix(*[repeat("create")] * 6, *[repeat("delete")] * 2, repeat("list"))
    return coordination_workload(
        "sequence",
        options,
        client=SequenceClient,
        generator=stagger(1 / options.rate, load),
        final=phases(each_until_ok(repeat("create")), each_until_ok(repeat("list"))),
        checker=all_of(sequences=sequences(), progress=progress("create", "list")),
        progress=("create", "list"),
    )
