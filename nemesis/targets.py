"""Which nodes a fault hits: Jepsen's node specifications (jepsen.nemesis.combined/db-nodes)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from nemesis.errors import ScheduleError, unknown
from nemesis.fault import PRIMARIES

Pick: TypeAlias = Callable[[random.Random, Sequence[str]], tuple[str, ...]]


def majority(count: int) -> int:
    """The least number of nodes that is more than half of ``count``."""
    return count // 2 + 1


def minority(count: int) -> int:
    """The most nodes that can fail while a majority of ``count`` stays: 2 of 5, 1 of 4."""
    return majority(count) - 1 if count > 1 else 0


def minority_third(count: int) -> int:
    """The most nodes that are strictly fewer than a third of ``count``: 1 of 5, 2 of 7."""
    return max(count - 1, 0) // 3


def _some(size: Callable[[int], int]) -> Pick:
    def pick(stream: random.Random, nodes: Sequence[str]) -> tuple[str, ...]:
        chosen = set(stream.sample(list(nodes), size(len(nodes))))
        return tuple(node for node in nodes if node in chosen)

    return pick


TARGETS: Mapping[str, Pick] = {
    "one": _some(lambda count: 1),
    "minority": _some(minority),
    "minority-third": _some(minority_third),
    "majority": _some(majority),
    "all": _some(lambda count: count),
    PRIMARIES: lambda stream, nodes: (PRIMARIES,),
}
DEFAULT_TARGETS = ("one", "minority", "minority-third", "majority", "all")


def pick(stream: random.Random, target: str | Sequence[str], nodes: Sequence[str]) -> tuple[str, ...]:
    """The nodes that ``target`` means among ``nodes``, in their order; a list of names means itself.

    ``"primaries"`` stays a word until the fault begins. Raises ScheduleError for an unknown target or
    node.
    """
    if not isinstance(target, str):
        return _listed(target, nodes)
    if target not in TARGETS:
        raise unknown("target", target, TARGETS)
    return TARGETS[target](stream, nodes)


def possible(targets: Sequence[str], nodes: Sequence[str]) -> tuple[str, ...]:
    """Those of ``targets`` that hit at least one of ``nodes``: a third of three is nobody.

    Raises ScheduleError for an unknown target, or when none is left.
    """
    left = tuple(target for target in targets if pick(random.Random(0), target, nodes))
    if not left:
        raise ScheduleError(f"none of the targets {', '.join(targets)} is a node of {', '.join(nodes)}")
    return left


def _listed(names: Sequence[str], nodes: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if name not in nodes:
            raise unknown("node", name, nodes)
    return tuple(node for node in nodes if node in names)
