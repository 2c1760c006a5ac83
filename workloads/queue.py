"""A partitioned log: producers append to partitions that they name, consumers are assigned theirs.

Operations: ``send`` of one to four messages, one right after the other without waiting, each a number
that is sent once only, to one partition; ``assign`` of some partitions, of which those polled before go
on where they were and new ones begin at offset 0; ``poll`` of what is assigned; ``leaders``, which asks
a broker which partitions it leads and in which epoch; ``drain`` in the end, which reads a partition
(``key``) from its beginning to its end, and ``leaders`` of each broker. Every client is a producer and
a consumer.

Fails as ``jepsen.tests.kafka`` does: on messages that were acknowledged and are lost, that stand twice
or somewhere else for somebody else, that are skipped or polled again, or out of order; besides, on
what was polled and is gone later, on messages that stand before what had been acknowledged when they
were sent, and on two leaders in one epoch. What else invalidates depends on ``acks`` and
``idempotent``: see ``docs/queue-checkers.md``. It also fails when nothing can be sent, or a partition
not be read, once all is healed.

Options: ``client``, ``acks``, ``idempotent``, ``flush`` (see ``workloads.brokers.common``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from checkers.progress import progress
from checkers.queue.checker import queue as queue_checker
from checkers.verdict import all_of
from history.op import Op, invoke
from workloads.brokers.both import QueueClient
from workloads.brokers.common import (
    PARTITIONS,
    drains,
    key_of,
    maker_of,
    promises_of,
    queue_workload,
    settings_of,
    until_one,
)
from workloads.brokers.reading import Acknowledged
from workloads.generators import Generator, lift, mix, numbered, phases, repeat, stagger
from workloads.generators.context import scramble
from workloads.workload import Workload, WorkloadOptions

MOST_AT_ONCE = 4
SHARE, FINAL = 10**8, 10**9
"""From which number on each of several generators of messages counts, and that of the final phase."""


def queue(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant or an option that is wrong."""
    settings = settings_of(options)
    load = mix(
        *(sends(start=share * SHARE) for share in range(4)),
        *(repeat("poll") for _ in range(4)),
        numbered(_assign),
        repeat("leaders"),
    )
    return queue_workload(
        "queue",
        options,
        client=partial(
            QueueClient, maker=maker_of(options), settings=settings, acknowledged=Acknowledged()
        ),
        generator=stagger(1 / options.rate, load),
        final=phases(until_one(sends(start=FINAL)), drains(), _led(options.nodes)),
        checker=all_of(
            queue=queue_checker(promises_of(settings), also=("leaders",)),
            progress=progress("send", "drain"),
        ),
        progress=("send", "drain"),
    )


def sends(*, start: int = 0) -> Generator:
    """``send`` of messages whose numbers nobody else has, to a partition that is drawn."""
    return numbered(partial(_send, start))


def _send(start: int, number: int) -> Op:
    """One message mostly, else up to four."""
    drawn = scramble(start + number)
    key = key_of(PARTITIONS[drawn % len(PARTITIONS)])
    count = 1 + max(0, drawn // len(PARTITIONS) % 8 - MOST_AT_ONCE)
    first = start + number * MOST_AT_ONCE
    return invoke("send", [["send", key, value] for value in range(first, first + count)])


def _led(nodes: Sequence[str]) -> Generator:
    """Each broker is asked once: those that were asked by chance before may not have led anything."""
    return lift([invoke("leaders", node) for node in nodes])


def _assign(number: int) -> Op:
    """Any partitions but none."""
    drawn = 1 + scramble(number) % ((1 << len(PARTITIONS)) - 1)
    return invoke("assign", [key_of(each) for each in PARTITIONS if drawn >> each & 1])
