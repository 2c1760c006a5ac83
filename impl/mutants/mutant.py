"""What a known-bad variant says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from impl.host import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A node program with one piece swapped for a broken one.

    ``kind`` is the kind of node it replaces; ``failure`` names what happened in the real world;
    ``caught_by`` is the checker that is meant to find it, by its name in a verdict; ``faults`` are the
    kinds of fault without which it does not show; within ``seeds`` seeds, counted from 1, the checker
    finds it when all faults are on.
    """

    name: str
    kind: str
    program: Program
    failure: str
    caught_by: str
    seeds: int
    faults: tuple[str, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        """How a real machine runs it; ``{config}`` stands for the path of the configuration."""
        return ("python", "-m", "impl.mutants", self.name, "{config}")
