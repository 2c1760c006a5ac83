"""kill, terminate, power and pause: the processes of nodes stop, and come back when the fault ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise

from nemesis.claims import Claim, Stop
from nemesis.fault import Fault
from nemesis.kinds.kind import Drawn, Effect, Evidence, Kind, Moment, Room, held


def _draw(stream: random.Random, room: Room) -> Drawn:
    return Drawn(room.some(stream), room.duration_s(stream), {})


def _down(stop: Stop) -> Callable[[Fault, Sequence[str]], tuple[Moment, ...]]:
    def moments(fault: Fault, nodes: Sequence[str]) -> tuple[Moment, ...]:
        return held(fault, Claim(down=dict.fromkeys(fault.nodes, stop)))

    return moments


def _paused(fault: Fault, nodes: Sequence[str]) -> tuple[Moment, ...]:
    return held(fault, Claim(paused=frozenset(fault.nodes)))


def gone(effects: Sequence[Effect], fault: Fault) -> Evidence:
    """Nodes whose process ran before one of the fault's actions and was gone by the next reading."""
    readings = [_readings(effects, node) for node in fault.nodes]
    hit = [
        node
        for node, states in zip(fault.nodes, readings, strict=True)
        if any(a["running"] and not b["running"] for a, b in pairwise(states))
    ]
    back = [node for node in hit if _came_back(_readings(effects, node))]
    if not hit:
        return Evidence(False, "no process that was running went away")
    again = f", started again: {', '.join(back)}" if back else ""
    return Evidence(True, f"process gone: {', '.join(hit)}{again}")


def _frozen(effects: Sequence[Effect], fault: Fault) -> Evidence:
    frozen = [n for n in fault.nodes if any(state["paused"] for state in _readings(effects, n))]
    if not frozen:
        return Evidence(False, "no process was found frozen")
    return Evidence(True, f"process frozen: {', '.join(frozen)}")


def _readings(effects: Sequence[Effect], node: str) -> list[dict[str, int]]:
    """The states that could be read, in order of time."""
    return [state for effect in effects for state in effect["process"].get(node, ()) if state]


def _came_back(states: Sequence[dict[str, int]]) -> bool:
    return states[-1]["incarnation"] > states[0]["incarnation"]


KILL = Kind(
    name="kill",
    doc="SIGKILL; the node starts again, on the disk it left, when the fault ends.",
    verbs=frozenset({"kill", "restart"}),
    measures=("process",),
    proof="a process that ran before was gone after it",
    draw=_draw,
    moments=_down("kill"),
    evidence=gone,
)
TERMINATE = Kind(
    name="terminate",
    doc="SIGTERM; the node may shut down in order, what is left of it is killed when the fault ends.",
    verbs=frozenset({"terminate", "kill", "restart"}),
    measures=("process",),
    proof="a process that ran before was gone by the end",
    draw=_draw,
    moments=_down("terminate"),
    evidence=gone,
)
POWER = Kind(
    name="power",
    doc="The machine goes dark: silence to its peers, what was not fsynced may be lost or torn.",
    verbs=frozenset({"power_off", "restart"}),
    measures=("process",),
    proof="a process that ran before was gone after it",
    draw=_draw,
    moments=_down("power_off"),
    evidence=gone,
)
PAUSE = Kind(
    name="pause",
    doc="SIGSTOP; the node goes on where it was when the fault ends.",
    verbs=frozenset({"pause", "resume"}),
    measures=("process",),
    proof="the process was read back as stopped",
    draw=_draw,
    moments=_paused,
    evidence=_frozen,
)
