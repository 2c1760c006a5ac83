"""What a sequential model is: one object when nobody else is there.

A model is a handful of pure functions, in the manner of Porcupine. ``interpret`` turns an operation
of a history into an action, ``step`` applies an action to a state. Keys need no model: operations of
different keys are different objects, and linearizability is local (Herlihy & Wing 1990, theorem 1),
so that each key is judged by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias

from history.history import FAIL

State: TypeAlias = Any
"""Of a model's own kind; hashable."""

Collapse: TypeAlias = Callable[[State], State]

MISMATCH, EMPTY, HELD = "mismatch", "empty", "held"
"""Errors of a failed cas, dequeue and try-acquire that say what the object was like."""


class Mark(Enum):
    """Values that no history holds: the result nobody learnt, the state nobody can see again."""

    UNKNOWN = "?"
    ILLEGAL = "illegal"
    UNSEEN = "a value that nobody observes"


UNKNOWN: Final = Mark.UNKNOWN
ILLEGAL: Final = Mark.ILLEGAL
UNSEEN: Final = Mark.UNSEEN


class Action(NamedTuple):
    """What an operation does: its function, its argument, and the result that it must give.

    ``result`` is ``UNKNOWN`` where the client never learnt it. All three are hashable.
    """

    f: str
    argument: Any = None
    result: Any = None


class Call(NamedTuple):
    """One operation as the models read it: outcome OK, FAIL or INFO, result from the completion."""

    f: str
    process: int
    argument: Any
    value: Any
    outcome: int
    error: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One sequential object.

    ``functions`` are the operations it has; ``interpret(call, initial)`` is the action of an operation,
    or None where it constrains nothing; ``step(state, action)`` is the next state, or ``ILLEGAL``;
    ``observation(action)`` says that the action never changes any state; ``revealing`` are the
    functions of which at least one must succeed for anything to be tested; ``describe(action)`` and
    ``show(state)`` are for messages;
    ``collapse(actions)`` maps every state that none of these actions can tell apart to one.
    """

    name: str
    functions: frozenset[str]
    initial: Any
    interpret: Callable[[Call, State], Action | None]
    step: Callable[[State, Action], State]
    observation: Callable[[Action], bool]
    revealing: frozenset[str]
    describe: Callable[[Action], str]
    show: Callable[[State], str]
    collapse: Callable[[Sequence[Action]], Collapse] | None = None


def refused(call: Call, *, error: str) -> bool:
    """Whether a failed operation was answered by the object itself, which then saw why: ``error``.

    Any other failure did nothing and saw nothing: that is what ``fail`` means, whatever its reason.
    """
    given = call.error[0] if isinstance(call.error, list | tuple) and call.error else call.error
    return call.outcome == FAIL and str(given).lstrip(":") == error


def cas_values(argument: Any) -> tuple[Any, Any]:
    """The expected and the new value of a cas; ValueError if these are not two."""
    if isinstance(argument, list | tuple) and len(argument) == 2:
        return argument[0], argument[1]
    raise ValueError(f"a cas takes [expected, new], not {argument!r}")
