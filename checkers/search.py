"""The racing search: is there a linearization, for any model, within a budget of steps?

Two searches run side by side on every object, each in turn with a budget that doubles: ``sweep`` wins
on many crashed operations, ``wgl`` on wide frontiers, as Knossos' competition found. The objects
take turns too, and one that is refuted settles the run even when others would never end. Budgets
are counted in steps, so that a verdict does not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from checkers.sweep import sweep
from checkers.transitions import Outcome, Problem
from checkers.wgl import wgl

FIRST_BUDGET = 4096
MAX_STEPS = 10_000_000
ENGINES = {"sweep": sweep, "wgl": wgl}


@dataclass(frozen=True, slots=True)
class Found:
    """What the race came to.

    ``legal`` is None when the budget ran out; ``key`` is the object that was refuted, or the first
    that is undecided; ``outcomes`` are those of the objects that were decided.
    """

    legal: bool | None
    steps: int
    key: Hashable = None
    outcomes: Mapping[Hashable, Outcome] = field(default_factory=dict)


def search(problems: Mapping[Hashable, Problem], *, max_steps: int = MAX_STEPS) -> Found:
    """Search every object of ``problems`` with at most ``max_steps`` steps in all."""
    racers = {key: [engine(problem) for engine in ENGINES.values()] for key, problem in problems.items()}
    outcomes: dict[Hashable, Outcome] = {}
    budget, steps = FIRST_BUDGET, 0
    while racers:
        for key in list(racers):
            for racer in racers[key]:
                used, outcome = _advance(racer, min(budget, max_steps - steps))
                steps += used
                if outcome is not None:
                    outcomes[key] = outcome
                    del racers[key]
                    break
                if steps >= max_steps:
                    return Found(None, steps, key, outcomes)
            if key in outcomes and not outcomes[key].legal:
                return Found(False, steps, key, outcomes)
        budget *= 2
    return Found(True, steps, None, outcomes)


def _advance(racer: Iterator[int | Outcome], budget: int) -> tuple[int, Outcome | None]:
    """Let one search do about ``budget`` steps: the steps it did, and its outcome if it ended."""
    used = 0
    while used <= budget:
        report = next(racer)
        if isinstance(report, Outcome):
            return used, report
        used += report
    return used, None
