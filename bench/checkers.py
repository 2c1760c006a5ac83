"""How long the deciders take on a million operations, and the search on the etcd histories."""

from __future__ import annotations

import csv
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from checkers import counter, fifo, known_order, register
from checkers.contradiction import HOLDS
from checkers.linearizable import linearizable
from checkers.models import CAS_REGISTER
from history import formats
from history.history import FAIL, OK, Operations

OPERATIONS = 1_000_000
SPREAD = 10.0
"""How many operations later or earlier a call or a return may be: about ten are open at any time."""


def order(operations: int = OPERATIONS) -> dict[str, Any]:
    """Monotone ids: is any smaller than one that was handed out before?"""
    call, ret = _stamps(operations)
    value = np.arange(operations) * 3
    return _timed("checking order of ids", 1.0, lambda: counter.inversion(value, call, ret) is None)


def versions(operations: int = OPERATIONS) -> dict[str, Any]:
    """Half mutators in a known order, half observers of one version each."""
    call, ret = _stamps(operations)
    writes = np.arange(operations) % 2 == 0
    seen = known_order.exactly(np.arange(1, operations // 2 + 1))
    columns = (call[writes], ret[writes], call[~writes], ret[~writes])
    return _timed("checking a known order", 1.0, lambda: known_order.misfit(*columns, seen) is None)


def unique_register(operations: int = OPERATIONS) -> dict[str, Any]:
    """Reads, writes and successful cas of different values."""
    history = _register(operations, failed=False)
    return _timed("checking a register with cas", 2.0, lambda: register.decide(history, 0) is HOLDS)


def unique_register_with_failures(operations: int = OPERATIONS) -> dict[str, Any]:
    """The same with failed cas, a seventh of all operations."""
    history = _register(operations, failed=True)
    return _timed(
        "checking a register with failed cas", 2.0, lambda: register.decide(history, 0) is HOLDS
    )


def queue(values: int = OPERATIONS // 2) -> dict[str, Any]:
    """Values put into a queue and taken out in order, a hundred behind."""
    rows = sorted([(i, 0, i) for i in range(values)] + [(i + 100, 1, i) for i in range(values)])
    f, value = [one for _, one, _ in rows], [one for _, _, one in rows]
    history = _operations(("enqueue", "dequeue"), f, value, value, [OK] * len(f))
    return _timed("checking a queue", 2.0, lambda: fifo.decide(history) is HOLDS)


def etcd() -> list[dict[str, Any]]:
    """All published etcd histories, parsing aside; nothing where there are none."""
    if not _table().is_file():
        return []
    with _table().open(newline="") as table:
        files = [row["file"] for row in csv.DictReader(table) if row["file"].startswith("etcd")]
    histories = [formats.read(_table().parent / file) for file in files]
    for history in histories:
        history.operations()
    check = linearizable(model=CAS_REGISTER)
    figure = _timed(
        f"{len(histories)} etcd histories",
        0.1,
        lambda: all(check(history, {}).valid != "unknown" for history in histories),
    )
    return [figure]


def _timed(name: str, target_s: float, decide: Callable[[], bool]) -> dict[str, Any]:
    start = time.process_time()
    right = decide()
    seconds = time.process_time() - start
    assert right, f"{name}: the verdict is wrong"
    return {
        "name": name,
        "seconds": round(seconds, 3),
        "target_s": target_s,
        "ratio": round(target_s / seconds, 2),
    }


def _table() -> Path:
    root = Path(__file__).parents[1]
    return root / os.environ.get("WINDTUNNEL_HISTORIES", "../shared/histories") / "verdicts.csv"


def _stamps(operations: int) -> tuple[np.ndarray, np.ndarray]:
    """Calls and returns as positions, such that the order of the operations is a linearization."""
    random_ = np.random.default_rng(1)
    moment = np.arange(operations)
    call = moment - random_.uniform(0, SPREAD / 2, operations)
    ret = moment + random_.uniform(0, SPREAD / 2, operations)
    place = np.empty(2 * operations, dtype=np.int64)
    place[np.argsort(np.concatenate((call, ret)))] = np.arange(2 * operations)
    return place[:operations], place[operations:]


def _register(operations: int, *, failed: bool) -> Operations:
    """Half reads, a third writes; the others cas, of which with ``failed`` most come too late."""
    rng = random.Random(1)
    f: list[int] = []
    argument: list[Any] = []
    value: list[Any] = []
    outcome: list[int] = []
    states = [0]
    for i in range(1, operations + 1):
        kind = rng.random()
        f.append(0 if kind < 0.5 else 1 if kind < 0.8 else 2)
        expected = rng.choice(states[-4:]) if failed else states[-1]
        argument.append((None, i, [expected, i])[f[-1]])
        value.append(states[-1] if f[-1] == 0 else argument[-1])
        outcome.append(FAIL if f[-1] == 2 and expected != states[-1] else OK)
        if f[-1] and outcome[-1] == OK:
            states.append(i)
    return _operations(("read", "write", "cas"), f, argument, value, outcome)


def _operations(
    fs: tuple[str, ...], f: list[int], argument: list[Any], value: list[Any], outcome: list[int]
) -> Operations:
    call, ret = _stamps(len(f))
    order_ = np.argsort(call)
    rows = order_.tolist()
    nothing = [None] * len(f)
    return Operations(
        call=call[order_],
        ret=ret[order_],
        call_time=call[order_],
        ret_time=ret[order_],
        outcome=np.array(outcome, dtype=np.int8)[order_],
        process=np.arange(len(f)),
        f=np.array(f, dtype=np.int32)[order_],
        fs=fs,
        key=nothing,
        argument=[argument[row] for row in rows],
        value=[value[row] for row in rows],
        error=["mismatch" if outcome[row] == FAIL else None for row in rows],
        node=nothing,
        index=call[order_],
        ret_index=ret[order_],
    )
