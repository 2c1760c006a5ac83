"""A listening port of a machine, and the server object that ``create_server`` returns."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING

from cluster.sim.sockets import SimSocket
from cluster.sim.tcp.connection import Connection

if TYPE_CHECKING:
    from cluster.sim.loop import NodeLoop


class Listener(asyncio.AbstractServer):
    """Accepts connections on ``port`` for the process of ``loop``."""

    def __init__(self, loop: NodeLoop, factory: Callable[[], asyncio.BaseProtocol], port: int) -> None:
        self.loop = loop
        self.port = port
        self._factory = factory
        self._machine = loop.machine
        self._serving = False
        self._closed = loop.create_future()
        self._context = contextvars.copy_context()

    @property
    def sockets(self) -> tuple[SimSocket, ...]:
        if not self._serving:
            return ()
        sock = SimSocket()
        sock.addresses = ((self._machine.address, self.port), ("0.0.0.0", 0))
        return (sock,)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.loop

    def serve(self) -> None:
        """Open the port."""
        self._serving = True
        self._machine.listeners[self.port] = self

    def is_serving(self) -> bool:
        return self._serving

    def close(self) -> None:
        if self._serving:
            self._serving = False
            self._machine.listeners.pop(self.port, None)
        if not self._closed.done():
            self._closed.set_result(None)

    def close_clients(self) -> None:
        """Connections outlive their listener here, as with ``asyncio.Server`` before 3.13."""

    def abort_clients(self) -> None:
        """See ``close_clients``."""

    async def start_serving(self) -> None:
        self.serve()

    async def serve_forever(self) -> None:
        self.serve()
        try:
            await self.loop.create_future()
        finally:
            self.close()

    async def wait_closed(self) -> None:
        await self._closed

    def accept(self, connection: Connection) -> None:
        """A connection is established: the process learns of it as soon as it runs."""
        self.loop.deliver(self._accepted, (connection,), self._context)

    def _accepted(self, connection: Connection) -> None:
        if self._serving and not connection.dead:
            connection.attach(self._factory())
        elif not connection.dead:
            connection.reset_by_kill()
