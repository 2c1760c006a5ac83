"""Offsets that outlive their consumers: stop, start again, and go on where it was committed.

Each client is the only consumer of one partition, without a subscription, and keeps its offset in a
group of that partition's name; there is a client for each partition, the others send. Operations of a
consumer: ``poll``, which begins where it was committed if it has not begun; ``commit``; ``stop``, after
which the next ``poll`` starts a new consumer. In the end ``drain``, as in ``queue``.

Fails when what was committed is forgotten, goes back, or runs ahead of what was polled; when polling
goes on anywhere else than where it was committed; and in every way in which ``queue`` fails.

Options: ``client``, ``acks``, ``idempotent``, ``flush`` (see ``workloads.brokers.common``).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from checkers.progress import progress
from checkers.queue.checker import queue as queue_checker
from checkers.verdict import all_of
from history.op import Op, invoke
from workloads.brokers.both import QueueClient
from workloads.brokers.common import (
    PARTITIONS,
    RETRY_S,
    drains,
    key_of,
    maker_of,
    partition_of,
    promises_of,
    queue_workload,
    settings_of,
    until_one,
)
from workloads.brokers.member import Membership
from workloads.brokers.reading import Acknowledged
from workloads.brokers.seam import Maker, Settings
from workloads.generators import (
    Generator,
    cycle,
    delay,
    limit,
    mix,
    on_threads,
    phases,
    repeat,
    reserve,
    stagger,
)
from workloads.queue import FINAL, sends
from workloads.workload import ClientContext, Workload, WorkloadOptions

_LAST_TURNS = 10


class OffsetsClient:
    """A producer, or the only consumer of the partition that its operations name."""

    def __init__(
        self, context: ClientContext, *, maker: Maker, settings: Settings, acknowledged: Acknowledged
    ) -> None:
        self._context, self._maker, self._settings = context, maker, settings
        self._outside = QueueClient(context, maker=maker, settings=settings, acknowledged=acknowledged)
        self._consumers: dict[str, Membership] = {}

    async def open(self) -> None:
        """Nothing yet: what a process is, its operations say."""

    async def invoke(self, op: Op) -> Op:
        if op.f not in ("poll", "commit", "stop"):
            return await self._outside.invoke(op)
        consumer = self._consumer(op.key)
        if op.f == "stop":
            return await consumer.end(op, leave=False)
        return await (consumer.poll(op) if op.f == "poll" else consumer.commit(op))

    async def close(self) -> None:
        for consumer in self._consumers.values():
            await consumer.close()
        await self._outside.close()

    def _consumer(self, key: str) -> Membership:
        if key not in self._consumers:
            self._consumers[key] = Membership(
                self._context,
                maker=self._maker,
                settings=replace(self._settings, group=f"of-{key}"),
                alone=[partition_of(key)],
            )
        return self._consumers[key]


def offsets(options: WorkloadOptions) -> Workload:
    """See the module's docstring.

    Raises ValueError for a mutant or an option that is wrong, or when there are not more clients than
    partitions.
    """
    if options.concurrency <= len(PARTITIONS):
        raise ValueError(
            f"concurrency is {options.concurrency}: offsets needs a consumer for each of"
            f" {len(PARTITIONS)} partitions and a producer beside them"
        )
    settings = settings_of(options)
    consumers = [(1, _turns(key_of(partition))) for partition in PARTITIONS]
    return queue_workload(
        "offsets",
        options,
        client=partial(
            OffsetsClient, maker=maker_of(options), settings=settings, acknowledged=Acknowledged()
        ),
        generator=stagger(1 / options.rate, reserve(*consumers, rest=sends())),
        final=phases(until_one(sends(start=FINAL)), _resumed(), drains()),
        checker=all_of(
            queue=queue_checker(promises_of(settings), also=("offsets",)),
            progress=progress("send", "poll", "commit", "drain"),
        ),
        progress=("send", "poll", "commit", "drain"),
    )


def _turns(key: str) -> Generator:
    poll, commit, stop = (repeat(invoke(f, key=key)) for f in ("poll", "commit", "stop"))
    return mix(poll, poll, poll, poll, commit, commit, stop)


def _resumed() -> Generator:
    """The consumer of the first partition, which is always the first thread, goes on and commits."""
    key = key_of(PARTITIONS[0])
    turns = cycle(invoke("poll", key=key), invoke("commit", key=key))
    return on_threads({0}, limit(_LAST_TURNS, delay(RETRY_S, turns)))
