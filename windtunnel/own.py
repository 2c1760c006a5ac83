"""A test of one's own: any asyncio program as a system, and what clients do to it as a workload.

::

    import windtunnel as wt


    async def node(host):
        await asyncio.start_server(partial(serve, host), host.name, 7000)


    system = wt.system(node)
    workload = wt.workload(client=MyClient, generator=wt.repeat("next"), checker=wt.unique_ids())
    run = wt.run(wt.TestSpec(workload="mine", seed=7), workloads={"mine": workload.on(system)})

Nothing is subclassed: a client has ``open``, ``invoke`` and ``close``, a checker is a function.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from checkers.progress import progress as serves_again
from checkers.verdict import Checker, all_of
from cluster.api import Endpoint, System
from impl.host import Host, Program
from windtunnel.names import BadInputError
from workloads.generators import (
    NOTHING,
    Generator,
    Source,
    delay,
    each_thread,
    lift,
    repeat,
    stagger,
    until_ok,
)
from workloads.workload import Client, ClientContext, Workload, WorkloadOptions

Configure: TypeAlias = Callable[[str, tuple[str, ...]], Mapping[str, Any]]
MakeWorkload: TypeAlias = Callable[[WorkloadOptions], Workload]

PORT = 7000
RETRY_S = 0.2
NODE = ("python", "-m", "windtunnel.node")


@dataclass(frozen=True, kw_only=True)
class OwnWorkload:
    """What ``workload`` was told; ``on`` puts it onto a system."""

    client: Callable[[ClientContext], Client]
    generator: Source
    checker: Checker
    final: Source | None
    progress: tuple[str, ...]
    faults: tuple[str, ...] | None
    facts: Mapping[str, Any]
    recovery_s: float

    def on(self, system: System) -> MakeWorkload:
        """The workload over ``system``, as ``workloads={"mine": ...}`` and the registry take it."""

        def make(options: WorkloadOptions) -> Workload:
            return Workload(
                name=system.name,
                system=system,
                client=self.client,
                generator=stagger(1 / options.rate, self.generator),
                final=self._final(),
                checker=self._checker(),
                progress=self.progress,
                faults=self.faults,
                facts={**system.facts, **self.facts},
                recovery_s=self.recovery_s,
            )

        return make

    def _final(self) -> Generator:
        """As given; else each client tries what makes progress until it succeeds."""
        if self.final is not None:
            return lift(self.final)
        if not self.progress:
            return NOTHING
        again = [until_ok(delay(RETRY_S, repeat(f))) for f in self.progress]
        return each_thread(again)

    def _checker(self) -> Checker:
        own = {checker_name(self.checker): self.checker}
        return all_of(**({"progress": serves_again(*self.progress)} if self.progress else {}), **own)


def system(
    program: Callable[..., Awaitable[Any]],
    *,
    port: int = PORT,
    name: str | None = None,
    config: Mapping[str, Any] | Configure | None = None,
    ready: Callable[[Endpoint], Awaitable[None]] | None = None,
    primaries: Callable[[Mapping[str, Endpoint]], Awaitable[list[str]]] | None = None,
    command: tuple[str, ...] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> System:
    """A system whose nodes run ``program``, an async function of the host and maybe its configuration.

    A node whose function returns goes on with the servers and tasks that it started; it exits by
    SystemExit or another exception. ``port`` is the one that clients use, on the node's own name.
    ``config`` is what all nodes get, or a function of a node's name and of all nodes'; beside it the
    program finds ``name`` and ``nodes``. ``ready(endpoint)`` raises OSError or TimeoutError while a node
    does not serve: connecting must do unless it is given. ``primaries(endpoints)`` says who leads, for
    faults that target ``primaries``. ``command`` is how real machines run a node; for a function at the
    top of a module it need not be given.

    Raises BadInputError for a program that no node can run.
    """
    return System(
        name=name or str(getattr(program, "__name__", "node")),
        program=as_program(program),
        command=_command(program) if command is None else command,
        configure=_configure(config),
        ports={"client": port},
        port="client",
        ready=ready or connects,
        primaries=primaries,
        facts=facts or {},
    )


def workload(
    *,
    client: Callable[[ClientContext], Client],
    generator: Source,
    checker: Checker,
    final: Source | None = None,
    progress: str | tuple[str, ...] = (),
    faults: tuple[str, ...] | None = None,
    facts: Mapping[str, Any] | None = None,
    recovery_s: float = 60.0,
) -> OwnWorkload:
    """What clients do, and what must hold of it.

    ``client(context)`` makes a client for a process. ``generator`` says what they do, at most at the
    test's rate. ``final`` is what they do once all is healed; by default they try the functions that
    ``progress`` names, without arguments, until each has succeeded, for ``recovery_s`` seconds; if one
    never does, that is an anomaly. ``faults`` are the kinds that make sense, all unless given; ``facts``
    go to the checker.
    """
    if not callable(client):
        raise BadInputError(f"client is {client!r}: give a class, or a function that makes a client.")
    if not callable(checker):
        raise BadInputError(f"checker is {checker!r}: give a function of a history and its options.")
    return OwnWorkload(
        client=client,
        generator=generator,
        checker=checker,
        final=final,
        progress=(progress,) if isinstance(progress, str) else progress,
        faults=faults,
        facts=facts or {},
        recovery_s=recovery_s,
    )


def as_program(program: Callable[..., Awaitable[Any]]) -> Program:
    """A node program out of a function of the host, or of host and configuration, that may return."""
    wants_config = _wants_config(program)

    async def run(host: Host, config: Mapping[str, Any]) -> None:
        await (program(host, config) if wants_config else program(host))
        await asyncio.Event().wait()

    return run


async def connects(endpoint: Endpoint) -> None:
    """Return if the node takes connections. Raises OSError if it does not."""
    _, writer = await asyncio.open_connection(*endpoint)
    writer.close()


def checker_name(checker: Checker) -> str:
    """What a verdict calls a checker: the function that it is, or that made it."""
    name = getattr(checker, "__qualname__", "checker").partition(".<locals>")[0]
    name = str(name).rpartition(".")[2].strip("_<>")
    return "checker" if name in ("", "lambda", "progress") else name


def _wants_config(program: Callable[..., Awaitable[Any]]) -> bool:
    if not callable(program):
        raise BadInputError(f"a node is an async function of its host, not {program!r}.")
    for arguments in ((None, None), (None,)):
        try:
            inspect.signature(program).bind(*arguments)
        except TypeError:
            continue
        return len(arguments) == 2
    name = getattr(program, "__qualname__", repr(program))
    raise BadInputError(f"{name} cannot be a node: it must take its host, or host and configuration.")


def _configure(config: Mapping[str, Any] | Configure | None) -> Configure:
    def configure(node: str, nodes: tuple[str, ...]) -> Mapping[str, Any]:
        own = config(node, nodes) if callable(config) else config or {}
        return {"name": node, "nodes": list(nodes), **own}

    return configure


def _command(program: Callable[..., Awaitable[Any]]) -> tuple[str, ...]:
    """How another process finds the program again; nothing for one that only exists in this one."""
    module, name = getattr(program, "__module__", None), getattr(program, "__qualname__", "<")
    if module is None or "<" in name:
        return ()
    return (*NODE, f"{module}:{name}", "{config}")
