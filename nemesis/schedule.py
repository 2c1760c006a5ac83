"""Schedules drawn from a seed, and what makes a schedule valid.

Everything drawn is in the schedule, so that neither replaying nor shrinking one needs a seed; only
``"primaries"`` is answered when the fault begins. ``nemesis.schedule_file`` reads and writes them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from nemesis import targets as specs
from nemesis.errors import ScheduleError, unknown
from nemesis.fault import PRIMARIES, Fault, Schedule, stream
from nemesis.kinds import KINDS, Room
from nemesis.kinds.kind import LONGEST_JUMP_S
from nemesis.kinds.kind import check as check_kind
from nemesis.partitions import GRUDGES
from nemesis.targets import DEFAULT_TARGETS, TARGETS

_SHORTEST_S = 0.1


def draw(
    seed: int,
    *,
    kinds: Collection[str],
    nodes: Sequence[str],
    time_limit_s: float,
    interval_s: float = 5.0,
    targets: Sequence[str] = DEFAULT_TARGETS,
    grudges: Sequence[str] | None = None,
    clients: float = 0.3,
    jump_s: float = LONGEST_JUMP_S,
) -> Schedule:
    """A random schedule: one fault in each ``interval_s``, lasting 0.2 to 2 intervals.

    Kinds and targets that a cluster of ``nodes`` is too small for are passed over; ``grudges`` are all
    that fit unless given, those of the primaries only if ``targets`` has them. ``clients`` is the
    probability that a network fault also hits the links to the clients' machine; ``jump_s`` is how far
    clocks jump at most: nodes may have to wait as long until true time has caught up. Every fault ends
    before ``time_limit_s``. Each draws from its own stream: fault ``i`` is the same whatever the time
    limit, unless that cuts it off. Raises ScheduleError for unknown names, and when nothing fits.
    """
    if not time_limit_s >= _SHORTEST_S:
        raise ScheduleError(f"time_limit_s is {time_limit_s:g}; it must be at least {_SHORTEST_S:g}")
    if not interval_s >= _SHORTEST_S:
        raise ScheduleError(f"interval_s is {interval_s:g}; it must be at least {_SHORTEST_S:g}")
    count = max(int(time_limit_s // interval_s), 1)
    slot_s = min(interval_s, time_limit_s)
    room = Room(
        nodes=tuple(nodes),
        targets=specs.possible(targets, nodes),
        grudges=_possible_grudges(grudges, targets, nodes),
        clients=clients,
        low_s=0.2 * slot_s,
        high_s=2 * slot_s,
        jump_s=jump_s,
    )
    possible = _possible_kinds(kinds, nodes)
    faults = (_drawn(seed, number, possible, room, time_limit_s, slot_s) for number in range(count))
    return tuple(faults) if possible else ()


def check(schedule: Schedule, *, nodes: Sequence[str]) -> None:
    """Raise ScheduleError for the first fault that a cluster of ``nodes`` cannot be given."""
    for number, fault in enumerate(schedule):
        try:
            check_fault(fault, nodes)
        except ScheduleError as error:
            raise ScheduleError(f"fault {number}: {error.reason}") from None


def check_fault(fault: Fault, nodes: Sequence[str]) -> None:
    """Raise ScheduleError unless ``fault`` can be given to a cluster of ``nodes``."""
    if fault.kind not in KINDS:
        raise unknown("kind", fault.kind, KINDS)
    if not (math.isfinite(fault.at_s) and fault.at_s >= 0):
        raise ScheduleError(f"at_s is {fault.at_s:g}; it must be a number from 0 seconds on")
    if not (math.isfinite(fault.duration_s) and fault.duration_s >= 0):
        raise ScheduleError(f"duration_s is {fault.duration_s:g}; it must be a number from 0 on")
    _check_nodes(fault, nodes)
    check_kind(KINDS[fault.kind], fault, nodes)


def _drawn(
    seed: int, number: int, kinds: Sequence[str], room: Room, time_limit_s: float, slot_s: float
) -> Fault:
    place = stream(seed, number)
    kind = KINDS[place.choice(kinds)]
    last_s = time_limit_s - room.low_s - 0.002
    at_s = round(min((number + place.random()) * slot_s, last_s), 3)
    left_s = math.floor((time_limit_s - at_s) * 1000 - 1) / 1000
    room = replace(room, high_s=min(room.high_s, left_s))
    return Fault(at_s, kind.name, *kind.draw(stream(seed, number, kind.name), room))


def _possible_kinds(kinds: Collection[str], nodes: Sequence[str]) -> list[str]:
    for name in kinds:
        if name not in KINDS:
            raise unknown("kind", name, KINDS)
    possible = [name for name in KINDS if name in kinds and len(nodes) >= KINDS[name].least_nodes]
    if kinds and not possible:
        raise ScheduleError(f"{len(nodes)} nodes are too few for {', '.join(kinds)}; take more nodes")
    return possible


def _possible_grudges(
    grudges: Sequence[str] | None, targets: Sequence[str], nodes: Sequence[str]
) -> tuple[str, ...]:
    for name in grudges or ():
        if name not in GRUDGES:
            raise unknown("grudge", name, GRUDGES)
    isolating = f"isolate-{PRIMARIES}"
    wanted = grudges or [n for n in GRUDGES if n != isolating or PRIMARIES in targets]
    return tuple(name for name in wanted if GRUDGES[name].least_nodes <= len(nodes))


def _check_nodes(fault: Fault, nodes: Sequence[str]) -> None:
    if not fault.nodes:
        raise ScheduleError(f"{fault.kind} names no node; name one of {', '.join(nodes)}")
    if fault.symbolic:
        return
    for node in fault.nodes:
        if node in TARGETS and node not in nodes:
            raise ScheduleError(f"{node!r} is a target to draw from; a schedule names its nodes")
        if node not in nodes:
            raise unknown("node", node, [*nodes, PRIMARIES])
    if len(set(fault.nodes)) < len(fault.nodes):
        raise ScheduleError(f"{fault.kind} names a node twice: {', '.join(fault.nodes)}")
