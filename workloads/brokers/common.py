"""What the queue workloads share: the cluster, the options, and the steps that a history is made of.

Options: ``client`` (``own`` unless another is named; ``confluent-kafka`` and ``kafka-python`` not in
the simulator), ``acks`` (``all``, 1 or 0), ``idempotent`` (yes unless it is ``false``), ``flush`` (yes
unless it is ``false``). Brokers flush each message before they answer: Kafka, left to itself, does not,
and relies on never losing the power of several brokers at a time, which here may happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from checkers.queue.promises import Acks, Promises
from checkers.verdict import Checker
from cluster.api import System
from cluster.systems.queue import ALONE, queue_cluster, queue_system
from history.op import OpType, invoke
from impl.mutants.registry import MUTANTS
from impl.queue.client.parts import CLIENTS
from nemesis.fault import PRIMARIES
from nemesis.targets import DEFAULT_TARGETS
from workloads.brokers import makers
from workloads.brokers.seam import Maker, Partition, Place, Placed, Polled, Settings
from workloads.generators import Generator, Source, delay, phases, repeat, until_ok
from workloads.workload import OURS, Client, ClientContext, Workload, WorkloadOptions, choose

T = TypeVar("T")

TOPIC = "log"
PARTITIONS = (0, 1, 2)
RETRY_S = 0.3
_RECOVERY_S = 90.0
_FAULT_EVERY_S = 2.5
_FLUSHED = {"log.flush.interval.messages": 1}
_COMPACTED = {
    "offsets.topic.segment.bytes": 500,
    "log.cleaner.backoff.ms": 500,
    "log.cleaner.min.cleanable.ratio": "0",
    "replica.lag.time.max.ms": 2000,
}


def key_of(partition: Partition) -> str:
    """A partition as histories name it."""
    return f"{TOPIC}-{partition}"


def partition_of(key: str) -> Partition:
    """The reverse of ``key_of``."""
    return int(key.rpartition("-")[2])


def settings_of(options: WorkloadOptions, **further: Any) -> Settings:
    """The clients' settings. Raises ValueError for an option that has a wrong value."""
    acks = str(options.settings.get("acks", "all"))
    if acks not in ("all", "1", "0"):
        raise ValueError(f"acks is {acks!r}: give all, 1 or 0")
    promised: Acks = "all" if acks == "all" else 1 if acks == "1" else 0
    idempotent = options.settings.get("idempotent", promised == "all")
    if not isinstance(idempotent, bool) or (idempotent and promised != "all"):
        raise ValueError(f"idempotent is {idempotent!r}: give true or false; true needs acks=all")
    mutant = MUTANTS.get(options.mutant or "")
    clients = CLIENTS if mutant is None else mutant.clients
    return Settings(topic=TOPIC, acks=promised, idempotent=idempotent, clients=clients, **further)


def promises_of(settings: Settings) -> Promises:
    """What the checkers may hold against the cluster when producers are configured so."""
    ordered = settings.in_flight == 1
    return Promises(acks=settings.acks, idempotent=settings.idempotent, ordered=ordered)


def maker_of(options: WorkloadOptions) -> Maker:
    """The library of the option ``client``. Raises ValueError for one that there isn't."""
    return makers.find(str(options.settings.get("client", makers.DEFAULT)))


def threaded(options: WorkloadOptions) -> str:
    """The option ``client`` if that library has threads of its own, else nothing."""
    name = str(options.settings.get("client", makers.DEFAULT))
    return f"--client {name}" if name in makers.THREADED else ""


def place_of(context: ClientContext, role: str) -> Place:
    """Where a client of this process runs, under a name of its own."""
    return Place(endpoints=context.endpoints, name=f"{role}-{context.process}", seed=context.seed)


def sent(key: str | None, value: int, placed: Placed) -> list[Any]:
    """The step of one message, with what became of it."""
    where = key if placed.partition is None else key_of(placed.partition)
    if placed.type == "ok":
        return ["send", where, [placed.offset, value]]
    return ["send", where, value, placed.type]


def outcome(placed: Sequence[Placed]) -> OpType:
    """The type of an operation of several sends: ``info`` unless all went the same way."""
    types: set[OpType] = {one.type for one in placed}
    return types.pop() if len(types) == 1 else "info"


def polled(found: Polled) -> list[Any]:
    """The step of one poll."""
    return [
        "poll",
        {key_of(p): [[offset, int(value)] for offset, value in found[p]] for p in sorted(found)},
    ]


def by_key(offsets: Mapping[Partition, T]) -> dict[str, T]:
    """Offsets, or whatever it is, by the names that histories have for partitions."""
    return {key_of(partition): offsets[partition] for partition in sorted(offsets)}


def now_ns() -> int:
    """The clock that all clients of a run have in common."""
    return round(asyncio.get_running_loop().time() * 1_000_000_000)


def until_one(source: Source) -> Generator:
    """``source``, by anybody, until it has succeeded once."""
    return until_ok(delay(RETRY_S, source))


def drains() -> Generator:
    """Every partition is read to its end: a final phase's last part."""
    return phases(*(until_one(repeat(invoke("drain", key=key_of(each)))) for each in PARTITIONS))


def queue_workload(
    name: str,
    options: WorkloadOptions,
    *,
    client: Callable[[ClientContext], Client],
    generator: Generator,
    final: Generator,
    checker: Checker,
    progress: tuple[str, ...],
) -> Workload:
    """The workload ``name`` over a cluster of all nodes. Raises ValueError for another's mutant."""
    return Workload(
        name=name,
        system=queue_nodes(name, options),
        client=client,
        generator=generator,
        final=final,
        checker=checker,
        progress=progress,
        targets=(*DEFAULT_TARGETS, PRIMARIES),
        fault_interval_s=_FAULT_EVERY_S,
        recovery_s=_RECOVERY_S,
        real_only=threaded(options),
    )


def queue_nodes(name: str, options: WorkloadOptions, *, beside: Mapping[str, System] = ALONE) -> System:
    """The system of the workload ``name``; ``beside`` are further services of each node.

    Raises ValueError for another system, or a mutant of one.
    """
    choose(options, OURS)
    factor = min(3, len(options.nodes))
    settings = {
        "num.partitions": len(PARTITIONS),
        "default.replication.factor": factor,
        "min.insync.replicas": min(2, factor),
        "auto.create.topics.enable": "true",
        **_COMPACTED,
        **(_FLUSHED if options.settings.get("flush", True) else {}),
    }
    several = bool(beside) or len(options.nodes) > 1
    make = partial(queue_cluster, beside=beside) if several else queue_system
    if options.mutant is None:
        return make(nodes=options.nodes, settings=settings)
    mutant = MUTANTS.get(options.mutant)
    if mutant is None or mutant.kind != "queue":
        raise ValueError(f"workload {name} has no mutant {options.mutant!r}: it is not of the queue")
    command = mutant.command_among_others if several else mutant.command
    return make(nodes=options.nodes, program=mutant.program, command=command, settings=settings)
