"""Sessions: pipelines of reads and writes, and moves from server to server.

Operations: ``pipeline``, three to six reads and writes that are sent one behind the other without
waiting; ``ok`` carries the ``results`` of those that were answered, in the order in which they were
sent; ``read`` of one znode; ``move``, which leaves the server for another one and keeps the
session; ``hop``, which writes, leaves for another server without waiting for the answer, writes
there, and reads a little later: its ``results`` have the first write without a zxid if it was not
answered. Values are written once only.

Fails when in one session the zxids of the answers go back, on one server or across a move; when changes
are made in another order than they were sent in; when a session misses what it wrote, or sees an older
version of a znode after a newer one; when an answer lacks a change of the state it names; or when
nothing can be done once all is healed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from checkers.progress import progress
from checkers.sessions import sessions
from checkers.verdict import all_of
from checkers.zxid_order import zxid_order
from history.op import Op, invoke
from impl.coordination.client.client import Client
from impl.coordination.client.errors import DidNotHappen, MayHaveHappened, ServerError
from impl.coordination.client.states import State
from workloads.coordination import Session, coordination_workload, each_until_ok
from workloads.generators import Generator, mix, numbered, repeat, stagger
from workloads.register import KEYS, ROOT, encoded, found, path_of, written
from workloads.workload import ClientContext, Workload, WorkloadOptions

_PIPELINES_FROM, _HOPS_FROM = 500_000, 1_000_000
_STRAYS_WITHIN_S = 0.3
_MOST_STEPS = 10
_PATTERNS = ("wr", "rwwr", "wrwr", "wwwrr", "rrwrwr")


class SessionClient:
    """Sends what belongs to a pipeline at once."""

    def __init__(self, context: ClientContext) -> None:
        self._session = Session(context, paths=(ROOT, *map(path_of, KEYS)))
        self._does = {
            "pipeline": self._pipeline,
            "read": self._read,
            "move": self._move,
            "hop": self._hop,
        }

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

    async def _hop(self, client: Client, op: Op) -> dict[str, Any]:
        first, *rest = op.value
        left = asyncio.ensure_future(_step(client, first))
        await asyncio.sleep(0)
        client.move()
        await client.reached(State.SUSPENDED)
        results = [{"f": first["f"], "key": first["key"], **await _as_known(left, first["value"])}]
        try:
            await client.connected()
            for step in rest:
                results.append({"f": step["f"], "key": step["key"], **await _step(client, step)})
                await asyncio.sleep(_STRAYS_WITHIN_S)
        except (DidNotHappen, ServerError):
            pass  # what was found before is worth telling
        return {"results": results}


async def _as_known(left: Awaitable[dict[str, Any]], value: int) -> dict[str, Any]:
    """The answer to a write that may have been lost; without one, only what was written."""
    try:
        return await left
    except MayHaveHappened:
        return {"value": value}


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


def hops(*, start: int) -> Generator:
    """Two writes of one register, the second from elsewhere, and then a read."""

    def one(n: int) -> Op:
        key, value = KEYS[n % len(KEYS)], start + 2 * n
        writes = [{"f": "write", "key": key, "value": value + place} for place in range(2)]
        return invoke("hop", [*writes, {"f": "read", "key": key}])

    return numbered(one)


def session(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another system."""
    reads = numbered(lambda n: invoke("read", key=KEYS[n % len(KEYS)]))
    load = mix(
        pipelines(),
        pipelines(start=_PIPELINES_FROM),
        reads,
        repeat("move"),
        hops(start=_HOPS_FROM),
    )
    return coordination_workload(
        "session",
        options,
        client=SessionClient,
        generator=stagger(1 / options.rate, load),
        final=each_until_ok(repeat(invoke("read", key=KEYS[0]))),
        checker=all_of(
            sessions=sessions(moved=len(options.nodes) > 1),
            zxid_order=zxid_order(),
            progress=progress("read"),
        ),
        progress=("read",),
    )
