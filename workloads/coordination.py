"""What the coordination workloads share: the ensemble, a session for each process, errors in classes.

Every completion says in its value which ``session`` it was of, and carries the zxids that it was
answered with: that is what the checkers order by.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from checkers.verdict import Checker
from cluster.api import System
from cluster.systems.coordination import coordination_system
from cluster.systems.zookeeper import zookeeper_system
from history.op import Op
from impl.coordination.client.client import Client
from impl.coordination.client.errors import DidNotHappen, MayHaveHappened, ServerError
from impl.coordination.protocol.errors import Code
from impl.coordination.recipes.parts import RECIPES, Recipes
from impl.mutants.mutant import COORDINATION
from impl.mutants.registry import MUTANTS
from nemesis.fault import PRIMARIES
from nemesis.targets import DEFAULT_TARGETS
from workloads.generators import Generator, Source, delay, each_thread, until_ok
from workloads.workload import OURS, ClientContext, Workload, WorkloadOptions, choose
from workloads.workload import Client as WorkloadClient

Work: TypeAlias = Callable[[Client, Op], Awaitable[dict[str, Any]]]
"""Does an operation; its result goes into the completion's value. Raises what the client raises."""

SESSION_TIMEOUT_S = 2.0
EXPIRY_S = SESSION_TIMEOUT_S + 1.2
"""When a session that fell silent has expired, if the leader stays; in the final phase it does."""
RETRY_S = 0.3
SNAPSHOT_EVERY = 30
"""For ``snapCount``, so that servers start from snapshots and have logs that do not go back for ever."""
_FAULT_EVERY_S = 2.5
_REQUEST_TIMEOUT_S = 2.0
_CLOSE_WITHIN_S = 0.8


class Session:
    """One process's session: a new one takes its place once it is over.

    ``paths`` are persistent znodes that are made, in this order, before anything else is done.
    """

    def __init__(
        self,
        context: ClientContext,
        *,
        paths: tuple[str, ...] = (),
        timeout_s: float = SESSION_TIMEOUT_S,
        on_client: Callable[[Client], Awaitable[None]] | None = None,
    ) -> None:
        self._nodes = {
            (endpoint.host, endpoint.port): node for node, endpoint in context.endpoints.items()
        }
        self._random = random.Random(context.seed)
        self._paths = paths
        self._timeout_s = timeout_s
        self._on_client = on_client
        self._client: Client | None = None

    async def open(self) -> Client:
        """The client, connected. Raises what it raises when there is no session to be had."""
        if self._client is None or self._client.state.final:
            client = self._client = self._new()
            await client.connected()
            await make_paths(client, self._paths)
            if self._on_client is not None:
                await self._on_client(client)
        return self._client

    async def close(self) -> bool:
        """End the session, or leave it to expire when no server can be told; whether one confirmed."""
        return self._client is not None and await closed(self._client)

    async def abandon(self) -> None:
        """Fall silent, as a crash would."""
        if self._client is not None:
            await self._client.abandon()

    async def perform(self, op: Op, work: Work) -> Op:
        """Do ``work``: ``ok`` with what it returns, ``fail`` or ``info`` as the client knows."""
        try:
            client = await self.open()
        except (DidNotHappen, MayHaveHappened, ServerError, OSError) as error:
            await self.abandon()
            return op.completed("fail", error=f"no session: {error}")
        try:
            value = await work(client, op)
        except ServerError as refused:
            return op.completed("fail", error=error_name(refused), node=self.node)
        except DidNotHappen as error:
            return op.completed("fail", error=str(error))
        except MayHaveHappened as error:
            return op.completed("info", error=str(error))
        named = {"session": session_name(client), **value}
        return op.completed("ok", value=named, node=self.node)

    @property
    def node(self) -> str | None:
        """The server that is connected."""
        endpoint = None if self._client is None else self._client.endpoint
        return None if endpoint is None else self._nodes.get(endpoint)

    def _new(self) -> Client:
        client = Client(
            tuple(self._nodes),
            session_timeout_s=self._timeout_s,
            request_timeout_s=_REQUEST_TIMEOUT_S,
            random=self._random,
        )
        client.start()
        return client


def session_name(client: Client) -> str:
    """The session's number, as servers write it."""
    return f"{client.session_id:#x}"


def error_name(refused: ServerError) -> str:
    """``bad-version``, ``no-node``: the code that the server answered."""
    return refused.code.name.lower().replace("_", "-")


async def make_paths(client: Client, paths: tuple[str, ...]) -> None:
    """Create persistent znodes unless they are there."""
    for path in paths:
        try:
            await client.create(path)
        except ServerError as refused:
            if refused.code != Code.NODE_EXISTS:
                raise


async def closed(client: Client) -> bool:
    """Close the session within a second, or abandon it; whether a server confirmed the end."""
    try:
        async with asyncio.timeout(_CLOSE_WITHIN_S):
            return await client.close()
    except TimeoutError:
        await client.abandon()
        return False


def loop_ns() -> int:
    """Now, by the clock that all clients of a run have in common."""
    return round(asyncio.get_running_loop().time() * 1_000_000_000)


def each_until_ok(source: Source) -> Generator:
    """For a final phase: every thread does ``source`` until it has succeeded."""
    return each_thread(until_ok(delay(RETRY_S, source)))


def coordination_workload(
    name: str,
    options: WorkloadOptions,
    *,
    client: Callable[[ClientContext], WorkloadClient],
    generator: Generator,
    final: Generator,
    checker: Checker,
    progress: tuple[str, ...],
    facts: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Workload:
    """The workload ``name`` over an ensemble of all nodes; ``settings`` are keys of a ``zoo.cfg``.

    Raises ValueError for another system, or a mutant of one.
    """
    system = _system(name, options, settings or {})
    return Workload(
        name=name,
        system=system,
        client=client,
        generator=generator,
        final=final,
        checker=checker,
        progress=progress,
        targets=(*DEFAULT_TARGETS, PRIMARIES),
        fault_interval_s=_FAULT_EVERY_S,
        facts={**system.facts, "session_timeout_s": SESSION_TIMEOUT_S, **(facts or {})},
    )


def recipes(options: WorkloadOptions) -> Recipes:
    """What clients work with: the right recipes, or those of the mutant that is asked for."""
    mutant = None if options.mutant is None else MUTANTS.get(options.mutant)
    return RECIPES if mutant is None else mutant.recipes


def _system(name: str, options: WorkloadOptions, settings: Mapping[str, Any]) -> System:
    if choose(options, OURS, "zookeeper") == "zookeeper":
        return zookeeper_system(nodes=options.nodes, settings=settings)
    if options.mutant is None:
        return coordination_system(nodes=options.nodes, settings=settings)
    mutant = MUTANTS.get(options.mutant)
    if mutant is None or mutant.kind != COORDINATION:
        fitting = ", ".join(m.name for m in MUTANTS.values() if m.kind == COORDINATION)
        raise ValueError(f"workload {name} has no mutant {options.mutant!r}; it has {fitting}")
    return coordination_system(
        nodes=options.nodes, program=mutant.program, command=mutant.command, settings=settings
    )
