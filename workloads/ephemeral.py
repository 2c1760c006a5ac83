"""Ephemeral znodes: gone with their session, and not before.

Operations: ``create`` of an ephemeral whose name is used once only; ``look``, a sync and then the
list of all of them; ``close``, which ends the session in order and says whether a server confirmed
it; ``create-close``, the one right behind the other without waiting for an answer; ``crash``, after
which the session is left to expire. After either the process goes on with a new session. Every
``ok`` carries the session, and the zxid of the state it was answered in.

Fails when an ephemeral is gone though its session is alive, or less than the session timeout after
the leader had answered it; when it is there after its session was
closed, or once every dead session must have expired; when of two ephemerals of one session only one
is gone; when one comes back; or when nothing can be listed once all is healed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from checkers.ephemerals import ephemerals
from checkers.progress import progress
from checkers.verdict import all_of
from history.op import Op, invoke
from impl.coordination.client.client import Client
from impl.coordination.client.results import CreateMode
from workloads.coordination import (
    EXPIRY_S,
    Session,
    coordination_workload,
    each_until_ok,
    session_name,
)
from workloads.generators import any_of, each_thread, mix, numbered, phases, repeat, sleep, stagger
from workloads.workload import ClientContext, Workload, WorkloadOptions

ROOT = "/ephemeral"
_END_EVERY_S = 1.0
_ENDS = ("close", "crash", "create-close")
_ENDING_FROM = 1_000_000


class EphemeralClient:
    """Begins a session whenever it has none."""

    def __init__(self, context: ClientContext) -> None:
        self._session = Session(context, paths=(ROOT,))

    async def open(self) -> None:
        await self._session.open()

    async def invoke(self, op: Op) -> Op:
        if op.f in ("close", "crash"):
            return await self._end(op)
        if op.f == "create-close":
            return await self._create_and_end(op)
        return await self._session.perform(op, _create if op.f == "create" else _look)

    async def close(self) -> None:
        await self._session.close()

    async def _end(self, op: Op) -> Op:
        client = await self._session.open()
        value = {"session": session_name(client)}
        if op.f == "crash":
            await self._session.abandon()
            return op.completed("ok", value=value)
        return op.completed("ok", value={**value, "confirmed": await self._session.close()})

    async def _create_and_end(self, op: Op) -> Op:
        client = await self._session.open()
        value: dict[str, Any] = {"session": session_name(client)}
        created, confirmed = await asyncio.gather(
            _create(client, op), self._session.close(), return_exceptions=True
        )
        if isinstance(created, dict):
            value |= created
        return op.completed("ok", value={**value, "confirmed": confirmed is True})


async def _create(client: Client, op: Op) -> dict[str, Any]:
    path = f"{ROOT}/e{op.value}"
    created = await client.create(path, mode=CreateMode.EPHEMERAL)
    return {"name": f"e{op.value}", "czxid": created.stat.czxid, "zxid": created.zxid}


async def _look(client: Client, op: Op) -> dict[str, Any]:
    await client.sync(ROOT)
    children = await client.children(ROOT)
    return {"names": sorted(children.names), "zxid": children.zxid}


def ephemeral(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another system."""
    creates = numbered(lambda n: invoke("create", n))
    ends = numbered(lambda n: invoke(_ENDS[n % len(_ENDS)], _ENDING_FROM + n))
    looks = repeat("look")
    load = stagger(1 / options.rate, mix(creates, looks, looks))
    return coordination_workload(
        "ephemeral",
        options,
        client=EphemeralClient,
        generator=any_of(load, stagger(_END_EVERY_S, ends)),
        final=phases(each_until_ok(looks), each_thread(sleep(EXPIRY_S)), each_until_ok(looks)),
        checker=all_of(ephemerals=ephemerals(), progress=progress("look")),
        progress=("look",),
    )
