"""What was sent while the operations of a witness ran: a failing seed run again, and watched.

Only the simulator can do that: the same seed is the same run, so whoever looks sees what happened the
first time. The digest says whether it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from checkers.verdict import Verdict
from cluster.api import System
from cluster.sim.traffic import Packet
from history.history import History
from windtunnel.plan import Workloads
from windtunnel.runner import Run, run_test
from workloads.registry import WORKLOADS

MAX_ANOMALIES = 4
MAX_OPS = 4
MAX_SPAN_NS = 3_000_000_000
"""Of an operation that took longer, the end is watched."""
MAX_PACKETS = 20_000
_MARGIN_NS = 2_000_000
_MAX_TEXT = 120

Window = tuple[int, int]


@dataclass(slots=True)
class Traffic:
    """Packets that are sent within one of ``windows``, in nanoseconds since ``start_wall_ns``."""

    windows: Sequence[Window]
    start_wall_ns: int
    packets: list[Packet] = field(default_factory=list)
    _last: dict[tuple[str, str, int], Packet] = field(default_factory=dict)

    def take(self, packet: Packet) -> None:
        """Keep ``packet`` if it falls into a window; see ``cluster.sim.traffic``."""
        sent_ns = packet.sent_ns - self.start_wall_ns
        link = (packet.source, packet.destination, packet.port)
        before = self._last.get(link)
        if before is not None and before.continued_by(packet):
            before.data += packet.data
            before.arrived_ns = packet.arrived_ns
            return
        if len(self.packets) < MAX_PACKETS and any(a <= sent_ns <= b for a, b in self.windows):
            self.packets.append(packet)
            self._last[link] = packet


def messages_near(
    run: Run, system: System, *, workloads: Workloads = WORKLOADS
) -> tuple[list[dict[str, Any]], bool]:
    """The messages near the witnesses of ``run``, a simulated one, and whether it repeated exactly.

    A message has ``sent`` and ``arrived`` (ns since the start, None if it was dropped), ``from``,
    ``to``, ``port``, ``bytes`` and ``text``, what it says. The workload is looked up in ``workloads``.
    """
    start_wall_ns = int(run.facts["start_wall_ns"])
    traffic = Traffic(windows(run.verdict, run.history), start_wall_ns)
    again = run_test(run.spec, workloads=workloads, observe=traffic.take)
    names = {number: name for name, number in system.ports.items()}
    told = [_message(packet, start_wall_ns, names, system) for packet in traffic.packets]
    return told, again.digest == run.digest


def windows(verdict: Verdict, history: History) -> list[Window]:
    """When the operations of the first anomalies ran, in nanoseconds since the start."""
    wanted = {op for anomaly in verdict.anomalies[:MAX_ANOMALIES] for op in anomaly.ops[:MAX_OPS]}
    row_of = {int(index): row for row, index in enumerate(history.index)}
    rows = [row_of[op] for op in sorted(wanted) if op in row_of]
    return sorted({_window(history, row) for row in rows})


def _window(history: History, row: int) -> Window:
    partner = int(history.pair[row])
    times = [int(history.time[each]) for each in (row, partner) if each >= 0]
    end = max(times) + _MARGIN_NS
    return max(min(times) - _MARGIN_NS, end - MAX_SPAN_NS), end


def _message(packet: Packet, start_ns: int, names: dict[int, str], system: System) -> dict[str, Any]:
    port = names.get(packet.port, str(packet.port))
    return {
        "sent": packet.sent_ns - start_ns,
        "arrived": None if packet.arrived_ns is None else packet.arrived_ns - start_ns,
        "from": packet.source,
        "to": packet.destination,
        "port": port,
        "bytes": len(packet.data),
        "text": _text(packet, port, system)[:_MAX_TEXT],
    }


def _text(packet: Packet, port: str, system: System) -> str:
    if system.describe is not None:
        return system.describe(port, packet.to_server, packet.data)
    return packet.data.decode("ascii", "replace")
