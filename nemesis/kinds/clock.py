"""clock-bump, clock-strobe, clock-drift and clock-reset: the wall clocks of nodes are wrong.

The sizes are those of jepsen.nemesis.time: bumps and strobes from 4 ms to 262 s, each order of
magnitude as likely as the next. Unlike Jepsen's, a bump is taken back when its fault ends, so that
each fault stands for itself and can be taken out of a schedule. Bumps on one node add up, rates
multiply; what a drift has gathered goes when no drift on the node is left.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from nemesis.claims import NOTHING, Claim
from nemesis.errors import ScheduleError
from nemesis.fault import Fault
from nemesis.kinds.kind import (
    Drawn,
    Effect,
    Evidence,
    Kind,
    Moment,
    Parameter,
    Room,
    held,
    is_number,
    log_uniform,
    number,
)

MOST_SWINGS = 1000
_DAY_S = 86_400.0


def _signed(stream: random.Random, room: Room) -> float:
    return stream.choice((-1, 1)) * log_uniform(stream, 0.004, room.jump_s)


def _draw_bump(stream: random.Random, room: Room) -> Drawn:
    return Drawn(room.some(stream), room.duration_s(stream), {"offset_s": _signed(stream, room)})


def _draw_strobe(stream: random.Random, room: Room) -> Drawn:
    duration_s = room.duration_s(stream)
    period_s = max(log_uniform(stream, 0.01, 1.0), round(duration_s / 100, 3))
    args = {"offset_s": _signed(stream, room), "period_s": min(period_s, duration_s)}
    return Drawn(room.some(stream), duration_s, args)


def _draw_drift(stream: random.Random, room: Room) -> Drawn:
    rate = round(2 ** (stream.choice((-1, 1)) * stream.uniform(0.05, 1.0)), 3)
    return Drawn(room.some(stream), room.duration_s(stream), {"rate": rate})


def _draw_reset(stream: random.Random, room: Room) -> Drawn:
    return Drawn(room.some(stream), 0.0, {})


def _bump(fault: Fault, nodes: Sequence[str]) -> tuple[Moment, ...]:
    return held(fault, _offset(fault))


def _offset(fault: Fault) -> Claim:
    return Claim(offset_s=dict.fromkeys(fault.nodes, fault.args["offset_s"]))


def _strobe(fault: Fault, nodes: Sequence[str]) -> tuple[Moment, ...]:
    """Away at once, back after one period, away again after two, until the end."""
    period_s = fault.args["period_s"]
    swings = [
        Moment(round(count * period_s, 6), "step", _offset(fault) if count % 2 == 0 else NOTHING, False)
        for count in range(1, _swings(fault) + 1)
    ]
    return (
        Moment(0.0, "start", _offset(fault)),
        *swings,
        Moment(fault.duration_s, "end", NOTHING),
    )


def _swings(fault: Fault) -> int:
    """Jumps between the first and the last, which are the start and the end of the fault."""
    period_s: float = fault.args["period_s"]
    return math.ceil(fault.duration_s / period_s) - 1


def _drift(fault: Fault, nodes: Sequence[str]) -> tuple[Moment, ...]:
    return held(fault, Claim(rate=dict.fromkeys(fault.nodes, fault.args["rate"])))


def _reset(fault: Fault, nodes: Sequence[str]) -> tuple[Moment, ...]:
    return (
        Moment(0.0, "start", Claim(true_time=frozenset(fault.nodes))),
        Moment(fault.duration_s, "end", NOTHING),
    )


def _moved(effects: Sequence[Effect], fault: Fault) -> Evidence:
    """The first action moved a clock at least half as far as it was asked to, in that direction."""
    moved = {}
    for node, clock in effects[0]["clock"].items():
        asked = clock["asked_s"][1] - clock["asked_s"][0]
        if asked and clock["read_s"] and (_span(clock["read_s"]) / asked) >= 0.5:
            moved[node] = _span(clock["read_s"])
    if not moved:
        return Evidence(False, "no clock was read back as moved")
    return Evidence(True, ", ".join(f"{node} moved {s:+.3f} s" for node, s in moved.items()))


def _span(pair: Sequence[float]) -> float:
    return pair[1] - pair[0]


def _gathered(effects: Sequence[Effect], fault: Fault) -> Evidence:
    """At the end a clock stands where it was asked to, within half of what this drift adds."""
    if len(effects) < 2:
        return Evidence(False, "the drift has not been measured yet")
    own_s = abs(fault.args["rate"] - 1) * fault.duration_s
    drifted = {
        node: clock["read_s"][0] - clock["steps_s"]
        for node, clock in effects[-1]["clock"].items()
        if clock["read_s"] and abs(clock["read_s"][0] - clock["asked_s"][0]) <= own_s / 2
    }
    if not drifted:
        return Evidence(False, "no clock was read back as drifted")
    return Evidence(True, ", ".join(f"{node} drifted {s:+.3f} s" for node, s in drifted.items()))


def _check_strobe(fault: Fault, nodes: Sequence[str]) -> None:
    if _swings(fault) > MOST_SWINGS:
        raise ScheduleError(
            f"period_s of clock-strobe is {fault.args['period_s']:g}: that is {_swings(fault)} swings in"
            f" {fault.duration_s:g} s; at most {MOST_SWINGS} are possible"
        )


def _wrong_offset(value: Any) -> str | None:
    if is_number(value) and 0 < abs(value) <= _DAY_S:
        return None
    return f"must be a number of seconds within a day ({_DAY_S:g}) of true time, and not 0"


def _wrong_rate(value: Any) -> str | None:
    if is_number(value) and 0.1 <= value <= 10 and value != 1:
        return None
    return "must be a number from 0.1 to 10, and not 1"


_OFFSET = Parameter(name="offset_s", unit="s", doc="how far the clock jumps", wrong=_wrong_offset)

CLOCK_BUMP = Kind(
    name="clock-bump",
    doc="The wall clock jumps, and jumps back when the fault ends.",
    verbs=frozenset({"skew"}),
    measures=("clock",),
    proof="the clock was read back as moved at least half as far as it was asked to",
    draw=_draw_bump,
    moments=_bump,
    evidence=_moved,
    parameters=(_OFFSET,),
)
CLOCK_STROBE = Kind(
    name="clock-strobe",
    doc="The wall clock jumps there and back, over and over.",
    verbs=frozenset({"skew"}),
    measures=("clock",),
    proof="as for clock-bump, at its first swing",
    draw=_draw_strobe,
    moments=_strobe,
    evidence=_moved,
    check=_check_strobe,
    parameters=(
        _OFFSET,
        number("period_s", "s", "the time from one jump to the next", 0.001, 3600),
    ),
)
CLOCK_DRIFT = Kind(
    name="clock-drift",
    doc="The wall clock runs too fast or too slow, and is right again when the fault ends.",
    verbs=frozenset({"skew"}),
    measures=("clock",),
    proof="at the end the clock was read back as off by what it should have gathered, give or take half",
    draw=_draw_drift,
    moments=_drift,
    evidence=_gathered,
    parameters=(Parameter(name="rate", unit="s/s", doc="how fast the clock runs", wrong=_wrong_rate),),
)
CLOCK_RESET = Kind(
    name="clock-reset",
    doc="Clock faults that are active on the nodes end at once, as ntpdate would do.",
    verbs=frozenset({"skew"}),
    measures=("clock",),
    proof="a clock that was wrong was read back as moved towards true time",
    draw=_draw_reset,
    moments=_reset,
    evidence=_moved,
    lasting=False,
)
