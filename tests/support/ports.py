"""Ports of 127.0.0.1 for servers of tests.

They lie below those that kernels give to connections (from 32768 on, unless told otherwise). A port
from among those is not safe until its server listens: a connection of somebody else can be given it
meanwhile, and whoever tries to connect to it again and again will once be given that very port as its
own, and is then connected to itself (TCP's simultaneous open, RFC 9293, 3.5). They also lie below
those on which containers are published.
"""

from __future__ import annotations

import os
import random
import socket
from collections import deque
from contextlib import suppress

PORTS = range(10_000, 20_000)
_LOOPBACK = "127.0.0.1"
_WORKERS = 8


def of_worker(name: str) -> range:
    """The ports of pytest's worker ``name`` (gw0, gw1, ...): every eighth, so that none shares them."""
    return PORTS[int(name.removeprefix("gw")) % _WORKERS :: _WORKERS]


def _shuffled() -> deque[int]:
    ports = list(of_worker(os.environ.get("PYTEST_XDIST_WORKER", "gw0")))
    random.SystemRandom().shuffle(ports)
    return deque(ports)


_waiting = _shuffled()


def free_port() -> int:
    """A port that nobody listens on; all others of this process are given before it comes again."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """``count`` different ones. Raises RuntimeError where not so many are free."""
    found: list[int] = []
    for _ in range(len(_waiting)):
        if len(found) == count:
            break
        port = _waiting.popleft()
        _waiting.append(port)
        if _is_free(port):
            found.append(port)
    if len(found) < count:
        raise RuntimeError(f"{count} free ports asked, {len(found)} found in {PORTS}")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as trial, suppress(OSError):
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind((_LOOPBACK, port))
        return True
    return False
