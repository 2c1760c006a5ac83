"""Grudges: which nodes no longer hear which. Pure functions from lists of nodes to directed links.

A grudge is told the nodes that the fault names and all members of the network. The members are the
nodes, and the clients' machine when it is to stand on the far side from the named nodes. Shapes and
names are Jepsen's (jepsen.nemesis); ``one-way`` cuts a single direction, as in its grudges by hand.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cluster.api import Link
from nemesis.fault import PRIMARIES
from nemesis.targets import TARGETS, majority, minority_third

Links: TypeAlias = frozenset[Link]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grudge:
    """A shape of partition.

    ``least_nodes`` is the smallest cluster in which it cuts something; ``draw(stream, nodes)`` picks
    the nodes to name; ``links(named, members)`` are the directed links to cut; ``named`` says what
    the named nodes are in this shape.
    """

    name: str
    named: str
    least_nodes: int
    draw: Callable[[random.Random, Sequence[str]], tuple[str, ...]]
    links: Callable[[Sequence[str], Sequence[str]], Links]


def split(side: Sequence[str], members: Sequence[str]) -> Links:
    """Cut both ways between ``side`` and all other members."""
    out = one_way(side, members)
    return out | {(destination, source) for source, destination in out}


def one_way(sources: Sequence[str], members: Sequence[str]) -> Links:
    """Cut what ``sources`` send to all other members; they still hear everybody."""
    rest = [member for member in members if member not in sources]
    return frozenset((source, destination) for source in sources for destination in rest)


def isolate(alone: Sequence[str], members: Sequence[str]) -> Links:
    """Cut each node of ``alone`` from every member, from each other as well."""
    return frozenset().union(*(split((node,), members) for node in alone))


def bridge(named: Sequence[str], members: Sequence[str]) -> Links:
    """Split all but the first of ``named`` from the rest; the first, the bridge, sees both sides."""
    middle, *side = named
    return split(side, [member for member in members if member != middle])


def majorities_ring(ring: Sequence[str], members: Sequence[str]) -> Links:
    """Let each node see only its nearest neighbours in ``ring``: a majority, and no two the same one.

    Links are kept both ways, with the same number of neighbours on either hand, so that a node of an
    even-sized majority sees one node more than it must. From 4 nodes on.
    """
    reach = majority(len(ring)) // 2
    places = range(len(ring))
    return frozenset(
        (ring[a], ring[b]) for a in places for b in places if _distance(a, b, len(ring)) > reach
    )


def _distance(a: int, b: int, size: int) -> int:
    return min((a - b) % size, (b - a) % size)


def seen_by(node: str, nodes: Iterable[str], cut: Links) -> frozenset[str]:
    """The nodes that ``node`` can talk to both ways under ``cut``, itself included."""
    return frozenset(other for other in nodes if (node, other) not in cut and (other, node) not in cut)


def _first_half(stream: random.Random, nodes: Sequence[str]) -> tuple[str, ...]:
    return tuple(nodes[: len(nodes) // 2])


def _sample(size: Callable[[int, random.Random], int]) -> Callable[..., tuple[str, ...]]:
    def draw(stream: random.Random, nodes: Sequence[str]) -> tuple[str, ...]:
        return tuple(stream.sample(list(nodes), size(len(nodes), stream)))

    return draw


_ALL = (
    Grudge(
        name="halves",
        named="the smaller half, in the nodes' order",
        least_nodes=2,
        draw=_first_half,
        links=split,
    ),
    Grudge(
        name="random-halves",
        named="the smaller half",
        least_nodes=2,
        draw=_sample(lambda count, stream: count // 2),
        links=split,
    ),
    Grudge(name="one", named="the isolated node", least_nodes=2, draw=TARGETS["one"], links=isolate),
    Grudge(
        name="majority",
        named="the majority's side",
        least_nodes=3,
        draw=TARGETS["majority"],
        links=split,
    ),
    Grudge(
        name="minority-third",
        named="the side of fewer than a third",
        least_nodes=4,
        draw=_sample(lambda count, stream: minority_third(count)),
        links=split,
    ),
    Grudge(
        name="majorities-ring",
        named="all nodes, in the order of the ring",
        least_nodes=4,
        draw=_sample(lambda count, stream: count),
        links=majorities_ring,
    ),
    Grudge(
        name="bridge",
        named="the bridge, then one side",
        least_nodes=3,
        draw=_sample(lambda count, stream: 1 + (count - 1) // 2),
        links=bridge,
    ),
    Grudge(
        name="one-way",
        named="those who are not heard",
        least_nodes=2,
        draw=_sample(lambda count, stream: stream.randrange(1, count)),
        links=one_way,
    ),
    Grudge(
        name="isolate-primaries",
        named="each of them alone",
        least_nodes=2,
        draw=lambda stream, nodes: (PRIMARIES,),
        links=isolate,
    ),
)
GRUDGES: Mapping[str, Grudge] = {grudge.name: grudge for grudge in _ALL}
