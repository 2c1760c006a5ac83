"""Linearizability of a history against a model: the nearest to linear decider that fits, else search.

Herlihy & Wing, "Linearizability" (1990). The general problem is NP-complete (Gibbons & Korach 1997),
but not where every written value is different or where the order of tenures is known: those are
decided on arrays. Each key is an object of its own. What is neither proven nor refuted within the
budget of steps is unknown, never valid.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from checkers import fifo, lock, register
from checkers.contradiction import UNDECIDED, Contradiction, Finding
from checkers.model import Model, State
from checkers.rows import actions, by_key, text
from checkers.search import MAX_STEPS, Found, search
from checkers.transitions import Configuration, Outcome, Problem
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import OK, PENDING, History, Operations, hashable

Decider: TypeAlias = Callable[[Operations, Any], Finding]

NAME = "linearizable"
ANOMALY = "nonlinearizable"
MAX_STATES_SHOWN = 4

DECIDERS: Mapping[str, Decider] = MappingProxyType(
    {
        "cas-register": register.decide,
        "register": register.decide,
        "mutex": lock.decide_anonymous,
        "owner-mutex": lock.decide_owned,
        "fifo-queue": fifo.decide,
    }
)
"""The decider of a model, by the model's name; the others are left to the search."""


def linearizable(*, model: Model, initial: Any = None, max_steps: int = MAX_STEPS) -> Checker:
    """A checker that the history, key by key, is linearizable against ``model``.

    ``initial`` is the value that every object starts with, the model's own if None. ``max_steps``
    bounds the search over all keys together. The checker raises ValueError for a history with a
    function that the model does not have.
    """
    start = model.initial if initial is None else hashable(initial)

    def check(history: History, options: Options) -> Verdict:
        operations = history.operations()
        _refuse_unknown_functions(model, operations)
        objects = by_key(operations)
        counts = {"operations": len(operations), "keys": len(objects)}
        undecided: dict[Hashable, Operations] = {}
        for key, part in objects.items():
            finding = _decide(model, part, start)
            if isinstance(finding, Contradiction):
                return _invalid(_contradicted(key, finding, part), counts)
            if finding is UNDECIDED:
                undecided[key] = part
        found = _search(model, undecided, start, max_steps)
        counts["searched"] = len(undecided)
        counts["steps"] = found.steps
        if found.legal is False:
            outcome = found.outcomes[found.key]
            return _invalid(_refuted(model, start, found.key, outcome, undecided[found.key]), counts)
        reason = _unfinished(found, max_steps) or _vacuous(model, operations)
        return Verdict(checker=NAME, valid="unknown" if reason else True, counts=counts, reason=reason)

    return check


def _decide(model: Model, operations: Operations, start: State) -> Finding:
    decider = DECIDERS.get(model.name)
    return UNDECIDED if decider is None else decider(operations, start)


def _search(model: Model, objects: Mapping[Hashable, Operations], start: State, max_steps: int) -> Found:
    problems = {key: Problem(model, start, actions(model, part, start)) for key, part in objects.items()}
    return search(problems, max_steps=max_steps)


def _refuse_unknown_functions(model: Model, operations: Operations) -> None:
    for code, name in enumerate(operations.fs):
        if name not in model.functions and (operations.f == code).any():
            row = int(np.argmax(operations.f == code))
            raise ValueError(
                f"model {model.name} has {', '.join(sorted(model.functions))}, but event"
                f" {operations.index[row]} is a {name}: choose the model that has it"
            )


def _vacuous(model: Model, operations: Operations) -> str | None:
    if not len(operations):
        return "the history has no operation of a client"
    if not operations.where(*model.revealing, outcome=OK).size:
        return f"no {' or '.join(sorted(model.revealing))} returned ok: nothing was observed"
    return None


def _unfinished(found: Found, max_steps: int) -> str | None:
    if found.legal is not None:
        return None
    where = "" if found.key is None else f" on key {found.key!r}"
    return f"the search{where} used up its {max_steps} steps without a verdict: raise max_steps"


def _invalid(anomaly: Anomaly, counts: Mapping[str, Any]) -> Verdict:
    return Verdict(checker=NAME, valid=False, anomalies=(anomaly,), counts=counts)


def _contradicted(key: Hashable, finding: Contradiction, operations: Operations) -> Anomaly:
    return Anomaly(
        name=ANOMALY,
        message=_on_key(key) + finding.message,
        ops=_events(operations, finding.rows),
        details={} if key is None else {"key": key},
    )


def _refuted(
    model: Model, start: State, key: Hashable, outcome: Outcome, operations: Operations
) -> Anomaly:
    """The anomaly of a search: the operation that broke it, after what set the states it met."""
    by_row = {operation.row: operation.action for operation in actions(model, operations, start)}
    assert outcome.culprit is not None
    culprit = outcome.culprit
    states = dict.fromkeys(model.show(end.state) for end in outcome.configurations)
    shown = " or ".join(list(states)[:MAX_STATES_SHOWN]) + " or ..." * (len(states) > MAX_STATES_SHOWN)
    setters = dict.fromkeys(
        end.order[-1] for end in _changed(model, outcome.configurations, by_row) if end.order
    )
    return Anomaly(
        name=ANOMALY,
        message=f"{_on_key(key)}{text(model, operations, culprit)} cannot be linearized: {shown}",
        ops=_events(operations, (*list(setters)[:MAX_STATES_SHOWN], culprit)),
        details={
            **({} if key is None else {"key": key}),
            "linearizable_prefix": _events(operations, outcome.order),
            "configurations": tuple(
                {"state": model.show(end.state), "last": _events(operations, end.order[-1:])}
                for end in outcome.configurations
            ),
        },
    )


def _changed(
    model: Model, ends: Sequence[Configuration], by_row: Mapping[int, Any]
) -> list[Configuration]:
    """Each configuration cut behind the last operation that may have changed the state."""
    cut = []
    for end in ends:
        order = list(end.order)
        while order and model.observation(by_row[order[-1]]):
            order.pop()
        cut.append(Configuration(end.state, tuple(order)))
    return cut


def _events(operations: Operations, rows: Sequence[int]) -> tuple[int, ...]:
    """The index of each operation's completion, of its invocation where it never returned."""
    return tuple(
        int(operations.index[row] if operations.ret[row] == PENDING else operations.ret_index[row])
        for row in rows
    )


def _on_key(key: Hashable) -> str:
    return "" if key is None else f"key {key!r}: "
