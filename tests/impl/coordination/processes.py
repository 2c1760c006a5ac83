"""Servers as processes of this machine, on real sockets and disks."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parents[3]
_START_WITHIN_S = 20.0


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses at the moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


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


class Servers:
    """``count`` servers below ``folder``; ``ports`` are those for clients. Stop them with ``stop``."""

    def __init__(self, folder: Path, count: int, further: str = "") -> None:
        self.folder = folder
        ports = free_ports(3 * count)
        self.ports = ports[:count]
        lines = [
            f"server.{n}=127.0.0.1:{ports[count + 2 * n - 2]}:{ports[count + 2 * n - 1]}\n"
            for n in range(1, count + 1)
        ]
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        for number, port in enumerate(self.ports, 1):
            data = folder / str(number)
            data.mkdir(parents=True)
            (data / "myid").write_text(f"{number}\n")
            ensemble = "".join(lines) if count > 1 else ""
            (data / "zoo.cfg").write_text(
                f"tickTime=500\ninitLimit=10\nsyncLimit=4\ndataDir={data}\nclientPort={port}\n"
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
        command = [sys.executable, "-m", "impl.coordination", str(folder / "zoo.cfg")]
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
