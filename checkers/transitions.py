"""One object's operations made ready for a search: actions and states as small numbers.

Each pair of state and action is asked of the model once and remembered, as in Knossos' ``memo``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from checkers.model import ILLEGAL, Action, Model, State

NO_STEP = -1

Path: TypeAlias = "tuple[Path, int] | None"
"""The operations linearized so far, newest first, as a chain that configurations share."""


class Transitions:
    """The model's step function over numbered states; ``rows[state]`` holds what was asked before."""

    def __init__(self, model: Model, initial: State, actions: Sequence[Action]) -> None:
        self.states: list[State] = []
        self.rows: list[dict[int, int]] = []
        self._numbers: dict[State, int] = {}
        self._model = model
        self._actions = actions
        self._collapse = None if model.collapse is None else model.collapse(actions)
        self.initial = self._number(initial)

    def step(self, state: int, action: int) -> int:
        """The number of the state after ``action``, or NO_STEP."""
        row = self.rows[state]
        known = row.get(action)
        if known is None:
            after = self._model.step(self.states[state], self._actions[action])
            known = row[action] = NO_STEP if after is ILLEGAL else self._number(after)
        return known

    def _number(self, state: State) -> int:
        if self._collapse is not None:
            state = self._collapse(state)
        number = self._numbers.setdefault(state, len(self.states))
        if number == len(self.states):
            self.states.append(state)
            self.rows.append({})
        return number


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the search: ``ret`` is None where it never returned; ``row`` is the caller's."""

    call: int
    ret: int | None
    action: Action
    row: int


class Problem:
    """The operations of one object, ordered by call: the returned ones and, apart, the crashed.

    A crashed operation may take effect at any time after its call, or never. Crashed observations
    are left out: they constrain nothing.
    """

    def __init__(self, model: Model, initial: State, operations: Sequence[Operation]) -> None:
        ordered = sorted(operations, key=lambda op: op.call)
        returned = [op for op in ordered if op.ret is not None]
        crashed = [op for op in ordered if op.ret is None and not model.observation(op.action)]
        numbers: dict[Action, int] = {}
        number = [numbers.setdefault(op.action, len(numbers)) for op in (*returned, *crashed)]
        self.model = model
        self.initial = initial
        self.number = number
        self.actions = list(numbers)
        self.transitions = Transitions(model, initial, self.actions)
        self.call = [op.call for op in returned]
        self.ret = [op.ret for op in returned if op.ret is not None]
        self.action = number[: len(returned)]
        self.row = [op.row for op in (*returned, *crashed)]
        self.observes = [model.observation(action) for action in self.actions]
        self.crashed_call = [op.call for op in crashed]
        self.crashed_action = number[len(returned) :]

    def __len__(self) -> int:
        return len(self.row)

    def order(self, path: Path) -> tuple[int, ...]:
        """The rows of the operations on ``path``, oldest first."""
        return tuple(self.row[operation] for operation in _along(path))

    def state(self, path: Path) -> State:
        """The object's state after ``path``, as the model has it: nothing collapsed."""
        state = self.initial
        for operation in _along(path):
            state = self.model.step(state, self.actions[self.number[operation]])
        return state


def _along(path: Path) -> list[int]:
    operations = []
    while path is not None:
        path, operation = path
        operations.append(operation)
    return operations[::-1]


@dataclass(frozen=True, slots=True)
class Configuration:
    """A point that a search reached: the object's state after ``order``, rows in linearization order."""

    state: State
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found.

    Legal: ``order`` is a linearization of everything that returned. Not: ``order`` linearizes the
    longest prefix there is, ``culprit`` is the row of the operation whose return ends it, and
    ``configurations`` are some of the points from which that operation could not be linearized.
    """

    legal: bool
    order: tuple[int, ...]
    culprit: int | None = None
    configurations: tuple[Configuration, ...] = ()


MAX_CONFIGURATIONS = 8


def refuted(problem: Problem, culprit: int, ends: Sequence[Path]) -> Outcome:
    """The outcome that no path of ``ends`` lets operation ``culprit`` return."""
    configurations = tuple(
        Configuration(problem.state(path), problem.order(path)) for path in ends[:MAX_CONFIGURATIONS]
    )
    longest = max((c.order for c in configurations), key=len, default=())
    return Outcome(False, longest, problem.row[culprit], configurations)
