"""What a node program may ask of the machine it runs on.

Sockets, timers and tasks are plain asyncio. Only what asyncio lacks is passed in: the wall clock,
the disk and randomness. No module of ``impl`` calls ``time.time``, ``random``, ``os.urandom`` or
``open``, or starts a thread; that alone makes it runnable in a deterministic simulation. The real
host is ``impl.machine``; the simulated one belongs to the harness.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias


class File(Protocol):
    """An open file: bytes are appended to it, and are safe once ``fsync`` has returned."""

    def append(self, data: bytes) -> None:
        """Write at the end, into the page cache: survives SIGKILL, not a power cut.

        Raises OSError (ENOSPC) when the disk is full.
        """

    def read(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes from ``offset``; fewer at the end of the file."""

    def size(self) -> int:
        """Length in bytes, what is not yet fsynced included."""

    def truncate(self, size: int) -> None:
        """Cut the file to ``size`` bytes; durable after the next ``fsync``."""

    async def fsync(self) -> None:
        """Return when all that was written before the call survives a power cut."""

    def close(self) -> None:
        """Give the file back; does not fsync."""


class Disk(Protocol):
    """The node's own directory. Paths are relative, with ``/``; parents are made as needed."""

    def open(self, path: str) -> File:
        """Open for appending and reading; created when missing."""

    def read(self, path: str) -> bytes:
        """The whole content. Raises FileNotFoundError."""

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    def names(self, directory: str = "") -> list[str]:
        """Names of the files directly in ``directory``, sorted; empty when there is none."""

    def rename(self, source: str, target: str) -> None:
        """Atomic; durable after the next ``fsync_directory``. Raises FileNotFoundError."""

    def remove(self, path: str) -> None:
        """Durable after the next ``fsync_directory``. Raises FileNotFoundError."""

    async def fsync_directory(self, directory: str = "") -> None:
        """Return when renames, removals and new names in ``directory`` survive a power cut."""

    async def replace(self, path: str, data: bytes) -> None:
        """Durably put ``data`` in place of ``path``: after a crash it holds the old or the new."""


class Host(Protocol):
    """The machine as its node program sees it."""

    @property
    def name(self) -> str:
        """The node's own name; other nodes resolve it, and the program may listen on it."""

    @property
    def disk(self) -> Disk:
        """The node's own directory, kept across restarts."""

    @property
    def random(self) -> random.Random:
        """Unpredictable on a real machine, drawn from the seed in the simulator."""

    def wall_clock_ns(self) -> int:
        """Nanoseconds since 1970 as this node believes; may jump either way at any time."""


Program: TypeAlias = Callable[[Host, Mapping[str, Any]], Awaitable[None]]
"""A node program: runs on a host with its configuration until it is stopped."""
