"""The sequential models that the command line knows: registers, keys, locks, queues.

A failed operation did nothing and saw nothing, unless its error says what the object was like:
``mismatch`` of a cas, ``empty`` of a dequeue, ``held`` of a try-acquire.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from checkers.model import (
    EMPTY,
    HELD,
    ILLEGAL,
    MISMATCH,
    UNKNOWN,
    UNSEEN,
    Action,
    Call,
    Collapse,
    Model,
    State,
    cas_values,
    refused,
)
from history.history import FAIL, INFO, OK, hashable

__all__ = [
    "CAS_REGISTER",
    "FIFO_QUEUE",
    "KV",
    "MODELS",
    "MUTEX",
    "OWNER_MUTEX",
    "REGISTER",
    "Model",
]


def _register_action(call: Call, initial: State) -> Action | None:
    if call.f == "read":
        return Action("read", None, _named(call.value, initial)) if call.outcome == OK else None
    if call.f == "write":
        return None if call.outcome == FAIL else Action("write", _named(call.argument, initial))
    if call.outcome == FAIL and not refused(call, error=MISMATCH):
        return None
    expected, new = (_named(value, initial) for value in cas_values(call.argument))
    return Action("cas", (expected, new), {OK: True, FAIL: False, INFO: UNKNOWN}[call.outcome])


def _named(value: Any, initial: State) -> Any:
    """None is another name of the initial value: that of an object that is not there yet."""
    return initial if value is None else hashable(value)


def _register_step(state: State, action: Action) -> State:
    if action.f == "write":
        return action.argument
    if action.f == "read":
        return state if state == action.result else ILLEGAL
    expected, new = action.argument
    if action.result is UNKNOWN:
        return new if state == expected else state
    if (state == expected) is not action.result:
        return ILLEGAL
    return new if action.result else state


def _register_observation(action: Action) -> bool:
    return action.f == "read" or (action.f == "cas" and action.result is False)


def _register_collapse(actions: Sequence[Action]) -> Collapse:
    seen = {a.result for a in actions if a.f == "read"}
    seen.update(a.argument[0] for a in actions if a.f == "cas")
    return lambda state: state if state in seen else UNSEEN


def _register_text(action: Action) -> str:
    if action.f == "read":
        return f"read of {action.result!r}"
    if action.f == "write":
        return f"write of {action.argument!r}"
    expected, new = action.argument
    verb = {True: "cas", False: "failed cas", UNKNOWN: "cas of unknown outcome"}[action.result]
    return f"{verb} from {expected!r} to {new!r}"


def _kv_action(call: Call, initial: State) -> Action | None:
    if call.f == "get":
        return Action("get", None, _named(call.value, initial)) if call.outcome == OK else None
    return None if call.outcome == FAIL else Action(call.f, hashable(call.argument))


def _kv_step(state: State, action: Action) -> State:
    if action.f == "put":
        return action.argument
    if action.f == "get":
        return state if state == action.result else ILLEGAL
    if state is UNSEEN or state is None:
        return UNSEEN if state is UNSEEN else action.argument
    return state + action.argument


def _kv_collapse(actions: Sequence[Action]) -> Collapse:
    """A value that is a prefix of no value read can only be overwritten: all such are one."""
    reads = {a.result for a in actions if a.f == "get"}
    texts = sorted(value for value in reads if isinstance(value, str))

    def collapse(state: State) -> State:
        if not isinstance(state, str):
            return state
        place = bisect_left(texts, state)
        return state if place < len(texts) and texts[place].startswith(state) else UNSEEN

    return collapse


def _kv_text(action: Action) -> str:
    value = action.result if action.f == "get" else action.argument
    return f"{action.f} of {_short(value)}"


def _mutex_action(call: Call, initial: State) -> Action | None:
    return None if call.outcome == FAIL else Action(call.f)


def _mutex_step(state: State, action: Action) -> State:
    acquires = action.f == "acquire"
    return ILLEGAL if state is acquires else acquires


def _owned_action(call: Call, initial: State) -> Action | None:
    if call.outcome == FAIL:
        denied = call.f == "try-acquire" and refused(call, error=HELD)
        return Action("denied", call.process) if denied else None
    return Action(call.f.removeprefix("try-"), call.process)


def _owned_step(state: State, action: Action) -> State:
    if action.f == "denied":
        return ILLEGAL if state is None else state
    if action.f == "acquire":
        return action.argument if state is None else ILLEGAL
    return None if state == action.argument else ILLEGAL


def _owned_text(action: Action) -> str:
    what = "try-acquire that found it held" if action.f == "denied" else action.f
    return f"{what} by {action.argument}"


def _fifo_action(call: Call, initial: State) -> Action | None:
    if call.f == "enqueue":
        return None if call.outcome == FAIL else Action("enqueue", hashable(call.argument))
    if call.outcome == FAIL:
        return Action("dequeue") if refused(call, error=EMPTY) else None
    return Action("dequeue", None, UNKNOWN if call.outcome == INFO else hashable(call.value))


def _fifo_step(state: State, action: Action) -> State:
    assert isinstance(state, tuple)
    if action.f == "enqueue":
        return (*state, action.argument)
    if action.result is UNKNOWN:
        return state[1:]
    if action.result is None:
        return ILLEGAL if state else state
    return state[1:] if state and state[0] == action.result else ILLEGAL


def _fifo_observation(action: Action) -> bool:
    return action.f == "dequeue" and action.result is None


def _fifo_text(action: Action) -> str:
    if action.f == "enqueue":
        return f"enqueue of {action.argument!r}"
    return "dequeue that found it empty" if action.result is None else f"dequeue of {action.result!r}"


def _short(value: Any, limit: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit // 2]}...{text[-limit // 2 :]}"


CAS_REGISTER = Model(
    name="cas-register",
    functions=frozenset({"read", "write", "cas"}),
    initial=None,
    interpret=_register_action,
    step=_register_step,
    observation=_register_observation,
    revealing=frozenset({"read", "cas"}),
    describe=_register_text,
    show=lambda state: f"the register holds {_short(state)}",
    collapse=_register_collapse,
)
REGISTER = Model(
    name="register",
    functions=frozenset({"read", "write"}),
    initial=None,
    interpret=_register_action,
    step=_register_step,
    observation=_register_observation,
    revealing=frozenset({"read"}),
    describe=_register_text,
    show=lambda state: f"the register holds {_short(state)}",
    collapse=_register_collapse,
)
KV = Model(
    name="kv",
    functions=frozenset({"get", "put", "append"}),
    initial="",
    interpret=_kv_action,
    step=_kv_step,
    observation=lambda action: action.f == "get",
    revealing=frozenset({"get"}),
    describe=_kv_text,
    show=lambda state: f"the key holds {_short(state)}",
    collapse=_kv_collapse,
)
MUTEX = Model(
    name="mutex",
    functions=frozenset({"acquire", "release"}),
    initial=False,
    interpret=_mutex_action,
    step=_mutex_step,
    observation=lambda action: False,
    revealing=frozenset({"acquire"}),
    describe=lambda action: action.f,
    show=lambda state: "the mutex is held" if state else "the mutex is free",
)
OWNER_MUTEX = Model(
    name="owner-mutex",
    functions=frozenset({"acquire", "try-acquire", "release"}),
    initial=None,
    interpret=_owned_action,
    step=_owned_step,
    observation=lambda action: action.f == "denied",
    revealing=frozenset({"acquire", "try-acquire"}),
    describe=_owned_text,
    show=lambda state: "the mutex is free" if state is None else f"the mutex is held by {state}",
)
FIFO_QUEUE = Model(
    name="fifo-queue",
    functions=frozenset({"enqueue", "dequeue"}),
    initial=(),
    interpret=_fifo_action,
    step=_fifo_step,
    observation=_fifo_observation,
    revealing=frozenset({"dequeue"}),
    describe=_fifo_text,
    show=lambda state: f"the queue holds {_short(state)}",
)

MODELS: Mapping[str, Model] = MappingProxyType(
    {model.name: model for model in (CAS_REGISTER, REGISTER, KV, MUTEX, OWNER_MUTEX, FIFO_QUEUE)}
)
"""The models by the names under which the command line knows them."""
