"""The coordination service beside Debian's ZooKeeper: three servers each, fsync on, kazoo as the client.

The two take turns at every figure, a few dozen operations at a time, so that whatever else the machine
does meets both; figures are medians over all turns. In each round the client is at another server, so
leader and followers count alike. A ratio above 1 means that ours is ahead; the figure of the real
servers is the target.

A watch fires within a millisecond or two, of which a third is kazoo's own, and whatever else the machine
does takes as long. So its latency is taken in pairs, one watch there and one here, by turns first; the
figure is the median of some thousand, and beside it stands how often of a hundred pairs ours was the
quicker one.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.retry import KazooRetry

from tests.impl.coordination import debian_zookeeper
from tests.impl.coordination.processes import Program, Servers, ours

_ROUNDS = 12
_WARM_UP_ROUNDS = 2
_FAILOVERS = 5
_READS, _PIPELINED_READS = 50, 500
_CREATES, _PIPELINED_CREATES = 10, 500
_WATCH_PAIRS = 100
_WAIT_S = 30.0
_AT_ONCE = 500
_DATA = b"x" * 100
_JVM = ("-Xmx256m",)
_SETTINGS = "admin.enableServer=false\n4lw.commands.whitelist=*\nmaxClientCnxns=0\n"


@dataclass
class _Side:
    """One of the two: its servers, what was measured of it, by figure, and what CPU that took.

    ``cpu_us`` is of all three servers together, per operation: other than the rest it hardly depends on
    what else the machine does.
    """

    servers: Servers
    measured: dict[str, list[float]] = field(default_factory=dict)
    cpu_us: dict[str, list[float]] = field(default_factory=dict)


def side_by_side() -> list[dict[str, Any]]:
    """Rates per second, latencies, time without a leader, and memory of both."""
    if debian_zookeeper.MISSING:
        raise RuntimeError(f"{debian_zookeeper.MISSING}; apt install zookeeper")
    logging.getLogger("kazoo").setLevel(logging.CRITICAL)  # it tells of each connection that breaks
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        real_program = partial(debian_zookeeper.program, machine=_JVM)
        with _running(folder / "real", real_program) as real, _running(folder / "own", ours) as own:
            for number in range(-_WARM_UP_ROUNDS, _ROUNDS):
                _round((real, own) if number % 2 else (own, real), number)
            for side in (real, own):
                _measured(side, "memory")(_memory_mb(side.servers))
            for _ in range(_FAILOVERS):
                for side in (real, own):
                    _measured(side, "failover")(_failover_s(side.servers))
            return _figures(real, own)


@contextmanager
def _running(folder: Path, program: Program) -> Iterator[_Side]:
    servers = Servers(folder, 3, _SETTINGS, program=program, tick_ms=2000)
    try:
        yield _Side(servers)
    finally:
        servers.end()


def _measured(side: _Side, name: str) -> Callable[[float], None]:
    return side.measured.setdefault(name, []).append


def _round(sides: tuple[_Side, _Side], number: int) -> None:
    """Every figure some times, of both by turns; a round with a negative number only warms up."""
    with ExitStack() as stack:
        clients = []
        for side in sides:
            port = side.servers.ports[number % len(side.servers.ports)]
            client = stack.enter_context(_client(f"127.0.0.1:{port}"))
            clients.append((side, client, client.create("/bench-", _DATA, sequence=True)))
        for name, (_, _, turns) in _MEASURES.items():
            for turn in range(turns):
                for side, client, path in clients if turn % 2 else clients[::-1]:
                    _measure(side, name, client, path, keep=number >= 0)
        _watch_pairs(clients, keep=number >= 0)


def _measure(side: _Side, name: str, client: KazooClient, path: str, *, keep: bool) -> None:
    measure, operations, _ = _MEASURES[name]
    before_s = _cpu_s(side.servers)
    value = measure(client, path)
    spent_s = _cpu_s(side.servers) - before_s
    if keep:
        _measured(side, name)(value)
        side.cpu_us.setdefault(name, []).append(spent_s / operations * 1e6)


@contextmanager
def _client(hosts: str) -> Iterator[KazooClient]:
    patient = {"max_tries": -1, "delay": 0.01, "backoff": 1, "max_jitter": 0.0}
    client = KazooClient(
        hosts, connection_retry=KazooRetry(**patient), command_retry=KazooRetry(**patient)
    )
    client.start(timeout=_WAIT_S)
    try:
        yield client
    finally:
        client.stop()
        client.close()


# --- what is measured -----------------------------------------------------------------------------


def _rate(number: int, work: Callable[[], None]) -> float:
    start_s = time.perf_counter()
    work()
    return number / (time.perf_counter() - start_s)


def _reads(client: KazooClient, path: str) -> float:
    def work() -> None:
        for _ in range(_READS):
            client.get(path)

    return _rate(_READS, work)


def _pipelined_reads(client: KazooClient, path: str) -> float:
    return _rate(
        _PIPELINED_READS, lambda: _pipelined(_PIPELINED_READS, lambda _: client.get_async(path))
    )


def _creates(client: KazooClient, path: str) -> float:
    def work() -> None:
        for _ in range(_CREATES):
            client.create(f"{path}/n-", _DATA, sequence=True)

    return _rate(_CREATES, work)


def _pipelined_creates(client: KazooClient, path: str) -> float:
    def create(number: int) -> Any:
        return client.create_async(f"{path}/p{number}", _DATA)

    return _rate(_PIPELINED_CREATES, lambda: _pipelined(_PIPELINED_CREATES, create))


def _pipelined(number: int, ask: Callable[[int], Any]) -> None:
    """Ask for a batch without waiting, then wait for its answers, until ``number`` are answered.

    A client that waits for one whenever it asks for one falls into step with a server that is quick.
    """
    for first in range(0, number, _AT_ONCE):
        waiting = [ask(turn) for turn in range(first, min(first + _AT_ONCE, number))]
        for each in waiting:
            each.get(timeout=_WAIT_S)


_MEASURES: dict[str, tuple[Callable[[KazooClient, str], float], int, int]] = {
    "reads, one at a time": (_reads, _READS, 5),
    "reads, pipelined": (_pipelined_reads, _PIPELINED_READS, 2),
    "sequential creates, one at a time": (_creates, _CREATES, 5),
    "creates, pipelined": (_pipelined_creates, _PIPELINED_CREATES, 1),
}
"""By name: what is measured, of how many operations at a time, and how many times in a round."""


def _watch_pairs(clients: list[tuple[_Side, KazooClient, str]], *, keep: bool) -> None:
    """How long each of the two takes to tell of a change, again and again, by turns first."""
    before_s = [_cpu_s(side.servers) for side, _, _ in clients]
    for turn in range(_WATCH_PAIRS):
        for side, client, path in clients if turn % 2 else clients[::-1]:
            latency_ms = _watch_ms(client, path)
            if keep:
                _measured(side, "watch")(latency_ms)
    for (side, _, _), then_s in zip(clients, before_s, strict=True):
        if keep:
            spent_s = _cpu_s(side.servers) - then_s
            side.cpu_us.setdefault("watch", []).append(spent_s / _WATCH_PAIRS * 1e6)


def _watch_ms(client: KazooClient, path: str) -> float:
    """Milliseconds from a change to the event of it; the change is answered when it returns."""
    told_s: list[float] = []
    told = threading.Event()

    def tell(event: Any) -> None:
        told_s.append(time.perf_counter())
        told.set()

    client.get(path, watch=tell)
    start_s = time.perf_counter()
    change = client.set_async(path, _DATA)
    if not told.wait(_WAIT_S):
        raise TimeoutError("a watch did not fire")
    change.get(timeout=_WAIT_S)
    return (told_s[0] - start_s) * 1000


def _failover_s(servers: Servers) -> float:
    """Seconds from killing the leader to the next write that is acknowledged."""
    leader = servers.leader()
    others = [port for number, port in enumerate(servers.ports, 1) if number != leader]
    with _client(",".join(f"127.0.0.1:{port}" for port in others)) as client:
        path = client.create("/failover-", sequence=True)
        start_s = time.perf_counter()
        servers.kill(leader)
        for _ in count():
            try:
                client.set_async(path, _DATA).get(timeout=_WAIT_S)
                break
            except KazooException:
                time.sleep(0.005)
        seconds = time.perf_counter() - start_s
    servers.start(leader)
    servers.wait()
    return seconds


def _memory_mb(servers: Servers) -> float:
    """Resident memory of all three, after the load."""
    return sum(map(_resident_mb, (process.pid for process in servers.processes.values())))


def _cpu_s(servers: Servers) -> float:
    """CPU that the three have used by now."""
    ticks = 0
    for process in servers.processes.values():
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


# --- what is told ---------------------------------------------------------------------------------

_UNITS = {"watch": "ms", "failover": "s", "memory": "MB"}


def _figures(real: _Side, own: _Side) -> list[dict[str, Any]]:
    return [_figure(real, own, name) for name in own.measured]


def _figure(real: _Side, own: _Side, name: str) -> dict[str, Any]:
    unit = _UNITS.get(name, "/s")
    mine, theirs = median(own.measured[name]), median(real.measured[name])
    return {
        "name": name,
        "value": mine,
        "unit": unit,
        "target, Debian's": theirs,
        "ratio": mine / theirs if unit == "/s" else theirs / mine,
        "from": _spread(own.measured[name]),
        "theirs from": _spread(real.measured[name]),
        **(_quicker(real, own) if name == "watch" else {}),
        **_cpu_beside(real, own, name),
    }


def _spread(values: list[float]) -> str:
    """All there are of a few; of many those between the first and the last tenth."""
    ordered = sorted(values)
    tenth = len(ordered) // 10 if len(ordered) > _ROUNDS else 0
    return f"{ordered[tenth]:.3g} to {ordered[-1 - tenth]:.3g}"


def _quicker(real: _Side, own: _Side) -> dict[str, Any]:
    pairs = list(zip(own.measured["watch"], real.measured["watch"], strict=True))
    share = sum(mine < theirs for mine, theirs in pairs) / len(pairs)
    return {"pairs": len(pairs), "ours quicker in": f"{100 * share:.0f} of 100"}


def _cpu_beside(real: _Side, own: _Side, name: str) -> dict[str, Any]:
    if name not in own.cpu_us:
        return {}
    mine, theirs = median(own.cpu_us[name]), median(real.cpu_us[name])
    return {"servers' CPU per operation": f"{mine:.0f} µs, theirs {theirs:.0f} µs"}
