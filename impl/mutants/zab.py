"""Replication that cuts a corner of Zab: quorums, disks, epochs, truncation, zxids."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from functools import partial

from impl.coordination.parts import Parts
from impl.coordination.server import serve
from impl.coordination.storage.epochs import Epochs
from impl.coordination.storage.log import TxnLog
from impl.coordination.storage.store import open_store
from impl.coordination.txns import counter_of, epoch_of, zxid_of
from impl.coordination.zab import synchronise
from impl.coordination.zab.synchronise import Past, Plan, Way
from impl.mutants.mutant import COORDINATION, Mutant

_FSYNC_EVERY_S = 2.0


def _first(acks: Mapping[int, int], voters: Collection[int]) -> int:
    """One server is enough: the leader, as a rule."""
    return max((acks.get(voter, 0) for voter in voters), default=0)


def _always(supporters: Collection[int], voters: Collection[int]) -> bool:
    return True


class LateFsync(TxnLog):
    """Acknowledges what it has in its buffer, and writes and fsyncs that once in a while."""

    async def run(self, synced: Callable[[int], None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fsync_later())
            while True:
                await self._work.wait()
                self._work.clear()
                synced(self.last)

    async def _fsync_later(self) -> None:
        while True:
            await asyncio.sleep(_FSYNC_EVERY_S)
            await self.sync()


class EpochsInMemory(Epochs):
    """Promises that last as long as the process."""

    async def accept(self, epoch: int) -> None:
        self.accepted = epoch

    async def enter(self, epoch: int) -> None:
        self.current = epoch


def _never_truncate(leader: Past, learner: Past) -> Plan:
    """Adds what is missing; what the learner has beyond stays."""
    plan = synchronise.plan(leader, learner)
    return Plan(Way.DIFF, plan.zxid) if plan.way is Way.TRUNC else plan


def _run_over(zxid: int, max_counter: int) -> int:
    """Plain arithmetic: the counter carries into the epoch, and begins again."""
    return zxid + 1 if counter_of(zxid) < max_counter else zxid_of(epoch_of(zxid) + 1, 1)


MUTANTS = (
    Mutant(
        name="zab-commit-without-quorum",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(committed=_first)),
        failure="Redis in Jepsen's analysis of 2013: the primary acknowledges before its replicas have "
        "the write, and what it acknowledged in the minority of a partition is lost",
        workload="sequence",
        caught_by="sequences",
        seeds=10,
        faults=("partition", "kill", "power", "pause", "rolling-restart"),
    ),
    Mutant(
        name="zab-ack-before-fsync",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(recover=partial(open_store, log=LateFsync))),
        failure="ZOOKEEPER-4646: a follower answers NEWLEADER while what it was given is still on its "
        "way to the disk; ZooKeeper with forceSync=no",
        workload="sequence",
        caught_by="sequences",
        seeds=20,
        faults=("power", "kill", "terminate", "rolling-restart"),
    ),
    Mutant(
        name="zab-epochs-in-memory",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(recover=partial(open_store, epochs=EpochsInMemory))),
        failure="ZOOKEEPER-335: before 3.4 a new leader's epoch was not on disk before the first "
        "transaction of it, so that when it crashed the next leader could take the same epoch",
        workload="leader",
        caught_by="leaders",
        seeds=20,
        faults=("kill", "terminate", "power", "rolling-restart"),
    ),
    Mutant(
        name="zab-no-trunc",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(plan=_never_truncate)),
        failure="ZOOKEEPER-1154: a server comes back with transactions that nobody else has, the others "
        "have gone on without them, and it keeps them",
        workload="sequence",
        caught_by="sequences",
        seeds=10,
        faults=("partition", "kill", "pause", "power"),
    ),
    Mutant(
        name="zab-leader-without-quorum",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(has_quorum=_always, confirmed=_first)),
        failure="etcd and Consul in Jepsen's analysis of 2014: a leader that was cut off goes on "
        "answering reads from its own state; ZooKeeper's answers sync without a quorum "
        "(ZOOKEEPER-1675)",
        workload="leader",
        caught_by="leaders",
        seeds=5,
        faults=("partition", "pause"),
    ),
    Mutant(
        name="zab-zxid-runs-over",
        kind=COORDINATION,
        program=partial(serve, parts=Parts(next_zxid=_run_over)),
        failure="ZOOKEEPER-1277: servers stop serving when the lower 32 bits of the zxid roll over into "
        "the epoch",
        workload="leader",
        caught_by="progress",
        seeds=10,
    ),
)
