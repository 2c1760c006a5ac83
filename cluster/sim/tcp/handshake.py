"""How two ends come together: SYN, SYN-ACK and ACK between a process and a listening port."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cluster.sim.tcp.connection import RST, SYN, SYN_ACK, Connection
from cluster.sim.tcp.listener import Listener
from cluster.sim.world import NS_PER_S

if TYPE_CHECKING:
    from cluster.sim.loop import NodeLoop
    from cluster.sim.machine import Machine
    from cluster.sim.network import Link

SYN_RETRIES_NS = (1 * NS_PER_S, 3 * NS_PER_S, 7 * NS_PER_S)
CONNECT_TIMEOUT_NS = 15 * NS_PER_S


async def connect(loop: NodeLoop, target: Machine, port: int) -> Connection:
    """Connect ``loop``'s process to a port of ``target``.

    Raises ConnectionRefusedError when nothing listens there, OSError (ETIMEDOUT) when nobody answers.
    """
    attempt = _Handshake(loop, target, port)
    attempt.send_syn()
    for delay_ns in SYN_RETRIES_NS:
        loop.world.post(loop.world.now_ns + delay_ns, attempt.send_syn)
    loop.world.post(loop.world.now_ns + CONNECT_TIMEOUT_NS, attempt.time_out)
    try:
        return await attempt.established
    except asyncio.CancelledError:
        attempt.abandon()
        raise


class _Handshake:
    """One attempt to connect, seen from both sides.

    The last step, the client's ACK, is not lost on its own: the first data would repair that.
    """

    def __init__(self, loop: NodeLoop, target: Machine, port: int) -> None:
        network = loop.machine.network
        self.established: asyncio.Future[Connection] = loop.create_future()
        self._loop = loop
        self._world = loop.world
        self._target = target
        self._port = port
        self._there = network.link(loop.machine.name, target.name)
        self._back = network.link(target.name, loop.machine.name)
        self._client = Connection(loop, loop.machine.ephemeral_port(), target, port)
        self._server: Connection | None = None
        self._listener: Listener | None = None
        self._accepted = False

    def send_syn(self, _: object = None) -> None:
        """Ask, unless it has been answered already."""
        client = self._client
        if client.peer is None and not client.dead and not self.established.done():
            self._send(self._there, self._on_syn)

    def time_out(self, _: object) -> None:
        """Nobody has answered."""
        if not self._client.dead and self._client.peer is None:
            self._fail(OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))

    def abandon(self) -> None:
        """The process does not want the connection any more."""
        if self._client.peer is not None:
            self._client.reset_by_kill()
        else:
            self._client.forget()

    def _send(self, link: Link, action: Callable[[Any], None]) -> None:
        if not link.drops():
            self._world.post(self._world.now_ns + link.latency_ns(), action)

    def _lost(self, link: Link) -> bool:
        if link.cut:
            link.dropped += 1
        return link.cut

    def _on_syn(self, _: object) -> None:
        if self._lost(self._there) or not self._target.powered:
            return
        self._client.feed(SYN)
        if self._server is None:
            self._listener = self._target.listeners.get(self._port)
            if self._listener is None:
                self._send(self._back, self._on_refused)
                return
            client_address, _ = self._client.addresses
            machine = self._client.machine
            self._server = Connection(self._listener.loop, self._port, machine, client_address[1])
            self._server.peer = self._client
        self._send(self._back, self._on_refused if self._server.dead else self._on_syn_ack)

    def _on_refused(self, _: object) -> None:
        if not self._lost(self._back) and not self._client.dead and self._client.peer is None:
            message = os.strerror(errno.ECONNREFUSED)
            self._fail(ConnectionRefusedError(errno.ECONNREFUSED, message))

    def _on_syn_ack(self, _: object) -> None:
        if self._lost(self._back):
            return
        client = self._client
        if client.peer is None:
            client.peer = self._server
            client.feed(SYN_ACK)
            if client.dead:
                client.refuse()
                return
            self._loop.deliver(self._settle, (client,), client.context)
        if not self._accepted and not client.dead:
            self._accepted = True
            delay_ns = self._there.latency_ns()
            self._world.post(self._world.now_ns + delay_ns, self._on_established)

    def _on_established(self, _: object) -> None:
        if self._server is not None and self._listener is not None and not self._server.dead:
            self._listener.accept(self._server)

    def _fail(self, error: OSError) -> None:
        self._client.feed(RST)
        self._client.forget()
        self._loop.deliver(self._settle, (error,), self._client.context)

    def _settle(self, outcome: OSError | Connection) -> None:
        if self.established.done():  # the caller was cancelled meanwhile
            return
        if isinstance(outcome, OSError):
            self.established.set_exception(outcome)
        else:
            self.established.set_result(outcome)
