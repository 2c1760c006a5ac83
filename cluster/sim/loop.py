"""One event loop per node: which task belongs to which node is then structural.

Killing a node drops its loop, pausing it stops draining it, and asyncio itself raises when two nodes
share a Lock or a Queue by accident. The ready queue is FIFO, as asyncio documents. Code takes no
virtual time: time passes only between events.
"""

from __future__ import annotations

import asyncio
import contextvars
import signal
import socket
import sys
import warnings
from asyncio.events import _set_running_loop
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, TypeVar

from cluster.sim.world import NS_PER_S, SimError, World

if TYPE_CHECKING:
    from cluster.sim.machine import Machine

T = TypeVar("T")
_STEPS_PER_INSTANT = 1_000_000
_DIGEST_TIMER = 1
_FOREVER_S = 1e9
_MOST_WAITS_OF_A_CLEAN_UP = 100


class Handle:
    """A callback in a ready queue, or in the heap: what ``call_soon`` and ``call_at`` return."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "when_s")

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
        when_s: float = 0.0,
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = contextvars.copy_context() if context is None else context
        self.is_cancelled = False
        self.when_s = when_s

    def cancel(self) -> None:
        self.is_cancelled = True
        self.args = ()

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self.when_s


class SimTask(asyncio.Task[T]):
    """A task that hashes by its number, so that sets of tasks iterate alike in every process."""

    ordinal: int

    def __hash__(self) -> int:
        return self.ordinal


class NodeLoop(asyncio.BaseEventLoop):
    """The event loop of one incarnation of one node's process."""

    _ready: deque[Any]

    def __init__(self, world: World, machine: Machine, ordinal: int) -> None:
        self.world = world
        super().__init__()
        self.set_debug(False)  # PYTHONASYNCIODEBUG must not change what happens
        self.machine = machine
        self.name = machine.name
        self.alive = True
        self.paused = False
        self.signal_handlers: dict[int, Handle] = {}
        self._digest_code = ordinal << 4 | _DIGEST_TIMER
        self._ready = deque()
        self._wake_posted = False
        self._tasks_made = 0
        self.tasks: list[SimTask[Any]] = []
        self.context = contextvars.Context()

    # --- running -----------------------------------------------------------------------------

    def drain(self, _: object = None) -> None:
        """Work off the ready queue, unless the process is paused or gone."""
        self._wake_posted = False
        if self.paused or not self.alive:
            return
        world, ready = self.world, self._ready
        steps = 0
        world.current = self
        _set_running_loop(self)
        try:
            while ready and self.alive:
                handle = ready.popleft()
                if handle.is_cancelled:
                    continue
                steps += 1
                try:
                    handle.context.run(handle.callback, *handle.args)
                except (SystemExit, KeyboardInterrupt) as stop:
                    self._exited(stop)
                except BaseException as error:
                    self._report(error, handle)
                if steps > _STEPS_PER_INSTANT:
                    raise SimError(f"{self.name} ran {steps} steps without letting time pass")
        finally:
            _set_running_loop(None)
            world.current = None

    def _exited(self, stop: BaseException) -> None:
        if isinstance(stop, KeyboardInterrupt):
            raise stop
        self.machine.process_ended(self, stop)

    def _report(self, error: BaseException, handle: Handle) -> None:
        message = f"Exception in callback {getattr(handle.callback, '__qualname__', 'callback')}"
        self.call_exception_handler({"message": message, "exception": error})

    def drop(self) -> None:
        """SIGKILL: nothing of this process runs any more, not even a ``finally``."""
        self.alive = False
        self._ready = deque()

    def close_leftovers(self) -> None:
        """Close what the process left behind, after the digest is sealed.

        It is the running loop meanwhile: what clean-up code starts is closed here too, instead of
        waiting for ever on asyncio's default loop and keeping the whole world alive. What a task that
        never ran was given to await was not forgotten by its program: nobody is warned of it.
        """
        self.alive = False
        _set_running_loop(self)
        unraisable, sys.unraisablehook = sys.unraisablehook, _of_no_concern
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".* was never awaited", RuntimeWarning)
                self._close_tasks()
        finally:
            sys.unraisablehook = unraisable
            _set_running_loop(None)
        self._ready.clear()
        self._closed = True

    def _close_tasks(self) -> None:
        while self.tasks:
            task = self.tasks.pop(0)
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                self._close_quietly(task.get_coro())

    def call_exception_handler(self, context: Any) -> None:
        """As asyncio does; but what is found while a finished world is torn down concerns nobody."""
        if not self.world.sealed:
            super().call_exception_handler(context)

    def _close_quietly(self, coro: Any) -> None:
        """Close it, and again at each place where its clean-up would wait for something."""
        for _ in range(_MOST_WAITS_OF_A_CLEAN_UP):
            try:
                coro.close()
                return
            except RuntimeError:  # it ignored GeneratorExit
                continue
            except BaseException:  # a dead node's clean-up may fail in any way it likes
                return

    # --- callbacks and time ------------------------------------------------------------------

    def time(self) -> float:
        return self.world.now_ns / NS_PER_S

    def call_soon(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Handle:
        handle = Handle(callback, args, context)
        self._ready.append(handle)
        if self.world.current is not self and not self._wake_posted:
            self._wake_posted = True
            self.world.post(self.world.now_ns, self.drain)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> Handle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> Handle:
        handle = Handle(callback, args, context, when)
        world = self.world
        # Never early: what waits for a moment may look at the clock when it wakes.
        when_ns = int(min(when, _FOREVER_S) * NS_PER_S) + 1
        world.post(max(when_ns, world.now_ns), self._fire, handle)
        return handle

    def _fire(self, handle: Handle) -> None:
        if handle.is_cancelled or not self.alive:
            return
        self.world.feed(self._digest_code)
        self._ready.append(handle)
        self.drain()

    def deliver(self, callback: Any, args: tuple[Any, ...], context: contextvars.Context) -> None:
        """Have the process handle something its kernel has for it, as soon as it runs."""
        self._ready.append(Handle(callback, args, context))
        self.drain()

    # --- tasks -------------------------------------------------------------------------------

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: contextvars.Context | None = None,
        **_: Any,
    ) -> asyncio.Task[T]:
        self._tasks_made += 1
        task = _make_task(coro, self, name or f"{self.name}-task-{self._tasks_made}", context)
        if len(self.tasks) > 512:
            self.tasks = [other for other in self.tasks if not other.done()]
        self.tasks.append(task)
        return task

    def is_running(self) -> bool:
        return self.world.current is self

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Run ``func`` here and now: threads don't exist in the simulation."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        self.signal_handlers[int(sig)] = Handle(callback, args, None)

    def remove_signal_handler(self, sig: int) -> bool:
        return self.signal_handlers.pop(int(sig), None) is not None

    def raise_signal(self, sig: signal.Signals) -> bool:
        """Deliver a signal to the process; False when it has no handler for it."""
        handle = self.signal_handlers.get(int(sig))
        if handle is None:
            return False
        self.call_soon(handle.callback, *handle.args, context=handle.context)
        return True

    # --- network: see cluster.sim.tcp --------------------------------------------------------

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        return self.machine.network.getaddrinfo(host, port, self.machine)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        return str(sockaddr[0]), str(sockaddr[1])

    async def sock_connect(self, sock: Any, address: Any) -> None:
        sock.connection = await self.machine.network.connect(self, address[0], int(address[1]))

    async def create_connection(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        **options: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        if ssl:
            raise self.world.escaped("TLS is not simulated; use a real backend for it")
        if sock is not None:
            connection = sock.connection
        else:
            connection = await self.machine.network.connect(self, host or "", int(port or 0))
        protocol = protocol_factory()
        connection.attach(protocol)
        return connection, protocol

    async def create_server(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        start_serving: bool = True,
        **options: Any,
    ) -> Any:
        if ssl:
            raise self.world.escaped("TLS is not simulated; use a real backend for it")
        if sock is not None:
            host, port = sock.bound
        return self.machine.network.listen(self, protocol_factory, host, port or 0, start_serving)

    # --- what is not simulated ---------------------------------------------------------------

    async def create_datagram_endpoint(self, *args: Any, **options: Any) -> Any:
        raise self.world.escaped("UDP is not simulated; use a real backend for it")

    async def subprocess_exec(self, *args: Any, **options: Any) -> Any:
        raise self.world.escaped("a node of the simulation can't start a process")

    async def subprocess_shell(self, *args: Any, **options: Any) -> Any:
        raise self.world.escaped("a node of the simulation can't start a process")

    async def sock_recv(self, sock: socket.socket, nbytes: int) -> bytes:
        raise self.world.escaped("sock_recv is not simulated; use streams or protocols")

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        raise self.world.escaped("sock_sendall is not simulated; use streams or protocols")

    async def sock_accept(self, sock: socket.socket) -> Any:
        raise self.world.escaped("sock_accept is not simulated; use start_server")

    def run_forever(self) -> None:
        raise self.world.escaped("a loop of the simulation is run by its world only")

    def run_until_complete(self, future: Any) -> Any:
        raise self.world.escaped("a loop of the simulation is run by its world only")


def _make_task(coro: Any, loop: NodeLoop, name: object, context: Any) -> SimTask[Any]:
    task: SimTask[Any] = SimTask.__new__(SimTask)
    loop.world.tasks_made += 1
    task.ordinal = loop.world.tasks_made  # before __init__, which puts the task into sets
    task.__init__(coro, loop=loop, name=str(name), context=context)  # type: ignore[misc]
    return task


def _of_no_concern(unraisable: Any) -> None:
    """A coroutine whose clean-up would have waited was closed with its world: it says so to nobody."""
