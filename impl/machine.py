"""The real host: this machine's clock, its randomness, and a directory of its disk.

With ``impl.quick_loop`` the only module of ``impl`` that may touch them; everything else is handed a
``Host``.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import math
import os
import random
import signal
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from impl.host import Disk, Program

_QUICK_S = 0.001
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_OWN_PAGES_FROM_BYTES = 512 << 10
_KEPT_FREE_BYTES = 4 << 20


class RealFile:
    """A file of a ``DirectoryDisk``. Its system calls block, except for ``fsync`` on a slow disk.

    While the last fsync took less than a millisecond the next is called in place: handing it to a
    thread and hearing of its end costs more than that. After a slow one they go to a thread again.
    """

    def __init__(self, path: Path) -> None:
        self._synced_in_s = math.inf
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        # A file that is dropped without ``close`` must not keep its descriptor for good.
        self._close = weakref.finalize(self, os.close, self._descriptor)

    def append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    async def fsync(self) -> None:
        if self._synced_in_s < _QUICK_S:
            self._sync()
        else:
            await _in_thread(self._sync)

    def _sync(self) -> None:
        start_s = time.perf_counter()
        _sync_data(self._descriptor)
        self._synced_in_s = time.perf_counter() - start_s

    def close(self) -> None:
        self._close()


class DirectoryDisk:
    """A node's own directory. Paths that lead out of it raise ValueError."""

    def __init__(self, root: Path | str) -> None:
        self._root = Path(root).resolve()
        self._root.mkdir(parents=True, exist_ok=True)

    def open(self, path: str) -> RealFile:
        return RealFile(self._for_writing(path))

    def read(self, path: str) -> bytes:
        return self._inside(path).read_bytes()

    def exists(self, path: str) -> bool:
        return self._inside(path).is_file()

    def names(self, directory: str = "") -> list[str]:
        folder = self._inside(directory)
        return sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []

    def rename(self, source: str, target: str) -> None:
        self._inside(source).rename(self._for_writing(target))

    def remove(self, path: str) -> None:
        self._inside(path).unlink()

    async def fsync_directory(self, directory: str = "") -> None:
        await _in_thread(_sync_directory, self._inside(directory))

    async def replace(self, path: str, data: bytes) -> None:
        await _in_thread(_replace, self._for_writing(path), data)

    def _for_writing(self, path: str) -> Path:
        inside = self._inside(path)
        inside.parent.mkdir(parents=True, exist_ok=True)
        return inside

    def _inside(self, path: str) -> Path:
        resolved = (self._root / path).resolve()
        if not resolved.is_relative_to(self._root):
            raise ValueError(f"path {path!r} leads out of the node's directory; give a relative one")
        return resolved


class Machine:
    """This machine as a ``Host``; ``directory`` is made when missing, ``disk`` makes a disk of it."""

    def __init__(
        self, name: str, directory: Path, disk: Callable[[Disk], Disk] = lambda disk: disk
    ) -> None:
        self._name = name
        self._disk = disk(DirectoryDisk(directory))
        self._random = random.SystemRandom()

    @property
    def name(self) -> str:
        return self._name

    @property
    def disk(self) -> Disk:
        return self._disk

    @property
    def random(self) -> random.Random:
        return self._random

    def wall_clock_ns(self) -> int:
        return time.time_ns()


def main(program: Program, arguments: Sequence[str]) -> int:
    """Run ``program`` with the configuration file that ``arguments`` names; return an exit code.

    ``name`` in the configuration is the node's name, on which it listens (127.0.0.1), ``directory``
    its disk (``data-NAME`` beside the configuration). SIGTERM and SIGINT end the program in order.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if len(arguments) != 1:
        return _wrong("give the path of one configuration file, in JSON")
    path = Path(arguments[0])
    try:
        config = orjson.loads(path.read_bytes())
    except OSError as error:
        return _wrong(f"configuration {path} cannot be read: {error.strerror}")
    except orjson.JSONDecodeError as error:
        return _wrong(f"configuration {path} is not JSON: {error}")
    if not isinstance(config, dict):
        return _wrong(f"configuration {path} must hold a JSON object")
    return _run(program, config, path)


def _run(program: Program, config: dict[str, Any], path: Path) -> int:
    name = str(config.get("name", "127.0.0.1"))
    return run(program, name, path.parent / str(config.get("directory", f"data-{name}")), config)


def run(
    program: Program,
    name: str,
    directory: Path | str,
    config: Mapping[str, Any],
    *,
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    disk: Callable[[Disk], Disk] = lambda disk: disk,
) -> int:
    """Run ``program`` as the node ``name`` whose disk is ``directory``, until SIGTERM or SIGINT.

    ``new_loop`` makes the event loop, asyncio's by default; ``disk`` makes the node's disk of that
    directory, if it is not that alone. Returns an exit code: 0, or 2 with a sentence on stderr when it
    cannot run.
    """
    directory = Path(directory)
    _give_memory_back()
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_until_signalled(program, Machine(name, directory, disk), config))
    except (ValueError, OSError) as error:
        return _wrong(f"node {name} cannot run: {error}")
    return 0


async def _until_signalled(program: Program, host: Machine, config: Mapping[str, Any]) -> None:
    node = asyncio.ensure_future(program(host, config))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.cancel)
    try:
        await node
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("%s: stopped in order", host.name)


def read_text(path: str) -> str:
    """The content of a configuration file. Raises OSError, and ValueError if it is no text."""
    return Path(path).read_text()


def _give_memory_back() -> None:
    """Fix two thresholds of glibc's malloc, where that is what there is (mallopt(3)).

    Left alone both rise with the largest block that was ever freed, and a server keeps what its largest
    requests have taken: a broker under load 5 to 12 MB.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_M_MMAP_THRESHOLD, _OWN_PAGES_FROM_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE_BYTES)


def _wrong(message: str) -> int:
    print(message, file=sys.stderr)
    return 2


async def _in_thread(function: Callable[..., None], *arguments: Any) -> None:
    await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def _sync_data(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)  # macOS has no fdatasync


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_directory(path.parent)
