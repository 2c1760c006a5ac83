"""Messages with keys: the same key always goes to the same partition, and stays in order there.

Operations: ``send`` of one to four messages of one key (``key``), one right after the other; the
partition is what the client's partitioner makes of the key, and is told by the answer. ``poll`` of all
partitions, and in the end ``drain``, as in ``queue``.

Fails when messages of one key stand in two partitions, and in every way in which ``queue`` fails: what
one producer sends to a partition, and what is sent after something was acknowledged, stands in that
order, so that the messages of a key do.

Options: ``client``, ``acks``, ``idempotent``, ``flush`` (see ``workloads.brokers.common``).
"""

from __future__ import annotations

from functools import partial

from checkers.progress import progress
from checkers.queue.checker import queue as queue_checker
from checkers.verdict import all_of
from history.op import Op, invoke
from workloads.brokers.both import QueueClient
from workloads.brokers.common import (
    drains,
    maker_of,
    promises_of,
    queue_workload,
    settings_of,
    until_one,
)
from workloads.brokers.reading import Acknowledged
from workloads.generators import Generator, mix, numbered, phases, repeat, stagger
from workloads.generators.context import scramble
from workloads.queue import FINAL, MOST_AT_ONCE
from workloads.workload import Workload, WorkloadOptions

KEYS = tuple(f"key-{letter}" for letter in "abcdefgh")


def keys(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for a mutant or an option that is wrong."""
    settings = settings_of(options)
    return queue_workload(
        "keys",
        options,
        client=partial(
            QueueClient, maker=maker_of(options), settings=settings, acknowledged=Acknowledged()
        ),
        generator=stagger(1 / options.rate, mix(_sends(), repeat("poll"))),
        final=phases(until_one(_sends(start=FINAL)), drains()),
        checker=all_of(
            queue=queue_checker(promises_of(settings), also=("keys",)),
            progress=progress("send", "drain"),
        ),
        progress=("send", "drain"),
    )


def _sends(*, start: int = 0) -> Generator:
    return numbered(partial(_send, start))


def _send(start: int, number: int) -> Op:
    drawn = scramble(start + number)
    count = 1 + max(0, drawn // len(KEYS) % 8 - MOST_AT_ONCE)
    first = start + number * MOST_AT_ONCE
    steps = [["send", None, value] for value in range(first, first + count)]
    return invoke("send", steps, key=KEYS[drawn % len(KEYS)])
