"""A tree that is wrong about its znodes: versions, suffixes, multis, snapshots."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from impl.coordination import txns
from impl.coordination.parts import Parts
from impl.coordination.prepare import ANY_VERSION, Preparer
from impl.coordination.protocol import multi
from impl.coordination.protocol.errors import ApiError, Code
from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.opcodes import IN_MULTI, SHAPES, Op
from impl.coordination.replica import Replica
from impl.coordination.requests import Request
from impl.coordination.server import serve
from impl.coordination.tree import Frozen, Tree, Znode
from impl.coordination.txns import Txn
from impl.mutants.mutant import COORDINATION, Mutant

_SUFFIX_DIGITS = 10
_COPYING_S = 0.3


class MissesTail(Replica):
    """Copies the tree, which takes a while, and names the copy after what was applied meanwhile."""

    async def snapshots(self) -> None:
        while True:
            await self._snapshot_due.wait()
            self._snapshot_due.clear()
            copy = self.tree.freeze()
            await asyncio.sleep(_COPYING_S)
            await self.store.save(Frozen(self.tree.zxid, copy.nodes, copy.sessions))


class Recounting(Preparer):
    """A new leader counts on from the children that are there: deleted ones are forgotten."""

    def __init__(self, tree: Tree, **options: Any) -> None:
        super().__init__(tree, **options)
        self._counted: dict[str, None] = {}
        self._creating = False

    def _one(self, op: int, record: Any, request: Request, zxid: int) -> Any:
        self._creating = op in (Op.CREATE, Op.CREATE2)
        return super()._one(op, record, request, zxid)

    def _parent(self, path: str) -> tuple[str, Znode]:
        above, node = super()._parent(path)
        if self._creating and above not in self._counted:
            self._counted[above] = None
            suffixes = (name[-_SUFFIX_DIGITS:] for name in self._tree.names(above))
            used = [int(suffix) for suffix in suffixes if suffix.isdigit()]
            node = node._replace(creates=max(used) + 1 if used else 0)
        return above, node


class AnyVersion(Preparer):
    """Sets data whatever version was asked for."""

    def prepare(self, request: Request, zxid: int, time_ms: int) -> Txn:
        if request.op == Op.SET_DATA:
            codec = SHAPES[Op.SET_DATA].request
            try:
                record = codec.decode(request.payload or b"")._replace(version=ANY_VERSION)
            except Malformed:
                return super().prepare(request, zxid, time_ms)
            request = request._replace(payload=codec.encode(record))
        return super().prepare(request, zxid, time_ms)


class HalfMulti(Preparer):
    """What came before the operation that fails stays done."""

    def _multi(self, request: Request, payload: bytes, zxid: int) -> txns.Multi:
        parts = multi.read_requests(payload, IN_MULTI)
        done: list[txns.Part] = []
        for part in parts:
            try:
                done.append(txns.part(part.op, self._one(part.op, part.record, request, zxid)))
            except ApiError as error:
                rest = [error.code] + [Code.RUNTIME_INCONSISTENCY] * (len(parts) - len(done) - 1)
                done += [txns.part(Op.ERROR, txns.Error(code)) for code in rest]
                break
        return txns.Multi(tuple(done))


MUTANTS = (
    Mutant(
        name="snapshot-misses-tail",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(replica=MissesTail)),
        failure="ZOOKEEPER-1090: a race while a snapshot is taken; it is named after a zxid whose "
        "changes it does not have, and the log is replayed from there on only",
        workload="sequence",
        caught_by="sequences",
        seeds=5,
        faults=("kill", "terminate", "power", "rolling-restart"),
    ),
    Mutant(
        name="sequence-reused-after-restart",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(preparer=Recounting)),
        failure="ZOOKEEPER-1046: after a restart the parent's cversion could be behind, so that the "
        "next suffix had been given out before (there the name was still taken: NodeExists)",
        workload="sequence",
        caught_by="sequences",
        seeds=15,
        faults=("partition", "kill", "terminate", "power", "pause", "rolling-restart"),
    ),
    Mutant(
        name="cas-ignores-version",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(preparer=AnyVersion)),
        failure="etcd issue 2684: prevIndex was ignored once prevExist was given too, and the set took "
        "place whatever had come in between",
        workload="register",
        caught_by="zxid-order",
        seeds=1,
        on_real_clusters=True,
    ),
    Mutant(
        name="multi-half-applies",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(preparer=HalfMulti)),
        failure="ZOOKEEPER-1624: a multi that failed was not rolled back in full, and what it had begun "
        "met the requests behind it",
        workload="sequence",
        caught_by="sequences",
        seeds=1,
        on_real_clusters=True,
    ),
)
