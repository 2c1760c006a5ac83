"""Brute force: try every order. Written apart from the library, so that both can't be wrong alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from checkers.model import Action, Call
from checkers.models import CAS_REGISTER
from history.history import FAIL, OK, History
from history.op import Op

NOT_KNOWN = "result not known"
ASKING = ("read", "get", "dequeue", "increment")
SEEN = {"cas": "mismatch", "try-acquire": "held"}
Spec = Callable[[Any, str, Any, Any], tuple[bool, Any]]


@dataclass(frozen=True)
class Done:
    """An operation with its true times; when it crashed ``ret`` is None and ``result`` NOT_KNOWN."""

    f: str
    argument: Any
    result: Any
    call: int
    ret: int | None
    process: int = 0
    type: str = "ok"


def linearizable(spec: Spec, initial: Any, ops: Sequence[Done]) -> bool:
    """Whether some order of ``ops`` (crashed ones optional) respects real time and ``spec``."""
    if all(op.ret is None for op in ops):
        return True
    deadline = min(op.ret for op in ops if op.ret is not None)
    for place, op in enumerate(ops):
        if op.call > deadline:
            continue
        allowed, state = spec(initial, op.f, op.argument, op.result)
        if allowed and linearizable(spec, state, [*ops[:place], *ops[place + 1 :]]):
            return True
    return False


def register(state: Any, f: str, argument: Any, result: Any) -> tuple[bool, Any]:
    if f == "write":
        return True, argument
    if f == "read":
        return result in (NOT_KNOWN, state), state
    expected, new = argument
    happens = state == expected
    return result in (NOT_KNOWN, happens), new if happens else state


def versioned(state: Any, f: str, argument: Any, result: Any) -> tuple[bool, Any]:
    """State is (value, version or None, highest version before), ``result`` (result, version or None).

    A pending write gets a version that is known only when somebody saw it.
    """
    value, version, low = state
    known, told = result if isinstance(result, tuple) else (result, None)
    allowed, after = register(value, f, argument, known)
    if f == "read" or known is False:
        if told is None:
            return allowed, state
        fits = told == version or (version is None and told > low)
        return allowed and fits, (value, told, told)
    if f == "cas" and known == NOT_KNOWN and value != argument[0]:
        return allowed, state
    if told is None:
        return allowed, (after, None, low)
    return allowed and told > low, (after, told, told)


def append(state: Any, f: str, argument: Any, result: Any) -> tuple[bool, Any]:
    if f == "get":
        return result in (NOT_KNOWN, state), state
    return True, argument if f == "put" else state + argument


def mutex(state: Any, f: str, argument: Any, result: Any) -> tuple[bool, Any]:
    if f == "try-acquire":
        return state is not None, state
    return (state is None, "held") if f == "acquire" else (state is not None, None)


def owned(state: Any, f: str, argument: Any, result: Any) -> tuple[bool, Any]:
    """``argument`` is the owner; state is None or the holder."""
    if f == "try-acquire":
        return state is not None, state
    return (state is None, argument) if f == "acquire" else (state == argument, None)


def reentrant(state: Any, f: str, argument: Any, result: Any) -> tuple[bool, Any]:
    """State is (holder, depth)."""
    holder, depth = state
    if f == "acquire":
        return holder in (None, argument), (argument, depth + 1)
    return holder == argument and depth > 0, (argument if depth > 1 else None, depth - 1)


def fifo(state: Any, f: str, argument: Any, result: Any) -> tuple[bool, Any]:
    if f == "enqueue":
        return True, (*state, argument)
    if result == NOT_KNOWN:
        return True, state[1:]
    if result is None:
        return not state, state
    return bool(state) and state[0] == result, state[1:]


def counter(state: Any, f: str, argument: Any, result: Any) -> tuple[bool, Any]:
    if f == "increment":
        return result in (NOT_KNOWN, state + 1), state + 1
    return result in (NOT_KNOWN, state), state


def times(rng: random.Random, count: int, *, crashes: float = 0.2, processes: int = 4) -> list[Any]:
    """(process, call, ret) of ``count`` operations, ret None for a crash; stamps are unique."""
    idle, busy, calls, spans, clock = list(range(processes)), {}, 0, [], 0
    fresh = processes
    while calls < count or busy:
        if calls < count and idle and (not busy or rng.random() < 0.5):
            process = idle.pop(rng.randrange(len(idle)))
            busy[process] = clock
            calls += 1
        else:
            process = rng.choice(list(busy))
            crashed = rng.random() < crashes
            spans.append((process, busy.pop(process), None if crashed else clock))
            idle.append(fresh if crashed else process)
            fresh += crashed
        clock += 1
    return sorted(spans, key=lambda span: span[1])


def history(ops: Sequence[Done]) -> History:
    """The recorded history of ``ops``: what crashed has no completion."""
    return keyed_history([ops], keys=[None])


def keyed_history(parts: Sequence[Sequence[Done]], keys: Sequence[Any] = "xyz") -> History:
    """One history of several objects, each with processes of its own."""
    events = []
    for place, (key, ops) in enumerate(zip(keys, parts, strict=False)):
        for op in ops:
            process = op.process + 1000 * place
            events.append((op.call, Op(-1, op.call, process, "invoke", op.f, key, op.argument)))
            if op.ret is not None:
                value = op.result if op.f in ASKING else op.argument
                error = SEEN.get(op.f) if op.type == "fail" else None
                events.append((op.ret, Op(-1, op.ret, process, op.type, op.f, key, value, error)))
    return History.from_ops(event for _, event in sorted(events, key=lambda one: one[0]))


def random_register(
    rng: random.Random, count: int, *, values: int = 3, unique: bool = False
) -> list[Done]:
    """A register history near to a true one: executed in some order, then sometimes falsified."""
    spans = times(rng, count)
    moments = sorted(range(count), key=lambda i: _moment(rng, spans[i]))
    state: Any = 0
    done: dict[int, Done] = {}
    written = iter(range(1, count + 1))
    for i in moments:
        process, call, ret = spans[i]
        f = rng.choice(["read", "write", "cas"])
        argument: Any = None
        if f != "read":
            argument = next(written) if unique else rng.randrange(values)
        if f == "cas":
            expected = state if rng.random() < 0.6 else rng.randrange(count if unique else values)
            argument = [expected, argument]
        crashed = ret is None
        result: Any = {"read": state, "write": NOT_KNOWN, "cas": f == "cas" and state == argument[0]}[f]
        if not (crashed and rng.random() < 0.5):
            state = register(state, f, argument, NOT_KNOWN)[1]
        if f == "read" and rng.random() < 0.15:
            result = rng.randrange(count if unique else values)
        kind = "fail" if f == "cas" and result is False else "ok"
        done[i] = Done(f, argument, NOT_KNOWN if crashed else result, call, ret, process, kind)
    return [done[i] for i in range(count)]


def true_register(rng: random.Random, count: int) -> list[Done]:
    """A linearizable history of unique values with many failed cas; nothing crashes."""
    spans = times(rng, count, crashes=0.0)
    done: dict[int, Done] = {}
    values: list[Any] = [0]
    for _, i in sorted((rng.uniform(call, ret), i) for i, (_, call, ret) in enumerate(spans)):
        process, call, ret = spans[i]
        f = rng.choice(["read", "write", "cas"])
        if f == "read":
            done[i] = Done(f, None, values[-1], call, ret, process)
            continue
        expected = rng.choice(values[-3:])
        succeeds = f == "write" or expected == values[-1]
        argument: Any = i + 1 if f == "write" else [expected, i + 1]
        done[i] = Done(f, argument, succeeds, call, ret, process, "ok" if succeeds else "fail")
        values += [i + 1] * succeeds
    return [done[i] for i in range(count)]


def random_versioned(rng: random.Random, count: int) -> list[Done]:
    """A register history with versions, near to a true one; ``result`` is (result, version)."""
    spans = times(rng, count)
    value: Any = 0
    version = 0
    done: dict[int, Done] = {}
    for i in sorted(range(count), key=lambda i: _moment(rng, spans[i])):
        process, call, ret = spans[i]
        f = rng.choice(["read", "write", "cas"])
        argument: Any = {"read": None, "write": rng.randrange(3), "cas": [value, rng.randrange(3)]}[f]
        if f == "cas" and rng.random() < 0.4:
            argument[0] = rng.randrange(3)
        result: Any = {"read": value, "write": NOT_KNOWN, "cas": f == "cas" and value == argument[0]}[f]
        changes = f == "write" or result is True
        if changes and not (ret is None and rng.random() < 0.5):
            value = register(value, f, argument, NOT_KNOWN)[1]
            version += rng.randint(1, 3)
        told = version + (rng.choice([-1, 1]) if rng.random() < 0.05 else 0)
        if not (changes and ret is not None) and rng.random() < 0.3:
            told = None
        kind = "fail" if f == "cas" and result is False else "ok"
        seen = NOT_KNOWN if ret is None else (result, told)
        done[i] = Done(f, argument, seen, call, ret, process, kind)
    return [done[i] for i in range(count)]


def unversioned(ops: Sequence[Done]) -> tuple[list[Done], list[int | None]]:
    """The history as it is recorded, and the versions beside it."""
    versions = [op.result[1] if isinstance(op.result, tuple) else None for op in ops]
    plain = [replace(op, result=op.result[0]) if isinstance(op.result, tuple) else op for op in ops]
    return plain, versions


def random_fifo(rng: random.Random, count: int, *, empties: bool = True) -> list[Done]:
    """A queue history near to a true one; values are unique."""
    spans = times(rng, count)
    state: tuple[Any, ...] = ()
    done: dict[int, Done] = {}
    for i in sorted(range(count), key=lambda i: _moment(rng, spans[i])):
        process, call, ret = spans[i]
        f = rng.choice(["enqueue", "dequeue"])
        if f == "dequeue" and not state and not empties and ret is not None:
            f = "enqueue"
        crashed, argument = ret is None, i + 1 if f == "enqueue" else None
        result: Any = NOT_KNOWN if crashed or f == "enqueue" else (state[0] if state else None)
        if f == "dequeue" and not crashed and state and rng.random() < 0.1:
            result = rng.choice(state)
        if not (crashed and rng.random() < 0.5):
            state = fifo(state, f, argument, NOT_KNOWN)[1]
        done[i] = Done(f, argument, result, call, ret, process)
    return [done[i] for i in range(count)]


def random_lock(rng: random.Random, count: int, *, anonymous: bool = False) -> list[Done]:
    """A lock history near to a true one; ``argument`` is the owner."""
    spans = times(rng, count, processes=3)
    state: Any = None
    done: dict[int, Done] = {}
    for i in sorted(range(count), key=lambda i: _moment(rng, spans[i])):
        process, call, ret = spans[i]
        crashed = ret is None
        wanted = "acquire" if state is None else "release"
        f = wanted if rng.random() < 0.75 else rng.choice(["acquire", "release", "try-acquire"])
        spec, kind = mutex if anonymous else owned, "ok"
        allowed, after = spec(state, f, process, NOT_KNOWN)
        if f == "try-acquire" or (not allowed and rng.random() < 0.8):
            kind = "fail"
        elif allowed and not (crashed and rng.random() < 0.5):
            state = after
        done[i] = Done(f, process, NOT_KNOWN, call, ret, process, "ok" if crashed else kind)
    return [done[i] for i in range(count)]


def random_counter(rng: random.Random, count: int) -> list[Done]:
    """A counter history near to a true one."""
    spans = times(rng, count)
    state = 0
    done: dict[int, Done] = {}
    for i in sorted(range(count), key=lambda i: _moment(rng, spans[i])):
        process, call, ret = spans[i]
        f = rng.choice(["increment", "increment", "read"])
        if f == "increment" and not (ret is None and rng.random() < 0.5):
            state += 1
        result = state + (rng.choice([-1, 1]) if rng.random() < 0.05 else 0)
        done[i] = Done(f, None, NOT_KNOWN if ret is None else result, call, ret, process)
    return [done[i] for i in range(count)]


def random_mutex(rng: random.Random, count: int) -> list[Done]:
    """A history of a mutex that anyone may release."""
    return [op for op in random_lock(rng, count, anonymous=True) if op.f != "try-acquire"]


def random_kv(rng: random.Random, count: int) -> list[Done]:
    """A history of one key with put, append and get near to a true one."""
    spans = times(rng, count)
    state = ""
    done: dict[int, Done] = {}
    for i in sorted(range(count), key=lambda i: _moment(rng, spans[i])):
        process, call, ret = spans[i]
        f = rng.choice(["get", "get", "append", "append", "put"])
        argument = None if f == "get" else rng.choice("ab")
        result: Any = state if f == "get" and ret is not None else NOT_KNOWN
        if f == "get" and ret is not None and rng.random() < 0.05:
            result = state + "a"
        if f != "get" and not (ret is None and rng.random() < 0.5):
            state = append(state, f, argument, NOT_KNOWN)[1]
        done[i] = Done(f, argument, result, call, ret, process)
    return [done[i] for i in range(count)]


def start(initial: Any) -> Any:
    """The initial state in the oracle's terms: a free lock is None."""
    return None if initial is False else initial


def that_happened(ops: Sequence[Done]) -> list[Done]:
    """Without the locks' failures, and with a crashed try-acquire as the acquire that it may be."""
    kept = []
    for op in ops:
        if op.f == "try-acquire" and op.ret is None:
            kept.append(replace(op, f="acquire"))
        elif op.type != "fail" or op.f in ("try-acquire", "cas"):
            kept.append(op)
    return kept


def until(ops: Sequence[Done], moment: int) -> list[Done]:
    """The history up to ``moment``: what has not returned by then is pending."""
    return [
        op if op.ret is not None and op.ret <= moment else replace(op, ret=None, result=NOT_KNOWN)
        for op in ops
        if op.call <= moment
    ]


def with_writers(ops: Sequence[Done], rows: Sequence[int]) -> list[Done]:
    """The operations at ``rows`` and, over and over, the writers of the values that they observed.

    Pending ones among them did happen, or else they would not have been seen.
    """
    chosen, todo = set(rows), list(rows)
    writers = {}
    for row, op in enumerate(ops):
        if op.f != "read":
            writers[op.argument if op.f == "write" else op.argument[1]] = row
    while todo:
        op = ops[todo.pop()]
        seen = op.result if op.f == "read" else op.argument[0] if op.f == "cas" else None
        row = writers.get(seen)
        if row is not None and row not in chosen:
            chosen.add(row)
            todo.append(row)
    late = {"ret": 1000, "result": True}
    return [replace(ops[row], **late) if ops[row].ret is None else ops[row] for row in sorted(chosen)]


def respects_real_time(order: Sequence[Done]) -> bool:
    return not any(
        later.ret is not None and later.ret < earlier.call
        for place, earlier in enumerate(order)
        for later in order[place + 1 :]
    )


def as_if_it_succeeded(call: Call, initial: Any) -> Action | None:
    """A bug: a failed cas taken for a successful one."""
    outcome = OK if call.outcome == FAIL else call.outcome
    return CAS_REGISTER.interpret(call._replace(outcome=outcome), initial)


def _moment(rng: random.Random, span: tuple[int, int, int | None]) -> float:
    _, call, ret = span
    slip = rng.choice([0, 0, 5])
    return rng.uniform(call, call + 8 if ret is None else ret) + rng.uniform(-slip, slip)
