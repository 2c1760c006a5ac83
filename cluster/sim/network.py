"""The simulated network: machines with addresses, and directed links that can be hurt.

Each directed link has a random stream, a state and counters of its own, so that what happens on one
does not re-roll another. Connections live in ``cluster.sim.tcp``.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cluster.sim.tcp.connection import Connection
from cluster.sim.tcp.handshake import connect
from cluster.sim.tcp.listener import Listener
from cluster.sim.world import NS_PER_S, World

if TYPE_CHECKING:
    from cluster.sim.loop import NodeLoop
    from cluster.sim.machine import Machine

_BASE_NS = 100_000
_JITTER_NS = 400_000
_LOOPBACK_NS = 20_000
_EPHEMERAL_PORTS = 32768
_ANY_ADDRESS = (None, "", "0.0.0.0", "::")
_LOCALHOST = ("localhost", "127.0.0.1", "::1")


class Link:
    """One direction between two machines.

    Healthy, a packet takes 0.1 to 0.5 ms. ``cut`` drops all, ``loss`` is a probability, ``delay_ns`` and
    ``jitter_ns`` are added. ``dropped`` and ``delayed`` count packets: the proof that a fault landed.
    """

    __slots__ = ("base_ns", "cut", "delay_ns", "delayed", "draw", "dropped", "jitter_ns", "loss")

    def __init__(self, stream: random.Random, *, base_ns: int = _BASE_NS) -> None:
        self.draw = stream.random
        self.base_ns = base_ns
        self.cut = False
        self.loss = 0.0
        self.delay_ns = 0
        self.jitter_ns = 0
        self.dropped = 0
        self.delayed = 0

    def drops(self) -> bool:
        """Whether a packet sent or arriving now is dropped; counts it if so."""
        if self.cut or (self.loss and self.draw() < self.loss):
            self.dropped += 1
            return True
        return False

    def latency_ns(self) -> int:
        """The time that a packet sent now takes."""
        ns = self.base_ns + int(self.draw() * _JITTER_NS)
        if self.delay_ns or self.jitter_ns:
            self.delayed += 1
            ns += self.delay_ns + int(self.draw() * self.jitter_ns)
        return ns


class Network:
    """Machines by name and address, and the links between them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.machines: dict[str, Machine] = {}
        self._by_address: dict[str, Machine] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self.connections_made = 0

    def join(self, machine: Machine) -> str:
        """Give a machine its address."""
        address = f"10.0.0.{len(self.machines) + 1}"
        self.machines[machine.name] = machine
        self._by_address[address] = machine
        return address

    def link(self, source: str, destination: str) -> Link:
        """The directed link between two machines, by name. Raises KeyError for an unknown one."""
        link = self._links.get((source, destination))
        if link is None:
            for name in (source, destination):
                if name not in self.machines:
                    raise KeyError(f"no machine {name!r} in the simulation")
            base_ns = _LOOPBACK_NS if source == destination else _BASE_NS
            stream = self.world.stream("link", source, destination)
            link = self._links[source, destination] = Link(stream, base_ns=base_ns)
        return link

    def resolve(self, host: str, asker: Machine) -> Machine:
        """The machine behind a name or an address. Raises socket.gaierror."""
        if host in _LOCALHOST:
            return asker
        machine = self.machines.get(host) or self._by_address.get(host)
        if machine is None:
            raise socket.gaierror(socket.EAI_NONAME, f"no machine {host!r} in the simulation")
        return machine

    def getaddrinfo(self, host: Any, port: Any, asker: Machine) -> list[Any]:
        """As ``socket.getaddrinfo``, for the machines of the simulation."""
        name = host.decode() if isinstance(host, bytes) else host
        address = "0.0.0.0" if name in _ANY_ADDRESS else self.resolve(name, asker).address
        stream = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*stream, (address, int(port or 0)))]

    async def connect(self, loop: NodeLoop, host: str, port: int) -> Connection:
        """Open a connection from ``loop``'s machine. Raises OSError as ``connect(2)`` does."""
        target = self.resolve(host, loop.machine)
        return await connect(loop, target, port)

    def listen(
        self,
        loop: NodeLoop,
        factory: Callable[[], asyncio.BaseProtocol],
        host: Any,
        port: int,
        start_serving: bool,
    ) -> Listener:
        """Listen on a port of ``loop``'s machine. Raises OSError (EADDRINUSE, EADDRNOTAVAIL)."""
        machine = loop.machine
        for name in host if isinstance(host, (list, tuple)) else [host]:
            if name not in _ANY_ADDRESS and self.resolve(name, machine) is not machine:
                raise OSError(errno.EADDRNOTAVAIL, f"{machine.name} has no address {name!r}")
        if port == 0:
            port = next(p for p in range(_EPHEMERAL_PORTS, 65536) if p not in machine.listeners)
        if port in machine.listeners:
            message = f"{os.strerror(errno.EADDRINUSE)}: {machine.name}:{port}"
            raise OSError(errno.EADDRINUSE, message)
        listener = Listener(loop, factory, port)
        if start_serving:
            listener.serve()
        return listener

    def set_slow(self, link: Link, delay_s: float, jitter_s: float) -> None:
        """Delay everything that is sent over ``link`` from now on."""
        link.delay_ns = round(delay_s * NS_PER_S)
        link.jitter_ns = round(jitter_s * NS_PER_S)
