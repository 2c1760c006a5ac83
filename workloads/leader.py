"""Who leads the ensemble: one leader per epoch, and no commit outside of it.

Operations: ``status``, what one server (``key``) says of itself with the four-letter word ``srvr``:
``ok`` carries its mode and its zxid, whose upper half is the epoch; a server that does not serve is
a ``fail``. ``state``, at the end, what one of our servers says of its copy with ``mntr``: its last zxid
and a digest of all. ``write`` of a number; ``ok`` carries the zxid that it was committed with.
An epoch has room for a hundred changes only, so that some runs over.

Fails when two servers lead one epoch; when a server leads an older epoch than it did before; when a
write that was called after a leader was seen is committed in an older epoch; when a leader that was
deposed goes on saying that it leads; when two servers that have applied the same changes differ; or
when nothing can be written once all is healed.
"""

from __future__ import annotations

from functools import partial

from checkers.leaders import leaders
from checkers.progress import progress
from checkers.replicas import replicas
from checkers.verdict import all_of
from cluster.systems.coordination import ask
from history.op import Op, invoke
from impl.coordination.client.client import Client
from workloads.coordination import RETRY_S, Session, coordination_workload
from workloads.generators import delay, limit, mix, numbered, phases, stagger, until_ok
from workloads.workload import OURS, ClientContext, Workload, WorkloadOptions, choose

PATH = "/leader"
_FINAL_FROM = 1_000_000
_EPOCH_ENDS_AFTER = 100
_STATES_EACH, _STATE_EVERY_S = 3, 0.1
_NOT_SERVING = "not currently serving"


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
        if op.f == "state":
            return await self._state(op)
        return await self._session.perform(op, _write)

    async def close(self) -> None:
        await self._session.close()

    async def _status(self, op: Op) -> Op:
        lines = await self._ask(op, "srvr", ": ")
        if isinstance(lines, Op):
            return lines
        value = {"mode": lines["Mode"], "zxid": int(lines["Zxid"], 16)}
        return op.completed("ok", value=value, node=op.key)

    async def _state(self, op: Op) -> Op:
        lines = await self._ask(op, "mntr", "\t")
        if isinstance(lines, Op):
            return lines
        value = {"zxid": int(lines["zk_last_zxid"], 16), "digest": lines["zk_digest"]}
        return op.completed("ok", value=value, node=op.key)

    async def _ask(self, op: Op, word: str, between: str) -> dict[str, str] | Op:
        """What the server says, line by line; ``op`` failed if it does not serve."""
        try:
            answer = await ask(self._endpoints[op.key], word)
        except (OSError, TimeoutError) as error:
            return op.completed("fail", error=f"{op.key}: {error or type(error).__name__}")
        if _NOT_SERVING in answer:
            return op.completed("fail", error=f"{op.key} does not serve", node=op.key)
        return dict(line.split(between, 1) for line in answer.splitlines() if between in line)


async def _write(client: Client, op: Op) -> dict[str, int]:
    changed = await client.set(PATH, b"%d" % op.value)
    return {"value": op.value, "zxid": changed.stat.mzxid}


def leader(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant of another system."""
    nodes = options.nodes
    ours = choose(options, OURS, "zookeeper") == OURS
    writes = numbered(lambda n: invoke("write", n))
    statuses = numbered(lambda n: invoke("status", key=nodes[n % len(nodes)]))
    states = numbered(lambda n: invoke("state", key=nodes[n % len(nodes)]))
    return coordination_workload(
        "leader",
        options,
        client=LeaderClient,
        generator=stagger(0.5 / options.rate, mix(writes, statuses, statuses)),
        final=phases(
            until_ok(delay(RETRY_S, numbered(partial(invoke, "write"), start=_FINAL_FROM))),
            limit(_STATES_EACH * len(nodes), delay(_STATE_EVERY_S, states)) if ours else (),
        ),
        checker=all_of(
            leaders=leaders(),
            **({"replicas": replicas()} if ours and len(nodes) > 1 else {}),
            progress=progress("write"),
        ),
        progress=("write",),
        settings={"maxCounter": _EPOCH_ENDS_AFTER},
    )
