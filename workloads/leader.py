"""Who leads the ensemble: one leader per epoch, and no commit outside of it.

Operations: ``status``, what one server (``key``) says of itself with the four-letter word ``srvr``:
``ok`` carries its mode and its zxid, whose upper half is the epoch; a server that does not serve is
a ``fail``. ``write`` of a number; ``ok`` carries the zxid that it was committed with.

Fails when two servers lead one epoch; when a server leads an older epoch than it did before; when a
write that was called after a leader was seen is committed in an older epoch; or when nothing can be
written once all is healed.
"""

from __future__ import annotations

from functools import partial

from checkers.leaders import leaders
from checkers.progress import progress
from checkers.verdict import all_of
from cluster.systems.coordination import ask
from history.op import Op, invoke
from impl.coordination.client.client import Client
from workloads.coordination import RETRY_S, Session, coordination_workload
from workloads.generators import delay, mix, numbered, stagger, until_ok
from workloads.workload import ClientContext, Workload, WorkloadOptions

PATH = "/leader"
_FINAL_FROM = 1_000_000


class LeaderClient:
    """Asks single servers, and writes through whichever the session is with."""

    def __init__(self, context: ClientContext) -> None:
        self._endpoints = context.endpoints
        self._session = Session(context, paths=(PATH,))

    async def open(self) -> None:
        """Nothing: a server's status can be asked for when nobody gives a session."""

    async def invoke(self, op: Op) -> Op:
        if op.f == "status":
            return await self._status(op)
        return await self._session.perform(op, _write)

    async def close(self) -> None:
        await self._session.close()

    async def _status(self, op: Op) -> Op:
        try:
            answer = await ask(self._endpoints[op.key], "srvr")
        except (OSError, TimeoutError) as error:
            return op.completed("fail", error=f"{op.key}: {error or type(error).__name__}")
        lines = dict(line.split(": ", 1) for line in answer.splitlines() if ": " in line)
        if "Mode" not in lines:
            return op.completed("fail", error=f"{op.key} does not serve", node=op.key)
        return op.completed(
            "ok", value={"mode": lines["Mode"], "zxid": int(lines["Zxid"], 16)}, node=op.key
        )


async def _write(client: Client, op: Op) -> dict[str, int]:
    changed = await client.set(PATH, b"%d" % op.value)
    return {"value": op.value, "zxid": changed.stat.mzxid}


def leader(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another system."""
    nodes = options.nodes
    writes = numbered(lambda n: invoke("write", n))
    statuses = numbered(lambda n: invoke("status", key=nodes[n % len(nodes)]))
    return coordination_workload(
        "leader",
        options,
        client=LeaderClient,
        generator=stagger(0.5 / options.rate, mix(writes, statuses, statuses)),
        final=until_ok(delay(RETRY_S, numbered(partial(invoke, "write"), start=_FINAL_FROM))),
        checker=all_of(leaders=leaders(), progress=progress("write")),
        progress=("write",),
    )
