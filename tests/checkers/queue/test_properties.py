"""The checkers on arrays against the same rules in loops, on histories of all sorts."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.queue.checker import queue
from checkers.queue.messages import messages
from checkers.queue.versions import versions
from history.history import History
from history.op import Op
from tests.checkers.queue.naive import anomalies

KEYS = ("p", "q")
TYPES = ("ok", "ok", "ok", "info", "fail")
LEAST_SHIFT = 2**55


def drawn(rng: random.Random) -> History:
    """A run of a log that is mostly right: sends get the next offset, polls read it, with slips."""
    return History.from_ops(_numbered(_events(rng)))


def _numbered(events: Iterable[tuple[int, str, str, Any]]) -> list[Op]:
    return [
        Op(index, index, process, type_, f, value=value)  # type: ignore[arg-type]  # drawn, not written
        for index, (process, type_, f, value) in enumerate(events)
    ]


def _events(rng: random.Random) -> list[tuple[int, str, str, Any]]:
    log: dict[str, list[int]] = {key: [] for key in KEYS}
    events: list[tuple[int, str, str, Any]] = []
    open_: dict[int, tuple[int, str, str, Any]] = {}
    process_of = dict(enumerate(range(3)))
    value = 0
    slips = rng.choice([0, 0, 0.1, 0.4])
    for _ in range(rng.randint(2, 40)):
        if rng.random() < slips / 4:
            del log[rng.choice(KEYS)][-1:]
        thread = rng.randrange(3)
        process = process_of[thread]
        if thread in open_:
            _, type_, f, result = open_.pop(thread)
            events.append((process, type_, f, result))
            if type_ == "info":
                process_of[thread] += 3
            continue
        f = rng.choice(["send", "send", "send", "poll", "poll", "poll", "assign", "drain"])
        type_ = rng.choice(TYPES)
        key = rng.choice(KEYS)
        argument: Any = None
        if f == "send":
            result = []
            for _ in range(rng.choice([1, 1, 2])):
                value += 1
                result.append(_one_send(rng, log, key, value, type_, slips))
        elif f == "assign":
            argument = result = rng.sample(KEYS, rng.randint(0, 2))
        else:
            result = _one_poll(rng, log, key, f, slips)
        events.append((process, "invoke", f, argument))
        open_[thread] = (process, type_, f, result)
    return events


def _one_send(
    rng: random.Random, log: dict[str, list[int]], key: str, value: int, type_: str, slips: float
) -> list[Any]:
    if type_ == "fail" and rng.random() >= slips:
        return ["send", key, value]
    log[key].append(value)
    if type_ == "info":
        return ["send", key, value]
    at = len(log[key]) - 1 if rng.random() >= slips else rng.randrange(4)
    if type_ == "fail":
        return ["send", key, value]
    return ["send", key, [at, value]]


def _one_poll(
    rng: random.Random, log: dict[str, list[int]], key: str, f: str, slips: float
) -> list[Any]:
    begin = 0 if f == "drain" else rng.randint(0, len(log[key]))
    end = len(log[key]) if f == "drain" else rng.randint(begin, len(log[key]))
    pairs = [[at, log[key][at]] for at in range(begin, end) if rng.random() >= slips / 2]
    if pairs and rng.random() < slips:
        rng.shuffle(pairs)
    if pairs and rng.random() < slips / 2:
        pairs[0] = [rng.randrange(5), pairs[0][1]]
    if f == "drain":
        return [["position", {key: 0}], ["poll", {key: pairs}], ["end", {key: end}]]
    return [["poll", {key: pairs}]]


def judged(history: History) -> set[str]:
    verdict = queue()(history, {})
    assert all("Error" not in (part.reason or "") for part in verdict.parts), verdict.reason
    return {name for part in verdict.parts for name in part.counts["anomaly-count"]}


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32))
def test_arrays_and_loops_find_the_same(seed: int) -> None:
    history = drawn(random.Random(seed))
    assert judged(history) == anomalies(history)


def test_they_find_the_same_in_many_histories_and_every_anomaly_occurs() -> None:
    found: set[str] = set()
    for seed in range(700):
        history = drawn(random.Random(seed))
        names = anomalies(history)
        assert judged(history) == names, seed
        found |= names
    assert found == {
        "G1a",
        "duplicate",
        "inconsistent-offsets",
        "int-nonmonotonic-poll",
        "int-nonmonotonic-send",
        "int-poll-skip",
        "lost-write",
        "nonmonotonic-poll",
        "nonmonotonic-send",
        "poll-skip",
        "read-then-gone",
        "send-inversion",
        "unseen",
    }


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 2**40))
def test_only_the_order_of_offsets_counts(seed: int, factor: int) -> None:
    history = drawn(random.Random(seed))
    assert judged(_stretched(history, factor)) == judged(history)


def _stretched(history: History, factor: int) -> History:
    """Every offset times ``factor`` plus something large: sparse, and in the same order."""

    def far(at: Any) -> Any:
        return at * factor + LEAST_SHIFT if isinstance(at, int) else at

    def step(one: Any) -> Any:
        match one:
            case ["send", key, [at, value]]:
                return ["send", key, [far(at), value]]
            case ["poll", found]:
                return ["poll", {k: [[far(a), v] for a, v in pairs] for k, pairs in found.items()}]
            case ["end", found]:
                return ["end", {key: far(at) for key, at in found.items()}]
        return one

    ops = [
        Op(op.index, op.time, op.process, op.type, op.f, value=[step(one) for one in op.value or ()])
        for op in history
    ]
    return History.from_ops(ops)


def test_every_rank_is_the_place_of_an_offset_among_those_known() -> None:
    history = drawn(random.Random(7))
    every = messages(history)
    order = versions(every)
    for key in range(len(every.keys)):
        known = order.offset[order.key == key].tolist()
        assert known == sorted(set(known))
        for place, offset in enumerate(known):
            assert order.rank(key, offset) - order.rank(key, known[0]) == place
