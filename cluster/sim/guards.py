"""During a run, module-level clocks, entropy and the ways out of the simulation lead to the world.

``time.*``, ``os.urandom``, ``random.*``, ``uuid`` and ``secrets`` answer for the node whose code runs.
A thread, a subprocess, a blocking sleep or name look-up raises SimEscape. What can't be redirected is
listed in ``docs/simulation.md`` and tested in ``tests/cluster/sim/test_leaks.py``.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from cluster.sim.clock import true_wall_ns
from cluster.sim.sockets import SimSocket
from cluster.sim.world import NS_PER_S, World

if TYPE_CHECKING:
    from cluster.sim.network import Network

_RANDOM_FUNCTIONS = (
    "betavariate",
    "choice",
    "choices",
    "expovariate",
    "gammavariate",
    "gauss",
    "getrandbits",
    "getstate",
    "lognormvariate",
    "normalvariate",
    "paretovariate",
    "randbytes",
    "randint",
    "random",
    "randrange",
    "sample",
    "seed",
    "setstate",
    "shuffle",
    "triangular",
    "uniform",
    "vonmisesvariate",
    "weibullvariate",
)


@contextmanager
def guarded(world: World, network: Network) -> Iterator[None]:
    """Install the guards for the time of a run. Not reentrant: one simulation at a time."""
    with ExitStack() as undo:
        for owner, name, value in _replacements(world, network):
            undo.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        undo.enter_context(_logs_to_nodes(world))
        undo.enter_context(_async_generators(world))
        yield


def _replacements(world: World, network: Network) -> list[tuple[Any, str, Any]]:
    return [
        *_clocks(world),
        *_entropy(world, network),
        *_escapes(world),
        (socket, "socket", SimSocket),
        (socket, "getaddrinfo", _resolver(world, network)),
        (socket, "gethostname", lambda: world.current.name if world.current else "world"),
        (os, "getpid", lambda: world.current.machine.ordinal if world.current else 0),
    ]


def _clocks(world: World) -> list[tuple[Any, str, Any]]:
    def wall_ns() -> int:
        loop = world.current
        return true_wall_ns(world) if loop is None else loop.machine.clock.now_ns()

    def monotonic_ns() -> int:
        return world.now_ns

    return [
        (time, "time", lambda: wall_ns() / NS_PER_S),
        (time, "time_ns", wall_ns),
        *[(time, name, lambda: world.now_ns / NS_PER_S) for name in ("monotonic", "perf_counter")],
        *[(time, f"{name}_ns", monotonic_ns) for name in ("monotonic", "perf_counter")],
    ]


def _entropy(world: World, network: Network) -> list[tuple[Any, str, Any]]:
    fallback = world.stream("entropy", "world")

    def source() -> random.Random:
        return world.current.machine.random if world.current else fallback

    def urandom(size: int) -> bytes:
        return source().randbytes(size)

    def dispatch(name: str) -> Callable[..., Any]:
        return lambda *args, **options: getattr(source(), name)(*args, **options)

    class SeededRandom(random.Random):
        """``random.Random()`` without a seed takes one from the node's entropy."""

        def __new__(cls, *args: Any) -> SeededRandom:
            return super().__new__(cls)

        def __init__(self, x: Any = None) -> None:
            super().__init__(source().getrandbits(64) if x is None else x)

    return [
        (os, "urandom", urandom),
        (random, "_urandom", urandom),
        (random, "Random", SeededRandom),
        *[(random, name, dispatch(name)) for name in _RANDOM_FUNCTIONS],
    ]


def _escapes(world: World) -> list[tuple[Any, str, Any]]:
    def refuse(what: str) -> Callable[..., Any]:
        def escape(*args: Any, **options: Any) -> Any:
            raise world.escaped(what)

        return escape

    return [
        (threading.Thread, "start", refuse("a thread was started; only asyncio code can be simulated")),
        (time, "sleep", refuse("time.sleep blocks; use asyncio.sleep")),
        (subprocess.Popen, "__init__", refuse("a process was started")),
        (os, "fork", refuse("os.fork was called")),
        (os, "system", refuse("os.system was called")),
        (uuid, "uuid1", refuse("uuid.uuid1 reads the real clock and network card")),
    ]


def _resolver(world: World, network: Network) -> Callable[..., Any]:
    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if world.current is None:
            raise world.escaped("socket.getaddrinfo was called outside of any node")
        return network.getaddrinfo(host, port, world.current.machine)

    return getaddrinfo


class _NodeLogHandler(logging.Handler):
    """Puts what a node logs into its own log."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.INFO)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        loop = self._world.current
        if loop is None or self._world.sealed:
            return
        text = f"{record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[0] is not None:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        loop.machine.write_log(text)


@contextmanager
def _logs_to_nodes(world: World) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = [_NodeLogHandler(world)]
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def _async_generators(world: World) -> Iterator[None]:
    def finalize(generator: Any) -> None:
        if world.current is not None and not world.sealed:
            world.current.create_task(generator.aclose())

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=lambda _: None, finalizer=finalize)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*before)
