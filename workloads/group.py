"""A consumer group: members come, go and crash, and share the partitions of a log.

Two fifths of the clients send, as in ``queue``; the others are members of one group. Their operations:
``poll``, which joins first; ``commit`` of what was polled of the partitions still owned; ``leave``;
``crash``, after which the group has to notice by itself. ``poll`` and ``commit`` carry the rebalances
in between, with generation, member and time, and what was committed when a partition was taken up.
In the end one leaves and comes back, so that partitions change hands in every run, and each partition
is read once more, by a consumer outside of the group (``drain``).

Fails when two members own a partition in one generation; when a partition is handed over before it
was given up; when a commit of an old generation is accepted; when committed offsets go back or run
ahead of what was polled; when a member polls what is not its own, or, between two rebalances, skips
or repeats a message; and in every way in which ``queue`` fails. It also fails when nothing can be
sent, polled, committed or read once all is healed.

Options: ``assignor`` of our own client (``range`` unless it is ``roundrobin``, ``sticky`` or
``cooperative-sticky``), and ``client``, ``acks``, ``idempotent``, ``flush`` (see
``workloads.brokers.common``).
"""

from __future__ import annotations

from functools import partial

from checkers.progress import progress
from checkers.queue.checker import queue as queue_checker
from checkers.verdict import all_of
from history.op import Op
from workloads.brokers.both import QueueClient
from workloads.brokers.common import (
    RETRY_S,
    drains,
    maker_of,
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
    each_thread,
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

GROUP = "group"
ASSIGNORS = ("range", "roundrobin", "sticky", "cooperative-sticky")
_MEMBERS_SHARE = 0.6
_LAST_TURNS = 24
_TURNS_AFTER = 16


class GroupClient:
    """A producer outside of the group, and a member of it."""

    def __init__(
        self, context: ClientContext, *, maker: Maker, settings: Settings, acknowledged: Acknowledged
    ) -> None:
        self._outside = QueueClient(context, maker=maker, settings=settings, acknowledged=acknowledged)
        self._member = Membership(context, maker=maker, settings=settings)

    async def open(self) -> None:
        """Nothing yet: what a process is, its operations say."""

    async def invoke(self, op: Op) -> Op:
        match op.f:
            case "poll":
                return await self._member.poll(op)
            case "commit":
                return await self._member.commit(op)
            case "leave" | "crash":
                return await self._member.end(op, leave=op.f == "leave")
        return await self._outside.invoke(op)

    async def close(self) -> None:
        await self._member.close()
        await self._outside.close()


def group(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant or an option that is wrong."""
    assignor = str(options.settings.get("assignor", "range"))
    if assignor not in ASSIGNORS:
        raise ValueError(f"assignor is {assignor!r}: give one of {', '.join(ASSIGNORS)}")
    settings = settings_of(options, group=GROUP, assignor=assignor)
    members = max(1, round(options.concurrency * _MEMBERS_SHARE))
    turns = mix(
        *(repeat("poll") for _ in range(16)),
        *(repeat("commit") for _ in range(8)),
        repeat("leave"),
        repeat("crash"),
    )
    return queue_workload(
        "group",
        options,
        client=partial(
            GroupClient, maker=maker_of(options), settings=settings, acknowledged=Acknowledged()
        ),
        generator=stagger(1 / options.rate, reserve((members, turns), rest=sends())),
        final=phases(until_one(sends(start=FINAL)), *_last_turns(members), drains()),
        checker=all_of(
            queue=queue_checker(promises_of(settings), also=("groups", "offsets")),
            progress=progress("send", "poll", "commit", "drain"),
        ),
        progress=("send", "poll", "commit", "drain"),
    )


def _last_turns(members: int) -> tuple[Generator, ...]:
    """All are members, then one leaves and comes back: partitions change hands in every run."""
    everybody = set(range(members))

    def turns(count: int) -> Generator:
        return on_threads(everybody, each_thread(limit(count, delay(RETRY_S, cycle("poll", "commit")))))

    return turns(_LAST_TURNS), on_threads({0}, "leave"), turns(_TURNS_AFTER)
