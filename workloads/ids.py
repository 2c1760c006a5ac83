"""What the three ID workloads share: the operation ``next``, its client and its load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from checkers.verdict import Checker
from cluster.api import System
from cluster.systems.ids import ids_system
from history.op import Op, invoke
from impl.ids.client import DidNotHappen, IdClient, MayHaveHappened
from impl.mutants.registry import MUTANTS
from workloads.generators import (
    Context,
    Generator,
    concat,
    delay,
    each_thread,
    lift,
    limit,
    repeat,
    stagger,
    until_ok,
)
from workloads.workload import OURS, ClientContext, Workload, WorkloadOptions, choose
from workloads.workload import Client as WorkloadClient

NEXT = "next"
_LARGE = 5000
_FIRST_TRIES = 5
_RETRY_FIRST_S = 0.2
_RETRY_LATER_S = 10.0
_CLOCKS_CATCH_UP_S = 900.0


@dataclass(frozen=True, slots=True)
class Other:
    """A system that is not ours: how it is made, and who does ``next`` on it."""

    make: Callable[[WorkloadOptions], System]
    client: Callable[[ClientContext], WorkloadClient]


NO_OTHERS: Mapping[str, Other] = MappingProxyType({})


class NextClient:
    """``next`` with a count, one unless given; ``ok`` carries the list of IDs and the node."""

    def __init__(self, context: ClientContext) -> None:
        self._context = context

    async def open(self) -> None:
        """Connect to nothing yet: a node is chosen for each operation."""
        self._client = IdClient(self._context.endpoints, start=self._context.process)

    async def invoke(self, op: Op) -> Op:
        try:
            answer = await self._client.next(op.value or 1)
        except DidNotHappen as error:
            return op.completed("fail", error=str(error))
        except MayHaveHappened as error:
            return op.completed("info", error=str(error), node=error.node)
        return op.completed("ok", value=answer.ids, node=answer.node)

    async def close(self) -> None:
        await self._client.close()


def id_workload(
    name: str,
    kinds: tuple[str, ...],
    options: WorkloadOptions,
    *,
    checker: Checker,
    one_in: int = 0,
    others: Mapping[str, Other] = NO_OTHERS,
) -> Workload:
    """The workload ``name`` over nodes of one of ``kinds``, the first unless a mutant is of another.

    One operation in ``one_in`` asks for 5000 IDs at once, none when it is 0. ``others`` are systems that
    are not ours, by name. Raises ValueError for a mutant of another workload, or an unknown system.
    """
    chosen = choose(options, OURS, *others)
    system = _system(name, kinds, options) if chosen == OURS else others[chosen].make(options)
    return Workload(
        name=name,
        system=system,
        client=NextClient if chosen == OURS else others[chosen].client,
        generator=load(options.rate, one_in=one_in),
        final=final_phase(),
        checker=checker,
        progress=(NEXT,),
        facts=system.facts,
        recovery_s=_CLOCKS_CATCH_UP_S,
    )


def final_phase() -> Generator:
    """Each thread tries until it gets an ID: soon at first, then now and then.

    A Snowflake node whose clock had run ahead rightly refuses until true time has caught up.
    """
    soon = limit(_FIRST_TRIES, delay(_RETRY_FIRST_S, repeat(NEXT)))
    return each_thread(until_ok(concat(soon, delay(_RETRY_LATER_S, repeat(NEXT)))))


def load(rate: float, *, one_in: int = 0) -> Generator:
    """``rate`` operations per second: three in five want one ID, the others two to ten.

    One in ``one_in`` wants 5000, which is more than a Snowflake node has in one millisecond.
    """

    def some(context: Context) -> Op:
        if one_in and context.random(one_in, salt=1) == 0:
            return invoke(NEXT, _LARGE)
        few = context.random(5, salt=2) >= 3
        return invoke(NEXT, 2 + context.random(9, salt=3) if few else 1)

    return stagger(1 / rate, lift(some))


def _system(name: str, kinds: tuple[str, ...], options: WorkloadOptions) -> System:
    if options.mutant is None:
        return ids_system(kinds[0], nodes=options.nodes, settings=options.settings)
    mutant = MUTANTS.get(options.mutant)
    if mutant is None or mutant.kind not in kinds:
        fitting = ", ".join(m.name for m in MUTANTS.values() if m.kind in kinds)
        raise ValueError(f"workload {name} has no mutant {options.mutant!r}; it has {fitting}")
    return ids_system(
        mutant.kind,
        nodes=options.nodes,
        program=mutant.program,
        command=mutant.command,
        settings=options.settings,
    )
