"""Servers as processes of this machine, on real sockets and disks."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.support.ports import free_ports

ROOT = Path(__file__).parents[3]
_START_WITHIN_S = 30.0

Program: TypeAlias = Callable[[Path], list[str]]
"""From the path of a ``zoo.cfg`` to the command that runs a server with it."""


def ask(port: int, word: bytes) -> str:
    """What the server at ``port`` answers to a four-letter word; nothing if there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(word)
            answer = b""
            while data := connection.recv(65536):
                answer += data
            return answer.decode()
    except OSError:
        return ""


def ours(config: Path) -> list[str]:
    """Our own server."""
    return [sys.executable, "-m", "impl.coordination", str(config)]


@dataclass(frozen=True)
class Layout:
    """Which ports the servers of an ensemble use: for clients, and two each for their peers."""

    clients: tuple[int, ...]
    peers: tuple[tuple[int, int], ...]

    @classmethod
    def free(cls, count: int) -> Layout:
        """Ports for ``count`` servers that nobody uses at the moment."""
        ports = free_ports(3 * count)
        pairs = zip(ports[count : 2 * count], ports[2 * count :], strict=True)
        return cls(tuple(ports[:count]), tuple(pairs))


class Servers:
    """``count`` servers below ``folder``; ``ports`` are those for clients. Stop them with ``stop``.

    ``further`` are lines for each ``zoo.cfg``; ``program`` says whose servers they are.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        further: str = "",
        *,
        program: Program = ours,
        layout: Layout | None = None,
        tick_ms: int = 500,
    ) -> None:
        self.folder = folder
        layout = layout or Layout.free(count)
        self.ports = list(layout.clients)
        lines = [
            f"server.{number}=127.0.0.1:{port}:{election}\n"
            for number, (port, election) in enumerate(layout.peers, 1)
        ]
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self._program = program
        for number, port in enumerate(self.ports, 1):
            data = folder / str(number)
            data.mkdir(parents=True)
            (data / "myid").write_text(f"{number}\n")
            ensemble = "".join(lines) if count > 1 else ""
            (data / "zoo.cfg").write_text(
                f"tickTime={tick_ms}\ninitLimit=10\nsyncLimit=4\ndataDir={data}\nclientPort={port}\n"
                f"clientPortAddress=127.0.0.1\n{ensemble}{further}"
            )
            self.start(number)
        self.wait()

    @property
    def hosts(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def start(self, number: int) -> None:
        folder = self.folder / str(number)
        log = (folder / "log").open("ab")
        command = self._program(folder / "zoo.cfg")
        self.processes[number] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        log.close()

    def kill(self, number: int) -> None:
        self.processes[number].kill()
        self.processes[number].wait()

    def wait(self) -> None:
        """Wait until all serve."""
        deadline = time.monotonic() + _START_WITHIN_S
        while not all("Mode: " in ask(port, b"srvr") for port in self.ports):
            if time.monotonic() > deadline:
                logs = [(self.folder / str(n) / "log").read_text() for n in self.processes]
                raise TimeoutError("the servers do not serve: " + "\n".join(logs))
            time.sleep(0.05)

    def leader(self) -> int:
        """The number of the server that leads; 0 if there is none."""
        for number, port in enumerate(self.ports, 1):
            if "Mode: leader" in ask(port, b"srvr"):
                return number
        return 0

    def stop(self) -> list[int]:
        """Ask all to end, in order; their exit codes."""
        for process in self.processes.values():
            process.terminate()
        return [process.wait(timeout=10) for process in self.processes.values()]

    def end(self) -> None:
        """Kill whoever still runs."""
        for number in self.processes:
            self.kill(number)
