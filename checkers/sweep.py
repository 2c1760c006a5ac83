"""Just-in-time linearization: one pass over the events with all configurations still possible.

Lowe, "Testing for linearizability" (2017), and Knossos' ``linear``: nothing is linearized before it
must be, which is when an operation returns. A configuration is the object's state, the open
operations already linearized (a mask over recycled slots, so that it does not grow with the history)
and the crashed operations used. What keeps the frontier small, all of it sound:

- an observation that is legal now is linearized at once, without branching: it changes nothing. This
  does not hold for a write that happens not to change the state: it may be needed later;
- of identical crashed operations the oldest is used first; one that would not change the state is
  not used at all;
- a configuration is dropped if another with the same state and mask has used a subset of its crashed
  operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from checkers.transitions import NO_STEP, Outcome, Path, Problem, refuted

Entries: TypeAlias = list[tuple[int, Path]]
Frontier: TypeAlias = dict[tuple[int, int], Entries]
"""By state and mask: the least sets of crashed operations used, as masks, each with its path."""

CHUNK = 512

_Point: TypeAlias = tuple[int, int, int, Path]
"""State, mask of open operations, mask of crashed ones, path."""


@dataclass(slots=True)
class _Open:
    """Operations that were called: by slot those that will return, by action those that crashed."""

    slot: dict[int, int] = field(default_factory=dict)
    mutators: dict[int, tuple[int, int]] = field(default_factory=dict)
    observers: dict[int, tuple[int, int]] = field(default_factory=dict)
    crashed: dict[int, int] = field(default_factory=dict)
    free: list[int] = field(default_factory=list)


def sweep(problem: Problem) -> Iterator[int | Outcome]:
    """Search ``problem``: yields the steps done now and then, and at last the outcome."""
    opened, steps = _Open(), 0
    frontier: Frontier = {(problem.transitions.initial, 0): [(0, None)]}
    for returns, operation in _events(problem):
        if not returns:
            _call(problem, opened, operation)
            continue
        after: Frontier = {}
        rest = _already(problem, opened, frontier, operation, after)
        steps += len(frontier)
        for done in _linearize(problem, opened, rest, operation, after):
            steps += done
            if steps >= CHUNK:
                yield steps
                steps = 0
        if not after:
            yield steps
            yield refuted(problem, operation, _ends(frontier))
            return
        _return(problem, opened, operation)
        frontier = after
    yield steps
    ends = _ends(frontier)
    yield Outcome(True, problem.order(ends[0]))


def _events(problem: Problem) -> list[tuple[bool, int]]:
    """(returns, operation) in order of time; at one stamp calls stand before returns."""
    returned = len(problem.call)
    events = [(2 * call, operation) for operation, call in enumerate(problem.call)]
    events += [(2 * ret + 1, operation) for operation, ret in enumerate(problem.ret)]
    events += [(2 * call, returned + place) for place, call in enumerate(problem.crashed_call)]
    events.sort()
    return [(bool(stamp & 1), operation) for stamp, operation in events]


def _call(problem: Problem, opened: _Open, operation: int) -> None:
    returned = len(problem.call)
    if operation >= returned:
        place = operation - returned
        action = problem.crashed_action[place]
        opened.crashed[action] = opened.crashed.get(action, 0) | 1 << place
        return
    bit = opened.free.pop() if opened.free else 1 << len(opened.slot)
    opened.slot[operation] = bit
    action = problem.action[operation]
    kind = opened.observers if problem.observes[action] else opened.mutators
    kind[operation] = (bit, action)


def _return(problem: Problem, opened: _Open, operation: int) -> None:
    opened.free.append(opened.slot.pop(operation))
    opened.mutators.pop(operation, None)
    opened.observers.pop(operation, None)


def _already(
    problem: Problem, opened: _Open, frontier: Frontier, operation: int, after: Frontier
) -> list[_Point]:
    """Move on what has linearized the operation, or can without a change; return the rest."""
    bit, action = opened.slot[operation], problem.action[operation]
    observes, step = problem.observes[action], problem.transitions.step
    rest: list[_Point] = []
    for (state, mask), entries in frontier.items():
        if mask & bit:
            for crashed, path in entries:
                _put(after, (state, mask ^ bit), crashed, path)
        elif observes and step(state, action) != NO_STEP:
            for crashed, path in entries:
                _put(after, (state, mask), crashed, (path, operation))
        else:
            rest.extend((state, mask, crashed, path) for crashed, path in entries)
    return rest


def _linearize(
    problem: Problem,
    opened: _Open,
    start: list[_Point],
    operation: int,
    after: Frontier,
) -> Iterator[int]:
    """Close ``start`` under linearizing others until ``operation`` is; those go to ``after``.

    Configurations that used fewer crashed operations come first, so that they dominate early.
    """
    goal = opened.slot[operation]
    levels: dict[int, list[_Point]] = {}
    for configuration in start:
        levels.setdefault(configuration[2].bit_count(), []).append(configuration)
    seen: Frontier = {}
    while levels:
        level = min(levels)
        stack = levels.pop(level)
        while stack:
            state, mask, crashed, path = stack.pop()
            mask, path = _observe(problem, opened, state, mask, path)
            if mask & goal:
                _put(after, (state, mask ^ goal), crashed, path)
                continue
            if not _put(seen, (state, mask), crashed, None):
                continue
            point = (state, mask, crashed, path)
            stack.extend(_mutate(problem, opened, point, goal, after))
            if worse := _crash(problem, opened, point):
                levels.setdefault(level + 1, []).extend(worse)
            yield 1 + len(opened.mutators) + len(opened.crashed)


def _mutate(problem: Problem, opened: _Open, point: _Point, goal: int, after: Frontier) -> list[_Point]:
    """Linearize each open mutator that may be next; what reached the goal goes to ``after``."""
    state, mask, crashed, path = point
    found: list[_Point] = []
    for other, (bit, action) in opened.mutators.items():
        to = NO_STEP if mask & bit else problem.transitions.step(state, action)
        if to == NO_STEP:
            continue
        if bit == goal:
            _put(after, (to, mask), crashed, (path, other))
        else:
            found.append((to, mask | bit, crashed, (path, other)))
    return found


def _crash(problem: Problem, opened: _Open, point: _Point) -> list[_Point]:
    """Use a crashed operation that changes the state, of identical ones the oldest."""
    state, mask, crashed, path = point
    found: list[_Point] = []
    for action, called in opened.crashed.items():
        unused = called & ~crashed
        to = problem.transitions.step(state, action) if unused else NO_STEP
        if to not in (NO_STEP, state):
            oldest = unused & -unused
            place = len(problem.call) + oldest.bit_length() - 1
            found.append((to, mask, crashed | oldest, (path, place)))
    return found


def _observe(problem: Problem, opened: _Open, state: int, mask: int, path: Path) -> tuple[int, Path]:
    """Linearize every open observation that is legal in ``state``."""
    step = problem.transitions.step
    for other, (bit, action) in opened.observers.items():
        if not mask & bit and step(state, action) != NO_STEP:
            mask, path = mask | bit, (path, other)
    return mask, path


def _put(frontier: Frontier, key: tuple[int, int], crashed: int, path: Path) -> bool:
    """Add a configuration unless one that used a subset of its crashed operations is there."""
    entries = frontier.get(key)
    if entries is None:
        frontier[key] = [(crashed, path)]
        return True
    if any(used & crashed == used for used, _ in entries):
        return False
    entries[:] = [entry for entry in entries if entry[0] & crashed != crashed]
    entries.append((crashed, path))
    return True


def _ends(frontier: Frontier) -> list[Path]:
    return [path for entries in frontier.values() for _, path in entries]
