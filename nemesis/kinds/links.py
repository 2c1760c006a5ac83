"""slow and lose: the links of some nodes, to all others and back, delay packets or drop some."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Literal

from cluster.api import CLIENT, Link
from nemesis.claims import Claim
from nemesis.fault import Fault
from nemesis.kinds.kind import (
    Drawn,
    Effect,
    Evidence,
    Kind,
    Moment,
    Room,
    flag,
    held,
    log_uniform,
    number,
)
from nemesis.partitions import isolate

_CLIENTS = flag("clients", "whether the links to the clients' machine are hit as well")


def _links(fault: Fault, nodes: Sequence[str]) -> frozenset[Link]:
    return isolate(fault.nodes, (*nodes, CLIENT) if fault.args.get("clients") else nodes)


def _clients(stream: random.Random, room: Room) -> dict[str, bool]:
    hit = room.with_clients(stream) or len(room.nodes) == 1
    return {"clients": True} if hit else {}


def _draw_slow(stream: random.Random, room: Room) -> Drawn:
    delay_s = log_uniform(stream, 0.005, 2.0)
    jitter_s = round(delay_s * stream.random(), 3)
    args = {"delay_s": delay_s, "jitter_s": jitter_s, **_clients(stream, room)}
    return Drawn(room.some(stream), room.duration_s(stream), args)


def _draw_lose(stream: random.Random, room: Room) -> Drawn:
    args = {"probability": log_uniform(stream, 0.05, 0.8), **_clients(stream, room)}
    return Drawn(room.some(stream), room.duration_s(stream), args)


def _slow(fault: Fault, nodes: Sequence[str]) -> tuple[Moment, ...]:
    delay = (fault.args["delay_s"], fault.args.get("jitter_s", 0.0))
    return held(fault, Claim(delay_s=dict.fromkeys(_links(fault, nodes), delay)))


def _lose(fault: Fault, nodes: Sequence[str]) -> tuple[Moment, ...]:
    return held(fault, Claim(loss=dict.fromkeys(_links(fault, nodes), fault.args["probability"])))


def counted(counter: Literal["dropped", "delayed"]) -> Callable[[Sequence[Effect], Fault], Evidence]:
    """Evidence that this counter of packets went up between the fault's first action and its last."""

    def evidence(effects: Sequence[Effect], fault: Fault) -> Evidence:
        before, after = effects[0][counter][0], effects[-1][counter][1]
        packets = 0 if before is None or after is None else after - before
        return Evidence(packets > 0, f"{packets or 'no'} packets {counter}")

    return evidence


SLOW = Kind(
    name="slow",
    doc="Every packet from and to the nodes is delayed.",
    verbs=frozenset({"slow"}),
    measures=("delayed",),
    proof="packets were delayed on its links while it lasted",
    draw=_draw_slow,
    moments=_slow,
    evidence=counted("delayed"),
    links=_links,
    parameters=(
        number("delay_s", "s", "the one-way delay that is added", 0.001, 60),
        number("jitter_s", "s", "up to this much more, at random", 0, 60, required=False),
        _CLIENTS,
    ),
)
LOSE = Kind(
    name="lose",
    doc="Packets from and to the nodes are dropped at random.",
    verbs=frozenset({"lose"}),
    measures=("dropped",),
    proof="packets were dropped on its links while it lasted",
    draw=_draw_lose,
    moments=_lose,
    evidence=counted("dropped"),
    links=_links,
    parameters=(number("probability", "", "the chance of each packet to be lost", 0.001, 1), _CLIENTS),
)
