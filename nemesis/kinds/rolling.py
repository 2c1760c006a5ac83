"""rolling-restart: nodes are restarted in order, one after the other, as an operator would."""

from __future__ import annotations

import random
from collections.abc import Sequence

from nemesis.claims import NOTHING, Claim
from nemesis.errors import ScheduleError
from nemesis.fault import Fault
from nemesis.kinds.kind import Drawn, Kind, Moment, Room, number
from nemesis.kinds.process import gone


def _draw(stream: random.Random, room: Room) -> Drawn:
    nodes = room.some(stream)
    duration_s = room.duration_s(stream)
    down_s = round(duration_s / len(nodes) * stream.uniform(0.1, 0.9), 3)
    return Drawn(nodes, duration_s, {"down_s": max(down_s, 0.001)})


def _moments(fault: Fault, nodes: Sequence[str]) -> tuple[Moment, ...]:
    """Each node has an equal share of the duration and is down for the first ``down_s`` of it."""
    share_s = fault.duration_s / len(fault.nodes)
    down_s = min(fault.args["down_s"], share_s)
    moments: list[Moment] = []
    for place, node in enumerate(fault.nodes):
        stop = Claim(down={node: "terminate"})
        moments += [
            Moment(round(place * share_s, 6), "step" if place else "start", stop),
            Moment(round(place * share_s + down_s, 6), "step", NOTHING),
        ]
    return (*moments, Moment(fault.duration_s, "end", NOTHING))


def _check(fault: Fault, nodes: Sequence[str]) -> None:
    down_s, share_s = fault.args["down_s"], fault.duration_s / len(fault.nodes)
    if not fault.symbolic and down_s > share_s:
        raise ScheduleError(
            f"down_s of rolling-restart is {down_s:g}, more than the {share_s:g} s that each of its"
            f" {len(fault.nodes)} nodes has; make duration_s longer"
        )


ROLLING_RESTART = Kind(
    name="rolling-restart",
    doc="SIGTERM and start again, one node after the other, in the order in which they are named.",
    verbs=frozenset({"terminate", "kill", "restart"}),
    measures=("process",),
    proof="a process that ran before was gone by the fault's next action",
    draw=_draw,
    moments=_moments,
    evidence=gone,
    check=_check,
    parameters=(number("down_s", "s", "how long each node is down", 0.001, 3600),),
)
