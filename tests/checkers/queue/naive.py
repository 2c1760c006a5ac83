"""Jepsen's rules once more, with nothing but loops over dictionaries: slow, and easy to read."""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from typing import Any

from history.history import History
from history.op import Op


def anomalies(history: History) -> set[str]:
    """Names of all anomalies of a history of sends, polls, assigns and drains, with acks=all."""
    done = [(call, ret) for call, ret in _operations(history) if ret is not None]
    log = _log(done)
    order = {key: sorted(log[key]) for key in log}
    rank = {(key, at): place for key in order for place, at in enumerate(order[key])}
    found = set()
    found |= {"inconsistent-offsets" for key in log for at in log[key] if len(log[key][at]) > 1}
    places = defaultdict(set)
    for key, at in rank:
        for value in log[key][at]:
            places[key, value].add(rank[key, at])
    found |= {"duplicate" for ranks in places.values() if len(ranks) > 1}
    found |= _aborted(done) | _lost(done, places) | _gone(done)
    found |= _polls(done, order, rank) | _sends(done, rank, places)
    return found


def _operations(history: History) -> list[tuple[Op, Op | None]]:
    open_: dict[Any, int] = {}
    found: list[tuple[Op, Op | None]] = []
    for op in history:
        if op.type == "invoke":
            open_[op.process] = len(found)
            found.append((op, None))
        else:
            found[open_[op.process]] = (found[open_[op.process]][0], op)
    return found


Done = list[tuple[Op, Op]]


def _steps(op: Op, name: str) -> list[Any]:
    return [step for step in op.value or () if isinstance(step, list) and step[0] == name]


def _sent(op: Op) -> list[tuple[Any, int | None, Any]]:
    return [
        (step[1], *(step[2] if isinstance(step[2], list) else (None, step[2])))
        for step in _steps(op, "send")
    ]


def _polled(op: Op) -> list[tuple[Any, int, Any]]:
    return [
        (key, at, value)
        for step in _steps(op, "poll")
        for key, pairs in step[1].items()
        for at, value in pairs
    ]


def _acked(op: Op) -> bool:
    return op.type == "ok"


def _log(done: Done) -> dict[Any, dict[int, set[Any]]]:
    log: dict[Any, dict[int, set[Any]]] = defaultdict(lambda: defaultdict(set))
    for _, op in done:
        told = [one for one in _sent(op) if one[1] is not None] if _acked(op) else []
        for key, at, value in [*told, *_polled(op)]:
            log[key][at].add(value)
    return log


def _read(done: Done) -> set[tuple[Any, Any]]:
    return {(key, v) for _, op in done if op.type == "ok" for key, _, v in _polled(op)}


def _aborted(done: Done) -> set[str]:
    failed = {(key, v) for _, op in done if op.type == "fail" for key, _, v in _sent(op)}
    other = {(key, v) for _, op in done if op.type != "fail" for key, _, v in _sent(op)}
    return {"G1a" for one in _read(done) if one in failed - other}


def _lost(done: Done, places: dict[Any, set[int]]) -> set[str]:
    read = _read(done)
    found = set()
    for _, op in done:
        for key, _, value in _sent(op) if _acked(op) else ():
            if (key, value) in read:
                continue
            bound = max((min(places[k, v]) for k, v in read if k == key), default=-1)
            below = bool(places[key, value]) and max(places[key, value]) <= bound
            ended = any(
                drain.index > op.index and any(key in step[1] for step in _steps(end, "end"))
                for drain, end in done
                if end.type == "ok"
            )
            found.add("lost-write" if below or ended else "unseen")
    return found


def _gone(done: Done) -> set[str]:
    drains: dict[Any, tuple[Op, Op]] = {}
    for call, op in done:
        for step in _steps(op, "end") if op.type == "ok" else ():
            for key in step[1]:
                drains[key] = (call, op)
    return {
        "read-then-gone"
        for key, (call, drain) in drains.items()
        for _, op in done
        if op.type == "ok" and op.index < call.index
        for k, at, _ in _polled(op)
        if k == key and (key, at) not in {(k, a) for k, a, _ in _polled(drain)}
    }


def _polls(done: Done, order: dict[Any, list[int]], rank: dict[Any, int]) -> set[str]:
    found = set()
    stands: dict[tuple[Any, Any], int | None] = {}
    for call, op in sorted(done, key=lambda pair: pair[0].index):
        if op.f == "assign" and op.type != "fail":
            for process, key in list(stands):
                if process == op.process and key not in (call.value or ()):
                    del stands[process, key]
        within: dict[Any, int] = {}
        for step in op.value or ():
            if step[0] == "position" and op.type != "fail":
                for key, at in step[1].items():
                    stands[op.process, key] = sum(one < at for one in order.get(key, ()))
                    within[key] = stands[op.process, key]
            for key, pairs in step[1].items() if step[0] == "poll" else ():
                for at, _ in pairs:
                    here = rank[key, at]
                    prefix = "int-" if key in within else ""
                    wanted = within.get(key, stands.get((op.process, key)))
                    if wanted is not None and here != wanted:
                        found.add(prefix + ("poll-skip" if here > wanted else "nonmonotonic-poll"))
                    within[key] = here + 1
        if op.type == "ok":
            stands |= {(op.process, key): here for key, here in within.items()}
    return found


def _sends(done: Done, rank: dict[Any, int], places: dict[Any, set[int]]) -> set[str]:
    sent = [
        (call, op, key, at, value)
        for call, op in sorted(done, key=lambda pair: pair[0].index)
        if op.type != "fail"
        for key, at, value in _sent(op)
        if (at is not None and _acked(op)) or places[key, value]
    ]
    found = set()
    for i, j in product(range(len(sent)), repeat=2):
        (_, one, key, at, value), (call, other, key2, at2, value2) = sent[i], sent[j]
        if key != key2 or i == j:
            continue
        low = rank[key, at] if at is not None and _acked(one) else min(places[key, value])
        high = rank[key, at2] if at2 is not None and _acked(other) else max(places[key, value2])
        if one.process == other.process and i < j and high <= low:
            between = any(s[1].process == one.process and s[2] == key for s in sent[i + 1 : j])
            if not between:
                found.add("int-nonmonotonic-send" if one is other else "nonmonotonic-send")
        acked = at is not None and at2 is not None and _acked(one) and _acked(other)
        if acked and one.index < call.index and high <= low:
            found.add("send-inversion")
    return found
