"""How each mutant that is marked as seen on real clusters is brought out, there and in the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from impl.mutants.mutant import Mutant
from impl.mutants.registry import MUTANTS


class Trial(NamedTuple):
    """The faults, the load and the length of one run on three nodes.

    ``faults`` are those of a schedule file; ``rate`` is in operations per second over all clients.
    """

    faults: tuple[Mapping[str, Any], ...] = ()
    rate: float = 30.0
    concurrency: int = 5
    time_limit_s: float = 6.0


def _fault(at_s: float, kind: str, *nodes: str, for_s: float, **args: Any) -> Mapping[str, Any]:
    return {"at_s": at_s, "kind": kind, "nodes": list(nodes), "duration_s": for_s, "args": args}


ALL = ("n1", "n2", "n3")
KILLED = Trial((_fault(2, "kill", "n1", "n2", for_s=1), _fault(4, "kill", "n3", for_s=1)))
CLOCK_FORTH = Trial(
    (_fault(2, "clock-bump", "primaries", for_s=5, offset_s=30.0),),
    time_limit_s=8,
)
ANSWERS_LOST = Trial(
    tuple(
        _fault(at_s, "partition", *ALL, for_s=2.6, links=[[node, "client"] for node in ALL])
        for at_s in (2, 7, 12)
    ),
    rate=60.0,
    time_limit_s=16,
)
"""What brokers get they keep, and nobody hears of it until a request is given up, after two seconds."""

TRIALS: Mapping[str, Trial] = MappingProxyType(
    {
        "autoincrement-recomputed-after-restart": KILLED,
        "uuid4-same-stream-after-restart": KILLED,
        "ephemeral-goes-early": CLOCK_FORTH,
        "queue-retries-reorder": ANSWERS_LOST,
        "queue-commit-before-processing": KILLED,
        "queue-commits-go-back": Trial(rate=60.0, time_limit_s=15.0),
    }
)


def trial_of(mutant: Mutant) -> Trial:
    """Six seconds without a fault, unless there is more to it."""
    return TRIALS.get(mutant.name, Trial())


def marked() -> tuple[Mutant, ...]:
    """The mutants that are marked, in the order of the registry."""
    return tuple(mutant for mutant in MUTANTS.values() if mutant.on_real_clusters)
