"""kill, kill-container, terminate, power, pause and freeze: nodes stop, and come back in the end."""

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


def _still(fault: Fault, nodes: Sequence[str]) -> tuple[Moment, ...]:
    return held(fault, Claim(frozen=frozenset(fault.nodes)))


def gone(effects: Sequence[Effect], fault: Fault) -> Evidence:
    """Nodes whose process ran before one of the fault's actions and was gone by the next reading.

    It is gone too if another has been started meanwhile: nodes that take their time to end in order
    run until the fault's end.
    """
    readings = [_readings(effects, node) for node in fault.nodes]
    hit = [
        node
        for node, states in zip(fault.nodes, readings, strict=True)
        if any(a["running"] and _another(a, b) for a, b in pairwise(states))
    ]
    back = [node for node in hit if _came_back(_readings(effects, node))]
    if not hit:
        return Evidence(False, "no process that was running went away")
    again = f", started again: {', '.join(back)}" if back else ""
    return Evidence(True, f"process gone: {', '.join(hit)}{again}")


def _ended(effects: Sequence[Effect], fault: Fault) -> Evidence:
    """As of :func:`gone`, and which nodes took longer to end in order than the fault lasted."""
    evidence = gone(effects, fault)
    slow = [node for node in fault.nodes if _replaced(_readings(effects, node))]
    killed = f"; killed in the end, as SIGTERM had not ended it: {', '.join(slow)}" if slow else ""
    return Evidence(evidence.landed, f"{evidence.text}{killed}")


def _replaced(states: Sequence[dict[str, int]]) -> bool:
    """One process ran until another was there."""
    return any(a["running"] and b["running"] and _another(a, b) for a, b in pairwise(states))


def _another(before: dict[str, int], after: dict[str, int]) -> bool:
    """The process of ``before`` is not there any more."""
    return not after["running"] or after["incarnation"] > before["incarnation"]


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
KILL_CONTAINER = Kind(
    name="kill-container",
    doc="SIGKILL to the node's container; it and the node start again, on the disk they left, when the"
    " fault ends.",
    verbs=frozenset({"kill_container", "restart"}),
    measures=("process",),
    proof="a process that ran before was gone after it, and so was its container",
    draw=_draw,
    moments=_down("kill_container"),
    evidence=gone,
)
TERMINATE = Kind(
    name="terminate",
    doc="SIGTERM; the node may shut down in order, what is left of it is killed when the fault ends.",
    verbs=frozenset({"terminate", "kill", "restart"}),
    measures=("process",),
    proof="a process that ran before was gone by the end, by itself or killed",
    draw=_draw,
    moments=_down("terminate"),
    evidence=_ended,
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
FREEZE = Kind(
    name="freeze",
    doc="The kernel's freezer stops the whole machine; it goes on where it was when the fault ends.",
    verbs=frozenset({"freeze", "thaw"}),
    measures=("process",),
    proof="the machine was read back as frozen",
    draw=_draw,
    moments=_still,
    evidence=_frozen,
)
