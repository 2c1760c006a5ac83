"""How far each node's clock was off, at any time, as the nemesis measured it.

Around each action of a clock fault the nemesis reads the clocks of the nodes it touches, so between
two actions on a node its offset lies between two readings. A strobe swings unrecorded; while one is on
a node, its offset may be away from the readings by as much as it swings. Within an action, which takes
its time on a real cluster, a clock that drifts goes on drifting from the one reading to the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from history.history import History

Ints = NDArray[np.int64]
UNKNOWN_NS = 2**60
"""An offset of plus or minus this much means that it may have been anything."""
_END_NS = 2**62
_STROBE = "clock-strobe"
_HEAL = "heal"


@dataclass(slots=True)
class Timeline:
    """One node: spans of time, each with the least and the greatest offset in it, in ns."""

    spans: list[tuple[int, int, int, int]] = field(default_factory=list)
    since_ns: int = 0
    offset_ns: int = 0
    known: bool = True
    active: dict[Any, int] = field(default_factory=dict)  # fault -> how far it swings, unrecorded
    rates: dict[Any, float] = field(default_factory=dict)  # fault -> the rate it gives, 1 or not

    def until(self, time_ns: int, offset_ns: int | None) -> None:
        """Nothing was done to the clock from ``since_ns`` to ``time_ns``, when it was read, or not."""
        ends = [self.offset_ns if offset_ns is None else offset_ns, self.offset_ns]
        swing = sum(self.active.values())
        sure = self.known and (offset_ns is not None or not self.active)
        low, high = (min(ends) - swing, max(ends) + swing) if sure else (-UNKNOWN_NS, UNKNOWN_NS)
        self.spans.append((self.since_ns, time_ns, low, high))

    def action(
        self, start_ns: int, end_ns: int, read_ns: tuple[int, int] | None, pace: float = 0.0
    ) -> None:
        """Something was done to it in this time; ``read_ns`` was read before and after.

        ``pace`` is how fast it drifted at most meanwhile, in seconds per second.
        """
        self.until(start_ns, read_ns[0] if read_ns else None)
        self.since_ns, self.known = end_ns, read_ns is not None
        if read_ns is None:
            self.spans.append((start_ns, end_ns, -UNKNOWN_NS, UNKNOWN_NS))
        else:
            self.offset_ns = read_ns[1]
            drift_ns = round(pace * (end_ns - start_ns))
            self.spans.append((start_ns, end_ns, min(read_ns) - drift_ns, max(read_ns) + drift_ns))

    @property
    def pace(self) -> float:
        """How fast it drifts, in seconds per second: the rates of faults multiply."""
        return abs(prod(self.rates.values()) - 1)


def offsets(history: History, nodes: list[str]) -> dict[str, Timeline]:
    """Each node's clock over the run, from the nemesis's events.

    Raises ValueError for a clock fault that does not say what it did in the shape known here.
    """
    clocks = {node: Timeline() for node in nodes}
    for row in np.flatnonzero(history.process < 0).tolist():
        partner = int(history.pair[row])
        if partner < row and partner >= 0:
            _apply(history, partner, row, clocks)
        elif partner < 0 and _concerns_clocks(history.fs[history.f[row]]):
            _cut_short(history, row, clocks)
    for clock in clocks.values():
        clock.until(_END_NS, None)
    return clocks


def bounds(clock: Timeline, start_ns: Ints, end_ns: Ints) -> tuple[Ints, Ints]:
    """The least and the greatest offset, in ns, in each of these windows of time."""
    low = np.full(len(start_ns), _END_NS)
    high = -low
    for since, until, least, greatest in clock.spans:
        inside = (start_ns <= until) & (end_ns >= since)
        low[inside] = np.minimum(low[inside], least)
        high[inside] = np.maximum(high[inside], greatest)
    return low, high


def _concerns_clocks(f: str) -> bool:
    return f.startswith("clock-") or f == _HEAL


def _apply(history: History, start: int, end: int, clocks: dict[str, Timeline]) -> None:
    f = history.fs[history.f[end]]
    times = int(history.time[start]), int(history.time[end])
    if f == _HEAL:
        for clock in clocks.values():
            _heal(clock, *times, healed=history.error[end] is None)
    elif f.startswith("clock-"):
        value = _value(history, end)
        read = (value.get("effect") or {}).get("clock") or {}
        for node in value["nodes"]:
            clock = clocks.setdefault(node, Timeline())
            before = clock.pace
            _change_rate(clock, value, history.value[start])
            reading = _reading(read.get(node), history, end)
            clock.action(*times, reading, max(before, clock.pace))
            _remember(clock, f, value, history.value[start])


def _heal(clock: Timeline, start_ns: int, end_ns: int, *, healed: bool) -> None:
    clock.until(start_ns, None)
    before = (clock.offset_ns, 0) if clock.known and not clock.active else (-UNKNOWN_NS, UNKNOWN_NS)
    clock.spans.append((start_ns, end_ns, min(before), max(before)))
    clock.since_ns, clock.offset_ns, clock.known = end_ns, 0, healed
    clock.active.clear()
    clock.rates.clear()


def _cut_short(history: History, row: int, clocks: dict[str, Timeline]) -> None:
    """The run ended within an action: from there on nothing is known of the clocks."""
    for clock in clocks.values():
        clock.action(int(history.time[row]), int(history.time[row]), None)


def _change_rate(clock: Timeline, value: Mapping[str, Any], start: Mapping[str, Any]) -> None:
    if value["phase"] == "start":
        clock.rates[value["fault"]] = start.get("args", {}).get("rate", 1.0)
    elif value["phase"] == "end":
        clock.rates.pop(value["fault"], None)


def _remember(clock: Timeline, f: str, value: Mapping[str, Any], start: Mapping[str, Any]) -> None:
    if value["phase"] == "start":
        swing_s = start.get("args", {}).get("offset_s", 0) if f == _STROBE else 0
        clock.active[value["fault"]] = round(abs(swing_s) * 1e9)
    elif value["phase"] == "end":
        clock.active.pop(value["fault"], None)


def _value(history: History, row: int) -> Mapping[str, Any]:
    value = history.value[row]
    if isinstance(value, Mapping) and {"nodes", "phase", "fault"} <= value.keys():
        return value
    raise ValueError(
        f"op {int(history.index[row])} of the nemesis is a clock fault without 'nodes', 'phase' and "
        f"'fault', so nobody knows what the clocks showed; its value is {value!r}"
    )


def _reading(clock: Any, history: History, row: int) -> tuple[int, int] | None:
    if clock is None or (isinstance(clock, Mapping) and clock.get("read_s", ...) is None):
        return None
    match clock:
        case {"read_s": [int() | float() as before, int() | float() as after]}:
            return round(before * 1e9), round(after * 1e9)
    raise ValueError(
        f"op {int(history.index[row])} of the nemesis holds a clock reading of unknown shape: {clock!r}"
    )
