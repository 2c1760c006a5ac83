"""A simulated machine: power, disk, clock, one process at a time, and the kernel that outlives it."""

from __future__ import annotations

import asyncio
import contextvars
import random
import signal
import traceback
from collections.abc import Mapping
from typing import Any

from cluster.api import ProcessState
from cluster.sim.clock import WallClock
from cluster.sim.disk import DiskView, SimDisk
from cluster.sim.loop import NodeLoop
from cluster.sim.network import Network
from cluster.sim.tcp.connection import Connection
from cluster.sim.tcp.listener import Listener
from cluster.sim.world import NS_PER_S, START_NS, World
from impl.host import Program

_EPHEMERAL_PORTS = 32768


class SimHost:
    """``impl.host.Host`` for one incarnation of a node."""

    def __init__(self, machine: Machine, loop: NodeLoop, stream: random.Random) -> None:
        self._machine = machine
        self._disk = machine.disk.view(loop)
        self._random = stream

    @property
    def name(self) -> str:
        return self._machine.name

    @property
    def disk(self) -> DiskView:
        return self._disk

    @property
    def random(self) -> random.Random:
        return self._random

    def wall_clock_ns(self) -> int:
        return self._machine.clock.now_ns()


class Machine:
    """One machine of the simulation. ``random`` is what its process sees as the system's entropy."""

    def __init__(self, world: World, network: Network, name: str) -> None:
        self.world = world
        self.network = network
        self.name = name
        self.address = network.join(self)
        self.ordinal = len(network.machines)
        self.clock = WallClock(world)
        self.disk = SimDisk(world, name, self.ordinal)
        self.powered = True
        self.loop: NodeLoop | None = None
        self.incarnation = 0
        self.connections: dict[Connection, None] = {}
        self.listeners: dict[int, Listener] = {}
        self.random = random.Random(0)
        self.draw = world.stream("segments", name).random
        self.log: list[str] = []
        self.graveyard: list[NodeLoop] = []
        self._next_port = _EPHEMERAL_PORTS

    def ephemeral_port(self) -> int:
        """A local port for an outgoing connection; each is used once before any is used again."""
        self._next_port = _EPHEMERAL_PORTS + (self._next_port + 1 - _EPHEMERAL_PORTS) % 28000
        return self._next_port

    # --- the process --------------------------------------------------------------------------

    def boot(self) -> NodeLoop:
        """Power on and make the loop of a new process, with nothing in it yet."""
        assert self.loop is None
        self.powered = True
        self.incarnation += 1
        self.random = self.world.stream("entropy", self.name, self.incarnation)
        self.loop = NodeLoop(self.world, self, self.ordinal)
        return self.loop

    def start(self, program: Program, config: Mapping[str, Any]) -> None:
        """Run a node program as this machine's process; nothing happens when one is running."""
        if self.loop is not None:
            return
        loop = self.boot()
        stream = self.world.stream("host", self.name, self.incarnation)
        host = SimHost(self, loop, stream)
        self.write_log(f"started, incarnation {self.incarnation}")
        empty = contextvars.Context()
        task = empty.run(loop.create_task, _main(program, host, config), name=f"{self.name}-main")
        task.add_done_callback(lambda done: self._main_done(loop, done), context=empty)

    def _main_done(self, loop: NodeLoop, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.process_ended(loop, None)
        else:
            self.process_ended(loop, task.exception())

    def process_ended(self, loop: NodeLoop, error: BaseException | None) -> None:
        """The program returned, raised or exited; its kernel closes what it had open."""
        if loop is not self.loop:
            return
        if error is not None and not isinstance(error, SystemExit):
            self.write_log("".join(traceback.format_exception(error)))
        self.write_log("exited")
        self._end_process(reset_peers=True)

    def kill(self) -> None:
        """SIGKILL."""
        if self.loop is not None:
            self.write_log("killed")
            self._end_process(reset_peers=True)

    def terminate(self) -> None:
        """SIGTERM: the process's own handler, or the default action."""
        if self.loop is not None and not self.loop.raise_signal(signal.SIGTERM):
            self.write_log("terminated")
            self._end_process(reset_peers=True)

    def power_off(self) -> None:
        """Silence: no RST, and the disk keeps what it must and a part of the rest."""
        if self.powered:
            self.write_log("power lost")
            self.powered = False
            self._end_process(reset_peers=False)
            self.disk.lose_power()

    def pause(self) -> None:
        """SIGSTOP: the kernel goes on, the process doesn't."""
        if self.loop is not None:
            self.loop.paused = True

    def resume(self) -> None:
        """SIGCONT: what waited is worked off in the order in which it came."""
        if self.loop is not None and self.loop.paused:
            self.loop.paused = False
            self.world.post(self.world.now_ns, self.loop.drain)

    def state(self) -> ProcessState:
        """The process as the machine sees it."""
        loop = self.loop
        paused = loop is not None and loop.paused
        return ProcessState(running=loop is not None, paused=paused, incarnation=self.incarnation)

    def _end_process(self, *, reset_peers: bool) -> None:
        loop, self.loop = self.loop, None
        self.listeners.clear()
        if loop is not None:
            loop.drop()
            # Kept until the end of the run: dropping the last reference would run its `finally`s.
            self.graveyard.append(loop)
        for connection in list(self.connections):
            if reset_peers:
                connection.reset_by_kill()
            else:
                connection.forget()
        self.connections.clear()

    def write_log(self, line: str) -> None:
        """One line of the node's log, stamped with the harness's time."""
        since_start_s = (self.world.now_ns - START_NS) / NS_PER_S
        self.log.append(f"{since_start_s:.6f} {line}\n")


async def _main(program: Program, host: SimHost, config: Mapping[str, Any]) -> None:
    await program(host, config)
