"""Brokers for tests: in this process on a real socket, or as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from impl.machine import Machine
from impl.queue.protocol.keys import ApiKey
from impl.queue.server import serve
from tests.impl.queue.raw import Raw
from tests.support.ports import free_port

ROOT = Path(__file__).parents[3]
QUICK = {
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 500,
    "offsets.topic.num.partitions": 3,
    "offsets.topic.replication.factor": 1,
    "num.partitions": 2,
}


def properties(port: int, **further: object) -> dict[str, object]:
    keys = {name.replace("_", "."): value for name, value in further.items()}
    return {"broker.id": 1, "listeners": f"PLAINTEXT://127.0.0.1:{port}", **QUICK, **keys}


@asynccontextmanager
async def in_process(directory: Path, port: int, **further: object):
    """A broker on this event loop; stopped in order at the end."""
    program = serve(Machine("127.0.0.1", directory), properties(port, **further))
    task = asyncio.create_task(program)
    try:
        await _listening(port, task)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _listening(port: int, task: asyncio.Task[None]) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except ConnectionRefusedError:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)


class Process:
    """``python -m impl.queue`` on a port of this machine."""

    def __init__(self, directory: Path, **further: object) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._directory = directory
        self._file = directory / "server.properties"
        keys = {**properties(self.port, **further), "log.dirs": directory / "data"}
        self._file.write_text("".join(f"{key}={value}\n" for key, value in keys.items()))
        self._log = (directory / "log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.launch()
        self.listening()

    def launch(self) -> None:
        """Begin to start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "impl.queue", str(self._file)],
            cwd=ROOT,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def listening(self) -> None:
        """Return when it takes connections."""
        assert self._process is not None
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except ConnectionRefusedError:
                assert self._process.poll() is None, (self._directory / "log").read_text()
                time.sleep(0.02)
        raise TimeoutError(self.address)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(20)


@contextmanager
def process(directory: Path, **further: object) -> Iterator[Process]:
    broker = Process(directory, **further)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop(signal.SIGKILL)


def _ours(config: Path) -> list[str]:
    return [sys.executable, "-m", "impl.coordination", str(config)]


class Ensemble:
    """Three brokers of one cluster, each a process, on one coordination server, a process as well.

    ``server(config)`` is the command that runs that server: ours, unless another is given.
    """

    def __init__(
        self,
        directory: Path,
        server: Callable[[Path], list[str]] = _ours,
        ids: Sequence[int] = (1, 2, 3),
        **further: object,
    ) -> None:
        self._directory = directory
        self._server = server
        self._zookeeper_port = free_port()
        settings = {
            "default.replication.factor": 3,
            "min.insync.replicas": 2,
            "offsets.topic.replication.factor": 3,
            "zookeeper.connect": f"127.0.0.1:{self._zookeeper_port}",
            "zookeeper.session.timeout.ms": 6000,
            "replica.lag.time.max.ms": 3000,
            **further,
        }
        self.brokers = {number: self._broker(number, settings) for number in ids}
        self._coordination: subprocess.Popen[bytes] | None = None

    def _broker(self, number: int, settings: dict[str, object]) -> Process:
        directory = self._directory / f"broker{number}"
        directory.mkdir()
        return Process(directory, **{"broker.id": number, **settings})

    @property
    def address(self) -> str:
        return ",".join(each.address for each in self.brokers.values())

    def start(self) -> None:
        file = self._directory / "zoo.cfg"
        file.write_text(
            f"clientPort={self._zookeeper_port}\nclientPortAddress=127.0.0.1\ntickTime=500\n"
            f"dataDir={self._directory}/zk\nmaxClientCnxns=0\nadmin.enableServer=false\n"
        )
        log = (self._directory / "zk.log").open("ab")
        command = self._server(file)
        self._coordination = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        for each in self.brokers.values():
            each.launch()
        for each in self.brokers.values():
            each.listening()
        self._together()

    def _together(self) -> None:
        """Return when the first broker knows of all: before that topics can't have all replicas."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with Raw(next(iter(self.brokers.values())).port) as raw:
                if len(raw.ask(ApiKey.METADATA, 1, {"topics": ()}).brokers) == len(self.brokers):
                    return
            time.sleep(0.05)
        raise TimeoutError(self.address)

    def stop(self) -> None:
        for each in self.brokers.values():
            if each.running:
                each.stop(signal.SIGKILL)
        if self._coordination is not None:
            self._coordination.kill()
            self._coordination.wait(10)


@contextmanager
def ensemble(
    directory: Path,
    server: Callable[[Path], list[str]] = _ours,
    ids: Sequence[int] = (1, 2, 3),
    **further: object,
) -> Iterator[Ensemble]:
    made = Ensemble(directory, server, ids, **further)
    try:
        made.start()
        yield made
    finally:
        made.stop()
