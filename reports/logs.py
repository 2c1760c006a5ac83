"""Lines of the nodes' logs, with the time of the run at which each was written, where it says one.

A line may begin with seconds since the cluster was made, as in simulation, or with an ISO 8601 time;
one that begins with neither goes with the line before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cluster.sim.world import WALL_START_NS
from reports.text import safe

MAX_LINES = 5_000
"""Per node; of a longer log the last lines are kept."""
MAX_LINE_CHARACTERS = 1_000

_SECONDS = re.compile(r"(\d{1,8}\.\d+)\s+(.*)", re.DOTALL)
_ISO = re.compile(
    r"\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?\]?\s*(.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One node's log: lines and their times in µs of the run, -1 before it and where none is known."""

    node: str
    times_us: tuple[int, ...]
    lines: tuple[str, ...]
    left_out: int = 0


def logs(texts: Mapping[str, str], *, start_wall_ns: int | None) -> tuple[Log, ...]:
    """The logs by node; ``start_wall_ns`` is the wall clock, in ns, at time 0 of the run."""
    return tuple(_log(node, text, start_wall_ns) for node, text in texts.items())


def _log(node: str, text: str, start_wall_ns: int | None) -> Log:
    every = text.splitlines()
    times: list[int] = []
    lines: list[str] = []
    last = -1
    for line in every[-MAX_LINES:]:
        time_us, rest = _stamped(line, start_wall_ns)
        last = last if time_us is None else max(time_us, -1)
        times.append(last)
        lines.append(safe(rest, limit=MAX_LINE_CHARACTERS))
    left_out = max(len(every) - MAX_LINES, 0)
    return Log(node=node, times_us=tuple(times), lines=tuple(lines), left_out=left_out)


def _stamped(line: str, start_wall_ns: int | None) -> tuple[int | None, str]:
    """The time in µs of the run and the rest of the line; None and the line when it has no time."""
    if found := _SECONDS.fullmatch(line):
        before_ns = 0 if start_wall_ns is None else start_wall_ns - WALL_START_NS
        return round(float(found[1]) * 1e6 - before_ns / 1e3), found[2]
    if start_wall_ns is not None and (found := _ISO.fullmatch(line)):
        return round((_wall_ns(found) - start_wall_ns) / 1e3), found[4]
    return None, line


def _wall_ns(found: re.Match[str]) -> int:
    zone = (found[3] or "Z").replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(found[1] + zone)
    except ValueError:
        return 0
    fraction_ns = int((found[2] or "0").ljust(9, "0"))
    return int(moment.astimezone(UTC).timestamp()) * 1_000_000_000 + fraction_ns
