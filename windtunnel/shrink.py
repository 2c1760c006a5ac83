"""Delta debugging: the smallest failing case that can be found in a bounded number of runs.

A case is a schedule of faults and the size of the workload. First whole faults are taken away
(``ddmin``; Zeller and Hildebrandt, *Simplifying and Isolating Failure-Inducing Input*, 2002), then the
workload is made smaller, then the fields of the faults that are left are made simpler; and again from
the start until nothing helps. That works because each node, link and concern draws from its own
random stream: taking one fault away leaves the rest of the run as it was.

Nothing here knows how a case is run: ``fails(case)`` is given by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

import orjson

T = TypeVar("T")
Fault: TypeAlias = Mapping[str, Any]
"""One entry of a schedule as it stands in a schedule file: at_s, kind, nodes, duration_s, args."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is shrunk: the faults in order, and how much the clients do."""

    faults: tuple[Fault, ...]
    time_limit_s: float
    concurrency: int
    ops: int | None = None

    def key(self) -> bytes:
        """The same bytes for the same case, whatever the order of the fields."""
        entry = [list(self.faults), self.time_limit_s, self.concurrency, self.ops]
        return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


class BudgetSpentError(Exception):
    """No run is left: what was found so far is the answer."""


@dataclass(slots=True)
class Oracle:
    """Asks ``fails`` once per case, at most ``budget`` times, and keeps the smallest failing case."""

    fails: Callable[[Case], bool]
    smallest: Case
    budget: int = 300
    on_run: Callable[[int, Case], None] = lambda runs, smallest: None
    runs: int = 0
    _known: dict[bytes, bool] = field(default_factory=dict)

    def __call__(self, case: Case) -> bool:
        """Whether ``case`` still fails in the same way. Raises BudgetSpentError when no run is left."""
        key = case.key()
        if key not in self._known:
            if self.runs >= self.budget:
                raise BudgetSpentError
            self.runs += 1
            self._known[key] = self.fails(case)
            if self._known[key]:
                self.smallest = case
            self.on_run(self.runs, self.smallest)
        return self._known[key]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest failing case, the runs it took, and whether nothing simpler is left to try."""

    case: Case
    runs: int
    complete: bool


def shrink(
    case: Case,
    fails: Callable[[Case], bool],
    *,
    budget: int = 300,
    on_run: Callable[[int, Case], None] = lambda runs, smallest: None,
) -> Shrunk:
    """Make ``case`` smaller for as long as ``fails`` says that it still fails in the same way.

    ``case`` itself is taken to fail. At most ``budget`` runs are made; ``on_run(runs, smallest)`` is
    called after each. The result is 1-minimal in its faults when ``complete``: without any one of
    them it passes.
    """
    oracle = Oracle(fails, case, budget, on_run)
    oracle._known[case.key()] = True
    try:
        return Shrunk(_until_nothing_helps(case, oracle), oracle.runs, True)
    except BudgetSpentError:
        return Shrunk(oracle.smallest, oracle.runs, False)


def ddmin(items: Sequence[T], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """A 1-minimal subsequence of ``items`` that still fails; ``items`` itself is taken to fail."""
    if not items or fails(()):
        return ()
    kept, parts = tuple(items), 2
    while len(kept) > 1:
        smaller = next((c for c in _complements(kept, parts) if fails(c)), None)
        if smaller is not None:
            kept, parts = smaller, max(parts - 1, 2)
        elif parts < len(kept):
            parts = min(2 * parts, len(kept))
        else:
            break
    return kept


def simpler_faults(fault: Fault) -> Iterator[Fault]:
    """Faults that are a little simpler than this one, the boldest first.

    Fewer nodes, a shorter and rounder duration, smaller and rounder magnitudes, a rounder time.
    """
    for name, value in fault.items():
        if name == "kind":
            continue
        for simpler in _simpler_values(value):
            yield {**fault, name: simpler}


def _complements(items: tuple[T, ...], parts: int) -> Iterator[tuple[T, ...]]:
    bounds = [len(items) * part // parts for part in range(parts + 1)]
    for low, high in pairwise(bounds):
        yield items[:low] + items[high:]


def _until_nothing_helps(case: Case, oracle: Oracle) -> Case:
    while True:
        before = case
        case = _with_fewer_faults(case, oracle)
        case = _with_less_work(case, oracle)
        case = _with_simpler_faults(case, oracle)
        if case == before:
            return case


def _with_fewer_faults(case: Case, oracle: Oracle) -> Case:
    faults = ddmin(case.faults, lambda faults: oracle(replace(case, faults=faults)))
    return replace(case, faults=faults)


def _with_less_work(case: Case, oracle: Oracle) -> Case:
    times = (replace(case, time_limit_s=limit_s) for limit_s in _shorter_times(case.time_limit_s))
    case = _first_failing(times, oracle) or case
    clients = (replace(case, concurrency=count) for count in range(1, case.concurrency))
    case = _first_failing(clients, oracle) or case
    ops = (replace(case, ops=count) for count in _fewer_ops(case.ops))
    return _first_failing(ops, oracle) or case


def _with_simpler_faults(case: Case, oracle: Oracle) -> Case:
    for position in range(len(case.faults)):
        case = _with_fault_simplified(case, position, oracle)
    return case


def _with_fault_simplified(case: Case, position: int, oracle: Oracle) -> Case:
    while True:
        tried = (
            replace(case, faults=(*case.faults[:position], fault, *case.faults[position + 1 :]))
            for fault in simpler_faults(case.faults[position])
        )
        smaller = _first_failing(tried, oracle)
        if smaller is None:
            return case
        case = smaller


def _first_failing(cases: Iterable[Case], oracle: Oracle) -> Case | None:
    return next((case for case in cases if oracle(case)), None)


def _shorter_times(time_limit_s: float) -> list[float]:
    return [limit_s for limit_s in (1, 2, 5, 10, 20, 30, 60, 120, 300) if limit_s < time_limit_s]


def _fewer_ops(ops: int | None) -> list[int]:
    powers = [2**exponent for exponent in range(13)]
    return [count for count in powers if ops is None or count < ops]


def _simpler_values(value: Any) -> Iterator[Any]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield from _simpler_numbers(value)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from ({**value, name: simpler} for simpler in _simpler_values(inner))
    elif isinstance(value, list | tuple) and len(value) > 1:
        yield from (_without(value, position) for position in range(len(value)))


def _simpler_numbers(value: float) -> Iterator[float]:
    """Strictly simpler in (fewer digits, nearer to zero), so that simplifying comes to an end."""
    one = 1 if value > 0 else -1
    candidates = (0, one, round(value), round(value, 1), round(value / 2), round(value / 2, 1))
    seen: set[float] = set()
    for candidate in candidates:
        if candidate not in seen and _plainness(candidate) < _plainness(value):
            seen.add(candidate)
            yield candidate


def _plainness(value: float) -> tuple[int, float, bool]:
    digits = len(repr(value).partition(".")[2]) if value != int(value) else 0
    return digits, abs(value), value < 0


def _without(values: Sequence[Any], position: int) -> list[Any]:
    return [*values[:position], *values[position + 1 :]]
