"""Debian's ZooKeeper: three real servers on loopback, for tests that need somebody else's opinion."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which

from tests.support.ports import free_ports

_JARS = (
    "zookeeper",
    "zookeeper-jute",
    "slf4j-api",
    "slf4j-nop",
    "log4j-1.2",
    "netty-all",
    "netty-codec",
    "netty-resolver",
    "netty-transport-native-unix-common",
    "metrics-core",
    "snappy-java",
    "commons-cli",
)
_JAVA = Path("/usr/share/java")
CLASSPATH = ":".join(str(_JAVA / f"{jar}.jar") for jar in _JARS)
_START_S = 30.0
TICK_MS = 200

MISSING = (
    None
    if which("java") and all((_JAVA / f"{jar}.jar").exists() for jar in _JARS)
    else "Debian's zookeeper package is not installed here"
)


_QUICK = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_OPTIONS = ("-Dzookeeper.extendedTypesEnabled=true", "-Dreadonlymode.enabled=true")
_MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"


def program(config: Path, *, machine: Sequence[str] = _QUICK) -> list[str]:
    """The command that runs a server; ``machine`` are options of the JVM, quick to start by default."""
    return ["java", *machine, *_OPTIONS, "-cp", CLASSPATH, _MAIN, str(config)]


class DebianEnsemble:
    """Three servers; ``endpoints`` are their client ports."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        ports = free_ports(9)
        self.endpoints = [("127.0.0.1", port) for port in ports[:3]]
        self._peers = "".join(f"server.{n}=127.0.0.1:{ports[2 + n]}:{ports[5 + n]}\n" for n in (1, 2, 3))
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, number: int) -> None:
        """Start server ``number``, 1 to 3."""
        data = self._directory / str(number)
        data.mkdir(exist_ok=True)
        (data / "myid").write_text(str(number))
        config = self._directory / f"{number}.cfg"
        config.write_text(
            f"tickTime={TICK_MS}\ninitLimit=50\nsyncLimit=25\ndataDir={data}\n"
            f"clientPort={self.endpoints[number - 1][1]}\nclientPortAddress=127.0.0.1\n"
            f"admin.enableServer=false\n4lw.commands.whitelist=*\nextendedTypesEnabled=true\n"
            f"{self._peers}"
        )
        self._processes[number] = subprocess.Popen(
            program(config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def signal(self, number: int, what: signal.Signals) -> None:
        """Send a signal to server ``number``."""
        self._processes[number].send_signal(what)

    def kill(self, number: int) -> None:
        """SIGKILL to server ``number``."""
        process = self._processes.pop(number)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End all servers."""
        for number in list(self._processes):
            self.kill(number)

    async def ready(self, number: int) -> None:
        """Return when server ``number`` serves. Raises TimeoutError."""
        async with asyncio.timeout(_START_S):
            while "Mode:" not in await self.word(number, b"srvr"):
                await asyncio.sleep(0.05)

    async def word(self, number: int, word: bytes) -> str:
        """What server ``number`` answers to a four-letter word; nothing if it does not run."""
        try:
            reader, writer = await asyncio.open_connection(*self.endpoints[number - 1])
            writer.write(word)
            answer = await reader.read()
            writer.close()
        except OSError:
            return ""
        return answer.decode()

    async def serving(self, endpoint: tuple[str, int] | None) -> int:
        """The number of the server at ``endpoint``."""
        return 1 + self.endpoints.index((endpoint or ("", 0))[0:2])


@asynccontextmanager
async def debian_ensemble(directory: Path) -> AsyncIterator[DebianEnsemble]:
    """Three servers that have elected a leader."""
    ensemble = DebianEnsemble(directory)
    try:
        for number in (1, 2, 3):
            ensemble.start(number)
        for number in (1, 2, 3):
            await ensemble.ready(number)
        yield ensemble
    finally:
        ensemble.stop()
