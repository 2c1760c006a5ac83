"""``python -m impl.node node.json``: several services on one machine, each with a directory of its own.

The configuration has ``services``, an object of their configurations by name, in the order in which
they are started; on SIGTERM they are stopped in the opposite one, each before the next, so that a broker
still finds the coordination server beside it. When one ends, all end.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from impl import machine
from impl.coordination.server import serve as coordination
from impl.host import Disk, File, Host, Program
from impl.ids.server import serve as ids
from impl.queue.server import serve as queue

SERVICES: Mapping[str, Program] = MappingProxyType(
    {"coordination": coordination, "queue": queue, "ids": ids}
)
_log = logging.getLogger(__name__)


class Folder:
    """A directory of a disk as a ``Disk`` of its own."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        self._prefix = f"{name}/"

    def open(self, path: str) -> File:
        return self._disk.open(self._prefix + path)

    def read(self, path: str) -> bytes:
        return self._disk.read(self._prefix + path)

    def exists(self, path: str) -> bool:
        return self._disk.exists(self._prefix + path)

    def names(self, directory: str = "") -> list[str]:
        return self._disk.names((self._prefix + directory).rstrip("/"))

    def rename(self, source: str, target: str) -> None:
        self._disk.rename(self._prefix + source, self._prefix + target)

    def remove(self, path: str) -> None:
        self._disk.remove(self._prefix + path)

    async def fsync_directory(self, directory: str = "") -> None:
        await self._disk.fsync_directory((self._prefix + directory).rstrip("/"))

    async def replace(self, path: str, data: bytes) -> None:
        await self._disk.replace(self._prefix + path, data)


class Lodger:
    """The machine as one of its services sees it: everything is shared but the directory."""

    def __init__(self, host: Host, service: str) -> None:
        self._host = host
        self._disk = Folder(host.disk, service)

    @property
    def name(self) -> str:
        return self._host.name

    @property
    def disk(self) -> Folder:
        return self._disk

    @property
    def random(self) -> random.Random:
        return self._host.random

    def wall_clock_ns(self) -> int:
        return self._host.wall_clock_ns()


async def serve(
    host: Host, config: Mapping[str, Any], *, services: Mapping[str, Program] = SERVICES
) -> None:
    """The node program: run what ``config`` names until cancelled, or until one of them ends.

    Raises ValueError for a service that there isn't, and what a service raises.
    """
    wanted = _wanted(config, services)
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    if me is not None:
        loop.add_signal_handler(signal.SIGTERM, me.cancel)
    running: list[asyncio.Task[None]] = []
    try:
        for name, settings in wanted.items():
            program = services[name](Lodger(host, name), settings)
            running.append(asyncio.ensure_future(program))
            running[-1].set_name(f"{host.name}-{name}")
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done():
                _log.error("%s has ended, and so the others do", task.get_name())
                task.result()
    finally:
        await _stop(running)


def _wanted(config: Mapping[str, Any], services: Mapping[str, Program]) -> Mapping[str, Any]:
    wanted = config.get("services")
    if not isinstance(wanted, Mapping) or not wanted:
        raise ValueError("the configuration lacks 'services', an object of configurations by name")
    for name in wanted:
        if name not in services:
            raise ValueError(f"there is no service {name!r}; there are {', '.join(services)}")
    return wanted


async def _stop(running: list[asyncio.Task[None]]) -> None:
    """One after the other, the last first."""
    for task in reversed(running):
        task.cancel()
        await asyncio.wait((task,))


if __name__ == "__main__":
    sys.exit(machine.main(serve, sys.argv[1:]))
