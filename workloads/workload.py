"""What a workload is made of: a system, clients, a generator, a final phase and a checker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from checkers.verdict import Checker
from cluster.api import Endpoint, System
from history.op import Op
from nemesis.targets import DEFAULT_TARGETS
from workloads.generators import Generator


class Client(Protocol):
    """One logical client. Made for one process; a process that ends in ``info`` gets a new one."""

    async def open(self) -> None:
        """Connect. Raises OSError or TimeoutError: the operation that wanted it is a ``fail``."""

    async def invoke(self, op: Op) -> Op:
        """Do ``op`` and return its completion: ``op.completed("ok", value=...)``.

        Return ``fail`` only when it certainly did not happen. Whatever is raised here becomes
        ``info``: the operation may have happened, then or later.
        """

    async def close(self) -> None:
        """Give everything back; must not raise when the cluster is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientContext:
    """What a client is told: its process, its endpoints, and a stream of random numbers' seed.

    ``endpoints`` are those of the system's client port, by node; ``ports`` those of each of its ports.
    """

    process: int
    endpoints: Mapping[str, Endpoint]
    seed: int
    ports: Mapping[str, Mapping[str, Endpoint]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadOptions:
    """What a workload is made for.

    ``rate`` is the wanted number of operations per second over all ``concurrency`` clients;
    ``time_limit_s`` is how long the main phase lasts; ``mutant`` names a known-bad variant of
    ``impl.mutants.registry``; ``system`` is what runs on the nodes, the reference implementation unless
    it names another; ``settings`` are the workload's own options, by name.
    """

    nodes: tuple[str, ...] = ("n1", "n2", "n3", "n4", "n5")
    concurrency: int = 5
    rate: float = 10.0
    time_limit_s: float = 30.0
    mutant: str | None = None
    system: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


OURS = "impl"
"""The name of the reference implementation among the systems that a workload can run on."""


def choose(options: WorkloadOptions, *systems: str) -> str:
    """The system that ``options`` name, the first of ``systems`` unless they do.

    Raises ValueError for one that is not among them, and for a mutant of one that is not ours.
    """
    chosen = options.system or systems[0]
    if chosen not in systems:
        raise ValueError(f"it does not run on system {chosen!r}; it runs on {', '.join(systems)}")
    if chosen != OURS and options.mutant is not None:
        raise ValueError(f"mutant {options.mutant!r} is a variant of ours: leave --system {chosen} out")
    return chosen


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One test: registered in ``workloads.registry`` under its name.

    ``client`` makes a client for a process; ``generator`` is the main phase, cut off at the time limit;
    ``final`` runs after everything is healed; ``progress`` names the functions of which at least one
    must succeed in the final phase; ``faults`` are the kinds that make sense against this system, all
    of them unless given, ``targets`` what they may hit, and one is drawn for each
    ``fault_interval_s``; ``facts`` go to the checker as options, beside those of the run.
    ``recovery_s`` is how long after the healing the system may need until it serves again: the final
    phase is given up after that. ``real_only`` says, if the clients can't run in the simulator, which
    they are.
    """

    name: str
    system: System
    client: Callable[[ClientContext], Client]
    generator: Generator
    final: Generator
    checker: Checker
    progress: tuple[str, ...] = ()
    faults: tuple[str, ...] | None = None
    targets: tuple[str, ...] = DEFAULT_TARGETS
    fault_interval_s: float = 5.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    recovery_s: float = 60.0
    real_only: str = ""
