"""Sequential znodes: suffixes never repeat, and follow the order in which the znodes were made.

A pair is made in one multi, so that both of it are there, or neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from checkers.accesses import hexed
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import FAIL, INFO, OK, History, Operations

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _Made:
    suffix: int
    czxid: int
    name: str
    index: int
    call: int
    ret: int


def sequences(f: str = "create", *, pair: str = "pair", listing: str = "list") -> Checker:
    """``f`` carries ``name``, ``suffix`` and ``czxid`` of what it made, ``listing`` the ``names``.

    ``pair`` of a number n makes two znodes in one multi, whose names begin with ``pn-``, and carries
    ``made``, a list of what ``f`` carries. A synced ``listing`` shows all names that were
    acknowledged before it was called and that no ``delete`` ever named, and its ``zxid`` says in
    which state it was answered. Anomalies: ``duplicated`` (one suffix twice), ``sequence-order``
    (the later znode has the smaller suffix), ``nonlinearizable-create`` (the smaller suffix though
    it was called after the other had returned), ``lost-create`` (acknowledged and not there),
    ``vanished`` (there in one state and not in a later one), ``half-applied`` (one of a pair, or any
    of one that was refused). Unknown with fewer than two creations.
    """

    def check(history: History, options: Options) -> Verdict:
        operations = history.clients().operations()
        made = [
            _made(operations, row, each)
            for row in operations.where(f, pair, outcome=OK).tolist()
            for each in operations.value[row].get("made", (operations.value[row],))
        ]
        span = max((one.suffix for one in made), default=0) - min(
            (one.suffix for one in made), default=0
        )
        counts = {"create-count": len(made), "gap-count": max(0, span + 1 - len(made))}
        if len(made) < 2:
            reason = f"fewer than two {f!r} succeeded, so there is no order"
            return Verdict(checker="sequences", valid="unknown", counts=counts, reason=reason)
        found = [
            *_twice(made),
            *_order(made),
            *_real_time(made),
            *_lost(operations, made, listing),
            *_vanished(operations, listing),
            *_halves(operations, pair, listing),
        ]
        return Verdict(
            checker="sequences", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _made(operations: Operations, row: int, value: Mapping[str, Any]) -> _Made:
    return _Made(
        suffix=int(value["suffix"]),
        czxid=int(value["czxid"]),
        name=value["name"],
        index=int(operations.ret_index[row]),
        call=int(operations.call[row]),
        ret=int(operations.ret[row]),
    )


def _twice(made: Sequence[_Made]) -> Iterable[Anomaly]:
    first: dict[int, _Made] = {}
    for one in made:
        other = first.setdefault(one.suffix, one)
        if other is not one:
            text = f"suffix {one.suffix} was given to op {other.index} and again to op {one.index}"
            yield _anomaly("duplicated", text, other, one)


def _order(made: Sequence[_Made]) -> Iterable[Anomaly]:
    for before, after in pairwise(sorted(made, key=lambda one: one.czxid)):
        if after.suffix < before.suffix:
            text = (
                f"op {before.index} made suffix {before.suffix} at {hexed(before.czxid)}, and op"
                f" {after.index} the smaller {after.suffix} later, at {hexed(after.czxid)}"
            )
            yield _anomaly("sequence-order", text, before, after)


def _real_time(made: Sequence[_Made]) -> Iterable[Anomaly]:
    returned = sorted(made, key=lambda one: one.ret)
    greatest: _Made | None = None
    place = 0
    for one in sorted(made, key=lambda one: one.call):
        while place < len(returned) and returned[place].ret < one.call:
            if greatest is None or returned[place].suffix > greatest.suffix:
                greatest = returned[place]
            place += 1
        if greatest is not None and greatest.suffix > one.suffix:
            text = (
                f"op {greatest.index} had got suffix {greatest.suffix} before op {one.index} was called"
            )
            yield _anomaly("nonlinearizable-create", f"{text}, which got {one.suffix}", greatest, one)


def _lost(operations: Operations, made: Sequence[_Made], listing: str) -> Iterable[Anomaly]:
    may_be_gone = _deleted(operations)
    for row in operations.where(listing, outcome=OK).tolist():
        names = set(operations.value[row]["names"])
        for one in made:
            if one.ret < operations.call[row] and one.name not in names and one.name not in may_be_gone:
                index = int(operations.ret_index[row])
                text = f"{one.name} was acknowledged (op {one.index}) and is not there at op {index}"
                yield Anomaly(name="lost-create", message=text, ops=(one.index, index))
                return


def _vanished(operations: Operations, listing: str) -> Iterable[Anomaly]:
    """The first name that one server showed and that is not there in a later state."""
    may_be_gone = _deleted(operations)
    rows = operations.where(listing, outcome=OK).tolist()
    seen: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: int(operations.value[row].get("zxid", -1))):
        names, zxid = operations.value[row]["names"], int(operations.value[row].get("zxid", -1))
        if zxid < 0:
            continue
        gone = next((name for name in seen if name not in set(names) | may_be_gone), None)
        if gone is not None:
            ops = tuple(int(operations.ret_index[each]) for each in (seen[gone], row))
            before = hexed(int(operations.value[seen[gone]]["zxid"]))
            text = f"{gone} was there in state {before} (op {ops[0]}), and is not in state {hexed(zxid)}"
            yield Anomaly(name="vanished", message=f"{text} (op {ops[1]})", ops=ops)
            return
        for name in names:
            seen.setdefault(name, row)


def _halves(operations: Operations, pair: str, listing: str) -> Iterable[Anomaly]:
    """The first listing with one of a pair only, or with a pair that was refused."""
    pairs = {f"p{operations.argument[row]}": row for row in operations.where(pair).tolist()}
    for row in operations.where(listing, outcome=OK).tolist():
        there: dict[str, list[str]] = {}
        for name in operations.value[row]["names"]:
            there.setdefault(name.partition("-")[0], []).append(name)
        for label, names in there.items():
            if label not in pairs:
                continue
            made = pairs[label]
            refused = operations.outcome[made] == FAIL
            if len(names) < 2 or refused:
                text = f"{' and '.join(names)} of op {operations.index[made]}"
                text += ", which was refused," if refused else " alone"
                ops = (int(operations.index[made]), int(operations.ret_index[row]))
                yield Anomaly(name="half-applied", message=f"{text} was there at op {ops[1]}", ops=ops)
                return


def _deleted(operations: Operations) -> set[str]:
    """Names that were to be deleted, whatever became of that.

    A delete that ended without a word may have been of any that its process had made.
    """
    names: set[str] = set()
    silent: set[int] = set()
    for row in operations.where("delete").tolist():
        value = operations.value[row]
        if isinstance(value, Mapping):
            names.add(value["name"])
        elif operations.outcome[row] == INFO:
            silent.add(int(operations.process[row]))
    for row in operations.where(outcome=OK).tolist():
        value = operations.value[row]
        if int(operations.process[row]) in silent and isinstance(value, Mapping) and "suffix" in value:
            names.add(value["name"])
    return names


def _anomaly(name: str, message: str, *made: _Made) -> Anomaly:
    return Anomaly(name=name, message=message, ops=tuple(one.index for one in made))
