"""IDs, an election, a lock and a queue at the same time, on the same nodes: the main job.

Operations are those of ``snowflake``, ``election-chain``, ``lock-fenced`` and ``queue``, each named
with its part before it: ``ids/next``, ``election/campaign``, ``lock/use``, ``queue/send``. The parts
share the rate evenly and have threads of their own, three each for the election and the lock; with
fewer than twelve clients some do several parts. Every node runs an ID generator, a coordination server
and a broker in one process, so that a fault hits all three.

Fails when any part does, by all of its checkers, each of which sees the operations of its own part
only: ``queue-progress`` is what ``progress`` is in ``queue``.

Options are those of the parts: ``lock.pauses=2``, ``queue.acks=1``. Mutants are those of the parts too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from checkers.part import of_part
from checkers.verdict import all_of
from cluster.api import System
from history.op import Op
from impl.mutants.mutant import COORDINATION, QUEUE
from impl.mutants.registry import MUTANTS
from nemesis.fault import PRIMARIES
from nemesis.targets import DEFAULT_TARGETS
from workloads.brokers.common import queue_nodes
from workloads.election import election_chain
from workloads.generators import Generator, any_of, map, on_threads, time_limit
from workloads.lock import lock_fenced
from workloads.queue import queue
from workloads.snowflake import snowflake
from workloads.workload import OURS, Client, ClientContext, Workload, WorkloadOptions, choose

PARTS: Mapping[str, Callable[[WorkloadOptions], Workload]] = MappingProxyType(
    {"ids": snowflake, "election": election_chain, "lock": lock_fenced, "queue": queue}
)
PORTS: Mapping[str, str] = MappingProxyType(
    {"ids": "ids", "election": "coordination", "lock": "coordination", "queue": "queue"}
)
_KINDS: Mapping[str, str] = MappingProxyType(
    {"ids": "snowflake", "election": COORDINATION, "lock": COORDINATION, "queue": QUEUE}
)
_THREADS: Mapping[str, int] = MappingProxyType({"ids": 2, "election": 3, "lock": 3, "queue": 4})


def together(options: WorkloadOptions) -> Workload:
    """See the module's docstring. Raises ValueError for another's mutant, or an option of no part."""
    choose(options, OURS)
    _refuse(options)
    parts = {name: make(_of_part(name, options)) for name, make in PARTS.items()}
    pools = pools_of(options.concurrency)
    return Workload(
        name="together",
        system=_system(options, parts),
        client=lambda context: PartsClient(context, parts),
        generator=any_of(*(_named(name, pools, part.generator) for name, part in parts.items())),
        final=any_of(*(_named(name, pools, _final(part)) for name, part in parts.items())),
        checker=all_of(**{name: of_part(name, part.checker) for name, part in parts.items()}),
        progress=tuple(f"{name}/{f}" for name, part in parts.items() for f in part.progress),
        targets=(*DEFAULT_TARGETS, PRIMARIES),
        facts={fact: value for part in parts.values() for fact, value in part.facts.items()},
        recovery_s=max(part.recovery_s for part in parts.values()),
        real_only="".join(part.real_only for part in parts.values()),
    )


def pools_of(concurrency: int) -> dict[str, frozenset[int]]:
    """The threads of each part: consecutive ones, from the first again when there are no more."""
    pools: dict[str, frozenset[int]] = {}
    wanted = sum(_THREADS.values())
    there, before = max(concurrency, wanted), 0
    for name, threads in _THREADS.items():
        first, end = there * before // wanted, there * (before + threads) // wanted
        pools[name] = frozenset(thread % concurrency for thread in range(first, end))
        before += threads
    return pools


class PartsClient:
    """A client of each part that its process does; each is opened when it is first needed."""

    def __init__(self, context: ClientContext, parts: Mapping[str, Workload]) -> None:
        self._context = context
        self._parts = parts
        self._clients: dict[str, Client] = {}

    async def open(self) -> None:
        """Nothing yet: which parts the process does, its operations say."""

    async def invoke(self, op: Op) -> Op:
        part, _, f = op.f.partition("/")
        try:
            client = await self._opened(part)
        except (OSError, TimeoutError) as error:
            return op.completed("fail", error=f"no-client: {type(error).__name__}: {error}")
        return replace(await client.invoke(replace(op, f=f)), f=op.f)

    async def close(self) -> None:
        while self._clients:
            _, client = self._clients.popitem()
            await client.close()

    async def _opened(self, part: str) -> Client:
        if part not in self._clients:
            endpoints = self._context.ports[PORTS[part]]
            client = self._parts[part].client(replace(self._context, endpoints=endpoints))
            self._clients[part] = client
            await client.open()
        return self._clients[part]


def _named(part: str, pools: Mapping[str, frozenset[int]], source: Generator) -> Generator:
    """``source`` on the part's threads, its operations named as the part's."""
    return on_threads(pools[part], map(lambda op: replace(op, f=f"{part}/{op.f}"), source))


def _final(part: Workload) -> Generator:
    """A part that does not recover is given up when it would be alone."""
    return time_limit(part.recovery_s, part.final)


def _of_part(part: str, options: WorkloadOptions) -> WorkloadOptions:
    """What a part is made for: its share of the load, its own settings, and the mutant if it is its."""
    settings = {
        name.removeprefix(f"{part}."): value
        for name, value in options.settings.items()
        if name.startswith(f"{part}.")
    }
    mutant = MUTANTS.get(options.mutant or "")
    return replace(
        options,
        rate=options.rate / len(PARTS),
        mutant=mutant.name if mutant is not None and mutant.kind == _KINDS[part] else None,
        settings=settings,
    )


def _refuse(options: WorkloadOptions) -> None:
    for name in options.settings:
        if name.partition(".")[0] not in PARTS or "." not in name:
            raise ValueError(f"option {name!r} is of no part: write it as part.name, as in lock.pauses")
    mutant = MUTANTS.get(options.mutant or "")
    if options.mutant is not None and (mutant is None or mutant.kind not in _KINDS.values()):
        raise ValueError(f"no part has the mutant {options.mutant!r}")


def _system(options: WorkloadOptions, parts: Mapping[str, Workload]) -> System:
    beside = {"coordination": parts["lock"].system, "ids": parts["ids"].system}
    system = queue_nodes("together", _of_part("queue", options), beside=beside)
    mutant = MUTANTS.get(options.mutant or "")
    command = system.command if mutant is None else mutant.command_among_others
    return replace(system, name="together", command=command)
