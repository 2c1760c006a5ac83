"""A fault as data: what goes wrong, when, where and for how long. A schedule is a tuple of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeAlias

PRIMARIES = "primaries"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a schedule.

    ``at_s`` counts seconds from the start of the run; ``kind`` is a name in ``nemesis.kinds.KINDS``;
    ``nodes`` are node names, or the one word ``"primaries"``: whoever leads when the fault begins;
    after ``duration_s`` seconds what was done is undone; ``args`` are the kind's own parameters.
    """

    at_s: float
    kind: str
    nodes: tuple[str, ...]
    duration_s: float
    args: Mapping[str, Any] = field(default_factory=dict)

    @property
    def end_s(self) -> float:
        """When the fault has been undone, in seconds from the start of the run."""
        return self.at_s + self.duration_s

    @property
    def symbolic(self) -> bool:
        """Whether the nodes are still to be asked for when the fault begins."""
        return self.nodes == (PRIMARIES,)

    def __str__(self) -> str:
        return f"{self.kind} of {', '.join(self.nodes)} at {self.at_s:g} s"


Schedule: TypeAlias = tuple[Fault, ...]


def stream(seed: int, *key: object) -> random.Random:
    """The random numbers of one concern: independent of every other key under the same seed."""
    text = "/".join(str(part) for part in ("nemesis", seed, *key))
    return random.Random(int.from_bytes(blake2b(text.encode(), digest_size=16).digest()))
