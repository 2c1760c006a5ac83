"""Depth-first search for a linearization, with a cache of the configurations that failed.

Wing & Gong (1993) with the cache of Lowe (2017), as in Porcupine and Knossos' ``wgl``. The set of
linearized operations is kept as the number of the first that is not, and a mask over those after it,
so that an entry of the cache costs the concurrency and not the length of the history (Horn & Kroening
(2015) report 14 GiB of bitsets on 56,000 events). The pruning is that of ``checkers.sweep``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from checkers.transitions import MAX_CONFIGURATIONS, NO_STEP, Outcome, Path, Problem, refuted

CHUNK = 512


class _Point(NamedTuple):
    """A configuration: all before ``low`` is linearized, and of those from there on ``mask``."""

    state: int
    low: int
    mask: int
    crashed: int
    path: Path


def wgl(problem: Problem) -> Iterator[int | Outcome]:
    """Search ``problem``: yields the steps done now and then, and at last the outcome."""
    count, steps = len(problem.call), 0
    seen: dict[tuple[int, int, int], list[int]] = {}
    stack = [_Point(problem.transitions.initial, 0, 0, 0, None)]
    furthest, culprit = -1, 0
    ends: list[Path] = []
    while stack:
        point = stack.pop()
        if point.low == count:
            yield steps
            yield Outcome(True, problem.order(point.path))
            return
        if not _new(seen, point):
            continue
        window, first = _window(problem, point.low, point.mask)
        if problem.ret[first] > furthest:
            furthest, culprit, ends = problem.ret[first], first, []
        if problem.ret[first] == furthest and len(ends) < MAX_CONFIGURATIONS:
            ends.append(point.path)
        stack.extend(_successors(problem, point, window, problem.ret[first]))
        steps += 1 + len(window)
        if steps >= CHUNK:
            yield steps
            steps = 0
    yield steps
    yield refuted(problem, culprit, ends)


def _new(seen: dict[tuple[int, int, int], list[int]], point: _Point) -> bool:
    """Whether no point with this state and mask has used a subset of its crashed operations."""
    tried = seen.setdefault((point.state, point.low, point.mask), [])
    if any(used & point.crashed == used for used in tried):
        return False
    tried.append(point.crashed)
    return True


def _window(problem: Problem, low: int, mask: int) -> tuple[list[int], int]:
    """The operations that may come next, and the one of them that returns first."""
    call, ret, count = problem.call, problem.ret, len(problem.call)
    first, deadline, window, operation = low, ret[low], [], low
    while operation < count and call[operation] <= deadline:
        if not mask & 1:
            window.append(operation)
            if ret[operation] < deadline:
                first, deadline = operation, ret[operation]
        operation, mask = operation + 1, mask >> 1
    return window, first


def _successors(problem: Problem, point: _Point, window: list[int], deadline: int) -> list[_Point]:
    """The points one operation further, the most promising last."""
    state, action, step = point.state, problem.action, problem.transitions.step
    legal = [(one, to) for one in window if (to := step(state, action[one])) != NO_STEP]
    free = next((one for one, _ in legal if problem.observes[action[one]]), None)
    if free is not None:
        return [_linearized(point, free, state)]
    found = _crashes(problem, point, deadline)
    found.extend(_linearized(point, one, to) for one, to in reversed(legal))
    return found


def _linearized(point: _Point, operation: int, state: int) -> _Point:
    low, mask = point.low, point.mask | 1 << (operation - point.low)
    while mask & 1:
        low, mask = low + 1, mask >> 1
    return _Point(state, low, mask, point.crashed, (point.path, operation))


def _crashes(problem: Problem, point: _Point, deadline: int) -> list[_Point]:
    """Use a crashed operation that changes the state, of identical ones the oldest."""
    found, used, done = [], point.crashed, set()
    for place, (call, action) in enumerate(
        zip(problem.crashed_call, problem.crashed_action, strict=True)
    ):
        if call > deadline:
            break
        if used >> place & 1 or action in done:
            continue
        done.add(action)
        to = problem.transitions.step(point.state, action)
        if to not in (NO_STEP, point.state):
            path = (point.path, len(problem.call) + place)
            found.append(_Point(to, point.low, point.mask, used | 1 << place, path))
    return found
