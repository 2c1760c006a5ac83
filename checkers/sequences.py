"""Sequential znodes: suffixes never repeat, and follow the order in which the znodes were made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from checkers.accesses import hexed
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import OK, History, Operations

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _Made:
    suffix: int
    czxid: int
    name: str
    index: int
    call: int
    ret: int


def sequences(f: str = "create", *, listing: str = "list") -> Checker:
    """``f`` carries ``name``, ``suffix`` and ``czxid`` of what it made, ``listing`` the ``names``.

    A synced ``listing`` shows all names that were acknowledged before it was called and that no
    ``delete`` ever named. Anomalies: ``duplicated`` (one suffix twice), ``sequence-order`` (the
    later znode has the smaller suffix), ``nonlinearizable-create`` (the smaller suffix though it
    was called after the other had returned), ``lost-create``. Unknown with fewer than two
    creations.
    """

    def check(history: History, options: Options) -> Verdict:
        operations = history.clients().operations()
        made = [_made(operations, row) for row in operations.where(f, outcome=OK).tolist()]
        span = max((one.suffix for one in made), default=0) - min(
            (one.suffix for one in made), default=0
        )
        counts = {"create-count": len(made), "gap-count": max(0, span + 1 - len(made))}
        if len(made) < 2:
            reason = f"fewer than two {f!r} succeeded, so there is no order"
            return Verdict(checker="sequences", valid="unknown", counts=counts, reason=reason)
        found = [*_twice(made), *_order(made), *_real_time(made), *_lost(operations, made, listing)]
        return Verdict(
            checker="sequences", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _made(operations: Operations, row: int) -> _Made:
    value = operations.value[row]
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
    deleted = {operations.value[row]["name"] for row in _deletes(operations)}
    for row in operations.where(listing, outcome=OK).tolist():
        names = set(operations.value[row]["names"])
        for one in made:
            if one.ret < operations.call[row] and one.name not in names and one.name not in deleted:
                index = int(operations.ret_index[row])
                text = f"{one.name} was acknowledged (op {one.index}) and is not there at op {index}"
                yield Anomaly(name="lost-create", message=text, ops=(one.index, index))
                return


def _deletes(operations: Operations) -> list[int]:
    """Deletes that say what they were to delete, whatever became of them."""
    rows = operations.where("delete").tolist()
    return [row for row in rows if isinstance(operations.value[row], dict)]


def _anomaly(name: str, message: str, *made: _Made) -> Anomaly:
    return Anomaly(name=name, message=message, ops=tuple(one.index for one in made))
