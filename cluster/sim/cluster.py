"""The ``sim`` backend: cluster, network and clients inside one process, decided by one seed."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import signal
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from cluster.api import CLIENT, VERBS, Endpoint, Link, ProcessState, System
from cluster.sim.clock import true_wall_ns
from cluster.sim.guards import guarded
from cluster.sim.loop import NodeLoop
from cluster.sim.machine import Machine
from cluster.sim.network import Network
from cluster.sim.traffic import Observe
from cluster.sim.world import World

T = TypeVar("T")
_OF_CONTAINERS = ("kill_container", "freeze", "thaw")
_READY_EVERY_S = 0.05
_READY_WITHIN_S = 30.0
DEFAULT_NODES = ("n1", "n2", "n3", "n4", "n5")


class SimCluster:
    """``cluster.api.Cluster`` in virtual time. Used once: ``run`` it, then read digest and logs.

    ``seed`` decides everything; ``observe``, if given, is told of every packet that is sent.
    """

    name = "sim"

    def __init__(
        self,
        system: System,
        *,
        nodes: tuple[str, ...] = DEFAULT_NODES,
        seed: int = 0,
        observe: Observe | None = None,
    ) -> None:
        if CLIENT in nodes or len(set(nodes)) != len(nodes) or not nodes:
            raise ValueError(f"node names must be distinct and not {CLIENT!r}: {nodes}")
        if system.program is None:
            raise ValueError(f"{system.name} is no program of asyncio: it runs on real kernels only")
        self.system, self._program = system, system.program
        self.world = World(seed)
        self.world.observe = observe
        self.network = Network(self.world)
        self._nodes = nodes
        self._machines = {name: Machine(self.world, self.network, name) for name in nodes}
        self._harness = Machine(self.world, self.network, CLIENT)

    @property
    def nodes(self) -> tuple[str, ...]:
        return self._nodes

    @property
    def verbs(self) -> frozenset[str]:
        return frozenset(verb for verb in VERBS if not self.why_not(verb))

    def why_not(self, verb: str) -> str:
        return "" if verb not in _OF_CONTAINERS else "a simulated node is in no container; take docker"

    # --- running ------------------------------------------------------------------------------

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        """Run the harness in virtual time until ``main`` is done, then seal the digest.

        Raises what ``main`` raises, SimEscape when code in the simulation reached for something
        real, SimError when nothing is left to happen, and KeyboardInterrupt after ``main`` was
        cancelled by Ctrl-C and had cleaned up.
        """
        collecting = gc.isenabled()
        gc.disable()
        try:
            with guarded(self.world, self.network), _interruptible(self.world):
                task = self._drive(main)
        finally:
            self._close()
            if collecting:
                gc.enable()
        if self.world.escapes:
            raise self.world.escapes[0]
        if self.world.interrupted and task.cancelled():
            raise KeyboardInterrupt
        return task.result()

    def _drive(self, main: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        loop = self._harness.boot()
        task = contextvars.Context().run(loop.create_task, _await(main), name="harness")
        task.add_done_callback(self.world.stop)
        self.world.run()
        if self.world.interrupted and not task.done():
            loop.call_soon(task.cancel)
            self.world.interrupted = False
            self.world.run()
            self.world.interrupted = True
        return task

    def _close(self) -> None:
        self.world.seal()
        for loop in self._loops():
            loop.close_leftovers()

    def _loops(self) -> list[NodeLoop]:
        loops = []
        for machine in [*self._machines.values(), self._harness]:
            loops += machine.graveyard
            if machine.loop is not None:
                loops.append(machine.loop)
        return loops

    def digest(self) -> str:
        """The digest over all events of the run, in hex; known when ``run`` has returned."""
        return self.world.digest()

    async def start(self) -> None:
        for name in self._nodes:
            await self.restart(name)
        async with asyncio.timeout(_READY_WITHIN_S):
            for name in self._nodes:
                await self._ready(name)

    async def _ready(self, node: str) -> None:
        while True:
            with suppress(OSError, TimeoutError):
                await self.system.ready(self.endpoint(node))
                return
            await asyncio.sleep(_READY_EVERY_S)

    async def stop(self) -> None:
        for machine in self._machines.values():
            machine.kill()

    def endpoint(self, node: str, port: str | None = None) -> Endpoint:
        return Endpoint(self.machine(node).name, self.system.ports[port or self.system.port])

    def wall_clock_ns(self) -> int:
        return true_wall_ns(self.world)

    def logs(self) -> Mapping[str, str]:
        return {name: "".join(machine.log) for name, machine in self._machines.items()}

    def machine(self, node: str) -> Machine:
        """The simulated machine behind a node, for tests that look inside. Raises KeyError."""
        machine = self._machines.get(node)
        if machine is None:
            raise KeyError(f"no node {node!r}; there are {', '.join(self._nodes)}")
        return machine

    # --- faults -------------------------------------------------------------------------------

    async def kill(self, node: str) -> None:
        self.machine(node).kill()

    async def terminate(self, node: str) -> None:
        self.machine(node).terminate()

    async def power_off(self, node: str) -> None:
        self.machine(node).power_off()

    async def kill_container(self, node: str) -> None:
        raise ValueError(f"{node}: {self.why_not('kill_container')}")

    async def freeze(self, node: str) -> None:
        raise ValueError(f"{node}: {self.why_not('freeze')}")

    async def thaw(self, node: str) -> None:
        raise ValueError(f"{node}: {self.why_not('thaw')}")

    async def restart(self, node: str) -> None:
        self.machine(node).start(self._program, self.system.configure(node, self._nodes))

    async def pause(self, node: str) -> None:
        self.machine(node).pause()

    async def resume(self, node: str) -> None:
        self.machine(node).resume()

    async def cut(self, links: Collection[Link]) -> None:
        for link in links:
            self.network.link(*link).cut = True

    async def heal(self, links: Collection[Link]) -> None:
        for link in links:
            self.network.link(*link).cut = False

    async def slow(self, links: Collection[Link], delay_s: float, jitter_s: float = 0.0) -> None:
        for link in links:
            self.network.set_slow(self.network.link(*link), delay_s, jitter_s)

    async def lose(self, links: Collection[Link], probability: float) -> None:
        for link in links:
            self.network.link(*link).loss = probability

    async def skew(self, node: str, offset_s: float, rate: float = 1.0) -> None:
        self.machine(node).clock.set(offset_s, rate)

    # --- measurements -------------------------------------------------------------------------

    async def process_state(self, node: str) -> ProcessState:
        return self.machine(node).state()

    async def clock_offset_s(self, node: str) -> float:
        return self.machine(node).clock.offset_s()

    async def dropped(self, links: Collection[Link]) -> int:
        return sum(self.network.link(*link).dropped for link in links)

    async def delayed(self, links: Collection[Link]) -> int:
        return sum(self.network.link(*link).delayed for link in links)

    async def primaries(self) -> list[str]:
        if self.system.primaries is None:
            return []
        return await self.system.primaries({node: self.endpoint(node) for node in self._nodes})


async def _await(main: Callable[[], Awaitable[T]]) -> T:
    return await main()


class _interruptible:
    """Ctrl-C stops the world between two events, so that the harness can heal and judge."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._before: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._world.interrupt)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
