"""A register whose operations recorded the version that they wrote or saw: zxid, mod_revision, offset.

The versions are the order of the writes, so that repeated values and failed cas cost nothing: exact by
``checkers.known_order`` (Gibbons & Korach 1997, section 4.3: the write order is given). Versions need
not be dense. One that was seen, but that nobody was told to have written, belongs to a pending write of
the value that was seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from checkers import known_order
from checkers.contradiction import HOLDS, UNDECIDED, Contradiction, Finding
from checkers.factorize import factorize
from checkers.known_order import Allowed, Misfit
from checkers.model import Action, State
from checkers.models import CAS_REGISTER
from checkers.rows import actions, text
from history.history import PENDING, Operations

UNTOLD = -PENDING


@dataclass(frozen=True, slots=True)
class _Seen:
    """One operation: its row, the version that it wrote or saw, or UNTOLD, and what it did."""

    row: int
    version: int
    action: Action

    @property
    def value(self) -> State:
        """What a read saw, and what a write or cas left."""
        f, argument, result = self.action
        return result if f == "read" else argument if f == "write" else argument[1]


def decide(
    operations: Operations,
    versions: Sequence[int | None],
    *,
    initial: State = None,
    initial_version: int = 0,
) -> Finding:
    """Whether one register is linearizable with these versions; O(n log n).

    Operations are read, write and cas, as in ``checkers.register``. ``versions``, one per operation, is
    what a write or cas was told that it wrote, what a read or a failed cas saw; None where it was not
    told. Undecided if a write returned without a version, and in the rare case that a pending write
    that nobody saw would have to explain a cas.
    """
    writers: list[_Seen] = []
    observers: list[_Seen] = []
    pending: list[_Seen] = []
    for op in actions(CAS_REGISTER, operations, initial):
        version = versions[op.row]
        seen = _Seen(op.row, UNTOLD if version is None else version, op.action)
        observes = CAS_REGISTER.observation(op.action)
        if op.ret is not None:
            (observers if observes else writers).append(seen)
        elif not observes:
            pending.append(replace(seen, version=UNTOLD))
    if any(one.version == UNTOLD for one in writers):
        return UNDECIDED
    certain = _not_rising(operations, writers, initial_version)
    if certain:
        return certain
    owned = {initial_version, *(one.version for one in writers)}
    adopted = _adopted(operations, observers, pending, owned)
    if not isinstance(adopted, _Adopted):
        return adopted
    chain = sorted(writers + adopted.writers, key=lambda one: one.version)
    return _judge(_Case(operations, chain, observers, adopted, initial, initial_version))


def _not_rising(
    operations: Operations, writers: Sequence[_Seen], initial_version: int
) -> Contradiction | None:
    """Two writers of one version, or a version that is not above the initial one."""
    owner: dict[int, _Seen] = {}
    for one in writers:
        if one.version <= initial_version:
            return Contradiction(
                f"{text(CAS_REGISTER, operations, one.row)} wrote version {one.version}, not above the"
                f" initial {initial_version}",
                (one.row,),
            )
        other = owner.setdefault(one.version, one)
        if other is not one:
            texts = " and ".join(text(CAS_REGISTER, operations, row) for row in (other.row, one.row))
            return Contradiction(f"{texts} both wrote version {one.version}", (other.row, one.row))
    return None


@dataclass(frozen=True, slots=True)
class _Adopted:
    """Pending writers with the versions that others saw of them, and the pending ones left over.

    ``ambiguous``: for some value another choice of pending operations was possible that might matter.
    """

    writers: list[_Seen]
    spare: list[_Seen]
    ambiguous: bool


def _adopted(
    operations: Operations, observers: Sequence[_Seen], pending: Sequence[_Seen], owned: set[int]
) -> _Adopted | Finding:
    """Give each version without an owner to the pending write of its value that was called first."""
    orphans: dict[int, _Seen] = {}
    for one in observers:
        if one.version != UNTOLD and one.version not in owned:
            known = orphans.setdefault(one.version, one)
            if known.action.f != "read":
                orphans[one.version] = one
    pool: dict[State, deque[_Seen]] = {}
    for one in pending:
        pool.setdefault(one.value, deque()).append(one)
    writers = []
    for version, one in sorted(orphans.items()):
        if one.action.f != "read" and pending and version > min(owned):
            return UNDECIDED
        possible = one.action.f == "read" and version > min(owned)
        candidates = pool.get(one.value) if possible else None
        if not candidates:
            return Contradiction(
                f"{text(CAS_REGISTER, operations, one.row)} saw version {version}, which nobody wrote",
                (one.row,),
            )
        writers.append(replace(candidates.popleft(), version=version))
    spare = [one for candidates in pool.values() for one in candidates]
    taken = {one.value for one in writers}
    rivals = [one for one in (*writers, *spare) if one.value in taken and one.action.f == "cas"]
    return _Adopted(writers, spare, bool(rivals) and any(one.value in taken for one in spare))


@dataclass(frozen=True, slots=True)
class _Case:
    """The writers in the order of their versions, and everything that is to agree with it."""

    operations: Operations
    chain: Sequence[_Seen]
    observers: Sequence[_Seen]
    adopted: _Adopted
    initial: State
    initial_version: int


def _judge(case: _Case) -> Finding:
    told = [one for one in case.observers if one.version != UNTOLD]
    certain = _misread(case, told) or _out_of_place(case, told)
    if certain:
        return certain
    for one, held in zip(case.chain, _values(case), strict=False):
        if one.action.f == "cas" and one.action.argument[0] != held:
            if case.adopted.ambiguous or any(
                spare.value == one.action.argument[0] for spare in case.adopted.spare
            ):
                return UNDECIDED
            return Contradiction(
                f"{_text(case, one)} wrote version {one.version}, but the version before held {held!r}",
                (one.row,),
            )
    doubtful = _out_of_place(case, case.observers) if len(told) < len(case.observers) else None
    if doubtful is None:
        return HOLDS
    return UNDECIDED if case.adopted.spare else doubtful


def _values(case: _Case) -> list[State]:
    """What the register holds at each position: after none of the writers, after one, and so on."""
    return [case.initial, *(one.value for one in case.chain)]


def _misread(case: _Case, told: Sequence[_Seen]) -> Contradiction | None:
    """An observer whose version does not hold what it saw."""
    held = dict(
        zip(
            [case.initial_version, *(one.version for one in case.chain)],
            _values(case),
            strict=True,
        )
    )
    for one in told:
        reads = one.action.f == "read"
        wanted = one.value if reads else one.action.argument[0]
        if (held[one.version] == wanted) is not reads:
            return Contradiction(
                f"{_text(case, one)} saw version {one.version}, which holds {held[one.version]!r}",
                (one.row,),
            )
    return None


def _out_of_place(case: _Case, observers: Sequence[_Seen]) -> Contradiction | None:
    """Writers against real time, or an observer without a position among them."""
    operations = case.operations
    mutators = np.array([one.row for one in case.chain], dtype=np.intp)
    rows = np.array([one.row for one in observers], dtype=np.intp)
    misfit = known_order.misfit(
        operations.call[mutators],
        operations.ret[mutators],
        operations.call[rows],
        operations.ret[rows],
        _allowed(case, observers),
    )
    return None if misfit is None else _explained(case, observers, misfit)


def _allowed(case: _Case, observers: Sequence[_Seen]) -> Allowed:
    place = {one.version: position for position, one in enumerate(case.chain, 1)}
    place[case.initial_version] = 0
    positions = [place.get(one.version, -1) for one in observers]
    reads = [one.action.f == "read" for one in observers]
    sought = [one.value if one.action.f == "read" else one.action.argument[0] for one in observers]
    values = _values(case)
    numbers, _ = factorize([*values, *sought])
    held, wanted = numbers[: len(values)], numbers[len(values) :]
    return known_order.either(
        np.array(positions, dtype=np.int64) >= 0,
        known_order.exactly(np.array(positions, dtype=np.int64)),
        known_order.either(
            np.array(reads, dtype=np.bool_),
            known_order.holding(held, wanted),
            known_order.lacking(held, wanted),
        ),
    )


def _explained(case: _Case, observers: Sequence[_Seen], misfit: Misfit) -> Contradiction:
    after, before = (
        case.chain[place] if place >= 0 else None for place in (misfit.after, misfit.before)
    )
    if misfit.observer < 0:
        assert after is not None
        assert before is not None
        return Contradiction(
            f"{_text(case, after)} returned before {_text(case, before)} was called, but wrote version"
            f" {after.version} after its {before.version}",
            (after.row, before.row),
        )
    x = observers[misfit.observer]
    previous = observers[misfit.previous] if misfit.previous >= 0 else None
    bounds = [case.initial_version, *(one.version for one in case.chain)]
    saw = f" saw version {x.version}, but" if x.version != UNTOLD else ":"
    return Contradiction(
        f"{_text(case, x)}{saw} the register stood between versions {bounds[misfit.low]} and"
        f" {bounds[misfit.high]} then",
        tuple(one.row for one in (previous, after, x, before) if one is not None),
    )


def _text(case: _Case, one: _Seen) -> str:
    return text(CAS_REGISTER, case.operations, one.row)
