"""What is read from the cluster around each action of a fault, to know whether it took effect.

An effect is plain data. Under ``process``, for each node, its state before and after the action; under
``clock``, for each node, the offset in seconds that was read back before and after (``read_s``), the
one that was asked for at those times (``asked_s``) and its part that is steps, not drift, before
(``steps_s``); under ``dropped`` and ``delayed`` the packets counted on the fault's links before and
after. What could not be read is null, and ``unread`` says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from cluster.api import Link
from nemesis.holds import Holds
from nemesis.kinds.kind import Effect, Measure

T = TypeVar("T")


@dataclass(slots=True)
class Reading:
    """One look at the cluster."""

    process: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    clock_s: dict[str, float | None] = field(default_factory=dict)
    asked_s: dict[str, float] = field(default_factory=dict)
    steps_s: dict[str, float] = field(default_factory=dict)
    packets: dict[Measure, int | None] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


async def read(
    holds: Holds, measures: Sequence[Measure], nodes: Sequence[str], links: Collection[Link]
) -> Reading:
    """Look at ``nodes`` and ``links``. What raises is noted in ``unread``, nothing is raised."""
    reading = Reading()
    if "process" in measures:
        await _read_processes(holds, reading, nodes)
    if "clock" in measures:
        await _read_clocks(holds, reading, nodes)
    if "dropped" in measures:
        count = holds.cluster.dropped(links)
        reading.packets["dropped"] = await _guarded(holds, reading, "dropped packets", count)
    if "delayed" in measures:
        count = holds.cluster.delayed(links)
        reading.packets["delayed"] = await _guarded(holds, reading, "delayed packets", count)
    return reading


def effect(before: Reading, after: Reading) -> Effect:
    """The effect of what was done between two readings."""
    found: dict[str, Any] = {name: [n, after.packets[name]] for name, n in before.packets.items()}
    if before.process:
        found["process"] = {node: [state, after.process[node]] for node, state in before.process.items()}
    if before.clock_s:
        found["clock"] = {node: _clock(before, after, node) for node in before.clock_s}
    if before.unread or after.unread:
        found["unread"] = [*before.unread, *after.unread]
    return found


async def _read_processes(holds: Holds, reading: Reading, nodes: Sequence[str]) -> None:
    for node in nodes:
        what = f"process of {node}"
        state = await _guarded(holds, reading, what, holds.cluster.process_state(node))
        reading.process[node] = asdict(state) if state else None


async def _read_clocks(holds: Holds, reading: Reading, nodes: Sequence[str]) -> None:
    for node in nodes:
        what = f"clock of {node}"
        read_s = await _guarded(holds, reading, what, holds.cluster.clock_offset_s(node))
        reading.clock_s[node] = None if read_s is None else round(read_s, 6)
        steps_s, asked_s = holds.asked_clock(node)
        reading.steps_s[node], reading.asked_s[node] = round(steps_s, 6), round(asked_s, 6)


def _clock(before: Reading, after: Reading, node: str) -> dict[str, Any]:
    read_s = [before.clock_s[node], after.clock_s[node]]
    return {
        "read_s": None if None in read_s else read_s,
        "asked_s": [before.asked_s[node], after.asked_s[node]],
        "steps_s": before.steps_s[node],
    }


async def _guarded(holds: Holds, reading: Reading, what: str, value: Awaitable[T]) -> T | None:
    try:
        async with asyncio.timeout(holds.verb_timeout_s):
            return await value
    except Exception as error:  # a dead node cannot be read: that is a finding, not a failure
        reading.unread.append(f"{what}: {type(error).__name__}: {error}")
        return None
