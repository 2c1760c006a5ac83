"""One holder at a time, as holders believed it; tokens that grow; a resource that is guarded by them.

A holder that is paused between looking and acting believes what is no longer so, and no lock can
prevent that: only a resource that refuses every token that is less than one it has seen (Kleppmann,
"How to do distributed locking", 2016; "fencing token" is his term).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from checkers.beliefs import Belief, beliefs, held, overlaps
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import OK, History, Operations

_SHOWN = 8
_NS_PER_S = 1_000_000_000


def mutual_exclusion(holder: str = "holder", *, thing: str = "lock") -> Checker:
    """Beliefs are those of ``checkers.beliefs``; ``holder`` and ``thing`` name them in messages.

    Anomalies: ``two-<holder>s`` at once; ``token-reused`` by two tenures; ``token-went-back`` (the
    later tenure has the smaller token). Unknown when there were fewer than two tenures.
    """

    def check(history: History, options: Options) -> Verdict:
        line = beliefs(history.clients().operations())
        held_s = sum(one.until_ns - one.from_ns for one in line) / _NS_PER_S
        counts = {"tenure-count": len(line), "held-s": round(held_s, 3)}
        if len(line) < 2:
            reason = f"there were {len(line)} tenures of the {thing}, and it takes two to overlap"
            return Verdict(checker="mutual-exclusion", valid="unknown", counts=counts, reason=reason)
        found = [_at_once(holder, thing, pair, options) for pair in overlaps(line)]
        found += _tokens(line)
        return Verdict(
            checker="mutual-exclusion", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _at_once(holder: str, thing: str, pair: tuple[Belief, Belief], options: Options) -> Anomaly:
    first, second = pair
    shared_s = (min(first.until_ns, second.until_ns) - second.from_ns) / _NS_PER_S
    text = (
        f"processes {first.process} (token {first.token:#x}, op {first.first}) and {second.process}"
        f" (token {second.token:#x}, op {second.first}) both held the {thing} for {shared_s:.3f} s"
    )
    if first.paused_s:
        text += (
            f": process {first.process} was paused for {first.paused_s:g} s between looking and acting,"
            " its session expired meanwhile, and no lock can keep it from acting when it wakes;"
            " let the resource refuse stale tokens (lock-fenced)"
        )
    return Anomaly(
        name=f"two-{holder}s",
        message=text,
        ops=tuple(dict.fromkeys((first.first, second.first, first.last))),
        details={
            "tokens": [first.token, second.token],
            "shared_s": shared_s,
            "held": held(pair, options),
        },
    )


def _tokens(line: Sequence[Belief]) -> Iterable[Anomaly]:
    greatest: Belief | None = None
    for one in line:
        if greatest is not None and one.token <= greatest.token:
            name = "token-reused" if one.token == greatest.token else "token-went-back"
            text = (
                f"process {greatest.process} held with token {greatest.token:#x} (op {greatest.first}),"
                f" and after it process {one.process} with {one.token:#x} (op {one.first})"
            )
            yield Anomaly(name=name, message=text, ops=(greatest.first, one.first))
        else:
            greatest = one


@dataclass(frozen=True, slots=True)
class _Use:
    """One deed on the resource, ``seq`` of them before it; ``paused_s`` between looking and acting.

    ``since_ns`` is when its tenure began, None where the history does not tell.
    """

    process: int
    token: int
    since_ns: int | None
    seq: int
    index: int
    paused_s: float


def guarded_resource(f: str = "use", *, pauses: bool = False) -> Checker:
    """What the resource accepted: ``f`` carries ``token``, ``seq`` (its place) and ``paused_s``.

    Anomaly: ``stale-access``, a deed after one of a later holder: one with a greater token, or whose
    tenure began later (``from_ns``), whatever the tokens say. A refused one is a ``fail`` with the
    error ``stale-token`` and counts as ``refused-count``. Unknown when nothing was accepted or, with
    ``pauses``, nobody acted after one.
    """

    def check(history: History, options: Options) -> Verdict:
        operations = history.clients().operations()
        uses = sorted(_uses(operations, f), key=lambda use: use.seq)
        counts = {
            "use-count": len(uses),
            "paused-count": sum(use.paused_s > 0 for use in uses),
            "refused-count": sum(
                operations.error[row] == "stale-token" for row in operations.where(f).tolist()
            ),
        }
        risks = counts["paused-count"] + counts["refused-count"]
        if not uses or (pauses and not risks):
            what = "was tried after a pause" if uses else "was accepted"
            reason = f"no {f!r} {what}, so the resource was never at risk"
            return Verdict(checker="guarded-resource", valid="unknown", counts=counts, reason=reason)
        found = list(_stale(uses))
        return Verdict(
            checker="guarded-resource", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _uses(operations: Operations, f: str) -> Iterable[_Use]:
    for row in operations.where(f, outcome=OK).tolist():
        value: Mapping[str, float] = operations.value[row]
        yield _Use(
            process=int(operations.process[row]),
            token=int(value["token"]),
            since_ns=int(value["from_ns"]) if "from_ns" in value else None,
            seq=int(value["seq"]),
            index=int(operations.ret_index[row]),
            paused_s=float(value.get("paused_s", 0.0)),
        )


def _stale(uses: Sequence[_Use]) -> Iterable[Anomaly]:
    latest: _Use | None = None
    for use in uses:
        if latest is None or not _is_before(use, latest):
            latest = use
            continue
        text = (
            f"process {use.process} used the resource with token {use.token:#x} (op {use.index}) after"
            f" process {latest.process}, a later holder, had with {latest.token:#x} (op {latest.index})"
        )
        if use.paused_s:
            text += (
                f": it had looked, was paused for {use.paused_s:g} s, longer than its session lasts, and"
                " went on; a resource that refuses stale tokens prevents this (lock-fenced)"
            )
        yield Anomaly(name="stale-access", message=text, ops=(latest.index, use.index))


def _is_before(use: _Use, other: _Use) -> bool:
    """Whether ``use`` belongs to an earlier tenure than ``other``."""
    if use.since_ns is not None and other.since_ns is not None and use.since_ns < other.since_ns:
        return True
    return use.token < other.token
