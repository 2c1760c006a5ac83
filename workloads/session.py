"""Sessions: pipelines of reads and writes, and moves from server to server.

Operations: ``pipeline``, three to six reads and writes that are sent one behind the other without
waiting; ``ok`` carries the ``results`` of those that were answered, in the order in which they were
sent; ``read`` of one znode; ``move``, which leaves the server for another one and keeps the
session. Values are written once only.

Fails when in one session the zxids of the answers go back, on one server or across a move; when changes
are made in another order than they were sent in; when a session misses what it wrote, or sees an older
version of a znode after a newer one; when an answer lacks a change of the state it names; or when
nothing can be done once all is healed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from checkers.progress import progress
from checkers.sessions import sessions
from checkers.verdict import all_of
from checkers.zxid_order import zxid_order
from history.op import Op, invoke
from impl.coordination.client.client import Client
from impl.coordination.client.errors import DidNotHappen, MayHaveHappened
from workloads.coordination import Session, coordination_workload, each_until_ok
from workloads.generators import Generator, mix, numbered, repeat, stagger
from workloads.register import KEYS, ROOT, encoded, found, path_of, written
from workloads.workload import ClientContext, Workload, WorkloadOptions

_FINAL_FROM = 1_000_000
_MOST_STEPS = 10
_PATTERNS = ("wr", "rwwr", "wrwr", "wwwrr", "rrwrwr")


class SessionClient:
    """Sends what belongs to a pipeline at once."""

    def __init__(self, context: ClientContext) -> None:
        self._session = Session(context, paths=(ROOT, *map(path_of, KEYS)))
        self._does = {"pipeline": self._pipeline, "read": self._read, "move": self._move}

    async def open(self) -> None:
        await self._session.open()

    async def invoke(self, op: Op) -> Op:
        return await self._session.perform(op, self._does[op.f])

    async def close(self) -> None:
        await self._session.close()

    async def _pipeline(self, client: Client, op: Op) -> dict[str, Any]:
        answers = await asyncio.gather(
            *(_step(client, step) for step in op.value), return_exceptions=True
        )
        results, lost = [], None
        for step, answer in zip(op.value, answers, strict=True):
            if isinstance(answer, dict):
                results.append({"f": step["f"], "key": step["key"], **answer})
            elif lost is None or isinstance(answer, MayHaveHappened):
                lost = answer
        if isinstance(lost, MayHaveHappened) or (lost is not None and not results):
            raise lost
        if lost is not None and not isinstance(lost, DidNotHappen):
            raise lost
        return {"results": results}

    async def _read(self, client: Client, op: Op) -> dict[str, Any]:
        return found(await client.get(path_of(op.key)))

    async def _move(self, client: Client, op: Op) -> dict[str, Any]:
        client.move()
        await client.connected()
        return {"moved": True}


async def _step(client: Client, step: dict[str, Any]) -> dict[str, Any]:
    path = path_of(step["key"])
    if step["f"] == "write":
        return written(step["value"], await client.set(path, encoded(step["value"])))
    return found(await client.get(path))


def pipelines(*, start: int = 0) -> Generator:
    """Pipelines of all patterns in turn, over all registers."""

    def one(n: int) -> Op:
        steps = []
        for place, letter in enumerate(_PATTERNS[n % len(_PATTERNS)]):
            key = KEYS[(n + place // 2) % len(KEYS)]
            if letter == "w":
                steps.append({"f": "write", "key": key, "value": start + n * _MOST_STEPS + place})
            else:
                steps.append({"f": "read", "key": key})
        return invoke("pipeline", steps)

    return numbered(one)


def session(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another system."""
    reads = numbered(lambda n: invoke("read", key=KEYS[n % len(KEYS)]))
    load = mix(pipelines(), pipelines(start=_FINAL_FROM // 2), reads, repeat("move"))
    return coordination_workload(
        "session",
        options,
        client=SessionClient,
        generator=stagger(1 / options.rate, load),
        final=each_until_ok(repeat(invoke("read", key=KEYS[0]))),
        checker=all_of(sessions=sessions(), zxid_order=zxid_order(), progress=progress("read")),
        progress=("read",),
    )
