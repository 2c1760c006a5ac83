"""partition: nodes, and the clients if wanted, no longer hear each other; see ``nemesis.partitions``."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from cluster.api import CLIENT, Link
from nemesis.claims import Claim
from nemesis.errors import ScheduleError, unknown, way_out
from nemesis.fault import Fault
from nemesis.kinds.kind import Drawn, Kind, Moment, Parameter, Room, flag, held
from nemesis.kinds.links import counted
from nemesis.partitions import GRUDGES


def _draw(stream: random.Random, room: Room) -> Drawn:
    grudge = GRUDGES[stream.choice(room.grudges)]
    named = grudge.draw(stream, room.nodes)
    args: dict[str, Any] = {"grudge": grudge.name}
    if room.with_clients(stream):
        args["clients"] = True
    return Drawn(named, room.duration_s(stream), args)


def _links(fault: Fault, nodes: Sequence[str]) -> frozenset[Link]:
    if "links" in fault.args:
        return frozenset((source, destination) for source, destination in fault.args["links"])
    members = (*nodes, CLIENT) if fault.args.get("clients") else tuple(nodes)
    return GRUDGES[fault.args["grudge"]].links(fault.nodes, members)


def _moments(fault: Fault, nodes: Sequence[str]) -> tuple[Moment, ...]:
    return held(fault, Claim(cut=_links(fault, nodes)))


def _check(fault: Fault, nodes: Sequence[str]) -> None:
    if "grudge" in fault.args:
        _check_grudge(fault, nodes)
    if "links" in fault.args:
        _check_links(fault, nodes)
    elif "grudge" not in fault.args:
        raise ScheduleError(
            "partition needs an argument 'grudge', its shape, or 'links', a list of them"
        )


def _check_grudge(fault: Fault, nodes: Sequence[str]) -> None:
    grudge = GRUDGES[fault.args["grudge"]]
    if len(nodes) < grudge.least_nodes:
        raise ScheduleError(
            f"grudge {grudge.name!r} needs {grudge.least_nodes} nodes, this cluster has {len(nodes)}"
        )
    if grudge.name == "majorities-ring" and set(fault.nodes) != set(nodes):
        raise ScheduleError(f"grudge 'majorities-ring' names all of {', '.join(nodes)}, as its ring")
    if not fault.symbolic and not _links(fault, nodes):
        raise ScheduleError(f"grudge {grudge.name!r} of {', '.join(fault.nodes)} cuts no link")


def _check_links(fault: Fault, nodes: Sequence[str]) -> None:
    for source, destination in fault.args["links"]:
        for end in (source, destination):
            if end not in nodes and end != CLIENT:
                raise unknown("node", end, [*nodes, CLIENT])
        if not fault.symbolic and not {source, destination} & set(fault.nodes):
            raise ScheduleError(
                f"link {source} to {destination} touches none of the partition's nodes; name one of them"
            )


def _wrong_grudge(value: Any) -> str | None:
    known = isinstance(value, str) and value in GRUDGES
    return None if known else f"is unknown; {way_out(value, GRUDGES)}"


def _wrong_links(value: Any) -> str | None:
    pairs = isinstance(value, list | tuple) and all(
        isinstance(link, list | tuple)
        and len(link) == 2
        and all(isinstance(end, str) for end in link)
        and link[0] != link[1]
        for link in value
    )
    return None if pairs and value else 'must be a list of links, each ["source", "destination"]'


PARTITION = Kind(
    name="partition",
    doc="Packets on some links between nodes are dropped without a word, as the grudge says.",
    verbs=frozenset({"cut", "heal"}),
    measures=("dropped",),
    proof="packets were dropped on its links while it lasted",
    draw=_draw,
    moments=_moments,
    evidence=counted("dropped"),
    links=_links,
    check=_check,
    least_nodes=2,
    parameters=(
        Parameter(
            name="grudge",
            unit="",
            doc=f"the shape: {', '.join(GRUDGES)}",
            wrong=_wrong_grudge,
            required=False,
        ),
        flag("clients", "whether the clients' machine stands with those that are not named"),
        Parameter(
            name="links",
            unit="",
            doc="the directed links to cut, in place of those that the grudge gives",
            wrong=_wrong_links,
            required=False,
        ),
    ),
)
