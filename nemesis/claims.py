"""What a fault wants of the cluster while it lasts, as data. ``nemesis.holds`` makes it so.

A fault never calls a verb itself. It claims a state, and the claims of all active faults together say
what the cluster has to look like: that is what makes overlapping faults well defined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cluster.api import Link

Stop: TypeAlias = Literal["terminate", "kill", "kill_container", "power_off"]
STOPS: tuple[Stop, ...] = ("terminate", "kill", "kill_container", "power_off")
"""How a node can be brought down, by the verb's name, from the mildest to the hardest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one fault holds at one time; an empty claim holds nothing.

    ``down`` maps nodes to the way they went down; ``paused`` nodes do not run; of ``frozen`` ones the
    whole machine stands still; ``cut`` links carry nothing; ``offset_s`` and ``rate`` bend the clocks of
    nodes; ``delay_s`` maps links to a delay and its jitter; ``loss`` maps links to a probability.
    ``true_time`` takes every clock fault that is active on these nodes away, once, when the claim is
    made.
    """

    down: Mapping[str, Stop] = field(default_factory=dict)
    paused: frozenset[str] = frozenset()
    frozen: frozenset[str] = frozenset()
    cut: frozenset[Link] = frozenset()
    offset_s: Mapping[str, float] = field(default_factory=dict)
    rate: Mapping[str, float] = field(default_factory=dict)
    delay_s: Mapping[Link, tuple[float, float]] = field(default_factory=dict)
    loss: Mapping[Link, float] = field(default_factory=dict)
    true_time: frozenset[str] = frozenset()


NOTHING = Claim()


@dataclass(frozen=True, slots=True)
class Clock:
    """A node's clock as claimed: ``offset_s`` from true time, and its ``rate``.

    ``drifting`` is true while any fault claims a rate, even if their product is 1.
    """

    offset_s: float = 0.0
    rate: float = 1.0
    drifting: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """The state of the cluster that all claims together ask for; what is not named is untouched."""

    down: Mapping[str, Stop]
    paused: frozenset[str]
    frozen: frozenset[str]
    cut: frozenset[Link]
    clocks: Mapping[str, Clock]
    delay_s: Mapping[Link, tuple[float, float]]
    loss: Mapping[Link, float]


def together(claims: Iterable[Claim]) -> Wanted:
    """Compose claims; their order does not matter.

    A link is cut and a node is down, paused or frozen while any claim holds it, the hardest way down
    counts; offsets add up and rates multiply; of delays and of losses on one link the largest holds. A
    node that is killed or without power has no process that could be paused or frozen.
    """
    down: dict[str, Stop] = {}
    paused: set[str] = set()
    frozen: set[str] = set()
    cut: set[Link] = set()
    clocks: dict[str, Clock] = {}
    delay_s: dict[Link, tuple[float, float]] = {}
    loss: dict[Link, float] = {}
    for claim in claims:
        for node, stop in claim.down.items():
            down[node] = max(stop, down.get(node, stop), key=STOPS.index)
        paused |= claim.paused
        frozen |= claim.frozen
        cut |= claim.cut
        _add_clocks(clocks, claim)
        for link, delay in claim.delay_s.items():
            delay_s[link] = max(delay, delay_s.get(link, delay))
        for link, probability in claim.loss.items():
            loss[link] = max(probability, loss.get(link, 0.0))
    gone = {node for node, stop in down.items() if stop != "terminate"}
    still = (frozenset(paused - gone), frozenset(frozen - gone))
    return Wanted(down, *still, frozenset(cut), clocks, delay_s, loss)


def _add_clocks(clocks: dict[str, Clock], claim: Claim) -> None:
    for node, offset_s in claim.offset_s.items():
        old = clocks.get(node, Clock())
        clocks[node] = Clock(old.offset_s + offset_s, old.rate, old.drifting)
    for node, rate in claim.rate.items():
        old = clocks.get(node, Clock())
        clocks[node] = Clock(old.offset_s, old.rate * rate, True)
