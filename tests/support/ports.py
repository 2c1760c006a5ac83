"""Ports of 127.0.0.1 for servers of tests.

They lie below those that the kernel gives to connections. A port from among those is not safe until
its server listens: a connection of somebody else can be given it meanwhile, and whoever tries to
connect to it again and again will once be given that very port as its own, and is then connected to
itself (TCP's simultaneous open, RFC 9293, 3.5).
"""

from __future__ import annotations

import os
import random
import socket
from contextlib import suppress
from pathlib import Path

_LOWEST = 10_000
_LOOPBACK = "127.0.0.1"
_WORKERS = 8

_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that this process was not given before."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """``count`` different ones. Raises RuntimeError where not so many are left."""
    mine = [port for port in _of_this_worker() if port not in _given]
    random.SystemRandom().shuffle(mine)
    found: list[int] = []
    for port in mine:
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    if len(found) < count:
        raise RuntimeError(f"{count} free ports asked, {len(found)} found below {_of_connections()}")
    _given.update(found)
    return found


def _of_this_worker() -> range:
    """Workers of one run choose from different ones: each eighth port."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return range(_LOWEST + int(worker) % _WORKERS, _of_connections(), _WORKERS)


def _of_connections() -> int:
    """The lowest port that the kernel gives to connections."""
    with suppress(OSError):
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return 32_768


def _is_free(port: int) -> bool:
    with socket.socket() as trial, suppress(OSError):
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind((_LOOPBACK, port))
        return True
    return False
