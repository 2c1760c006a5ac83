"""How many clients each failover of an election wakes: all of a herd, one of a chain.

Whatever a candidate completes may carry ``woken``: pairs of a time, in nanoseconds, and the path
that it was told of. A failover wakes those who are told of the former leader's znode and, between
the two tenures, those who are told of its parent. In a chain a znode is watched by the one just
behind it, so that its going wakes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from checkers.beliefs import Belief, beliefs
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import History, Operations

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _Wake:
    process: int
    at_ns: int
    path: str
    index: int


def wakes(*, at_most_one: bool = False) -> Checker:
    """Counts clients woken per failover; with ``at_most_one``, each znode may wake one client only.

    ``woken-most`` and ``woken-mean`` are per failover, from one tenure to the next. Anomaly: ``herd``,
    two clients that were woken by one znode. Unknown when no failover woke anybody.
    """

    def check(history: History, options: Options) -> Verdict:
        operations = history.clients().operations()
        told = _wakes(operations)
        per_failover = _per_failover(beliefs(operations), told)
        counts = {
            "failover-count": len(per_failover),
            "wake-count": len(told),
            "woken-most": max(per_failover, default=0),
            "woken-mean": round(sum(per_failover) / max(1, len(per_failover)), 2),
        }
        if not any(per_failover):
            reason = "no failover woke anybody" if per_failover else "there was no failover"
            return Verdict(checker="wakes", valid="unknown", counts=counts, reason=reason)
        found = list(_herds(told)) if at_most_one else []
        return Verdict(checker="wakes", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts)

    return check


def _wakes(operations: Operations) -> list[_Wake]:
    return [
        _Wake(int(operations.process[row]), int(at_ns), path, int(operations.ret_index[row]))
        for row in range(len(operations))
        if isinstance(value := operations.value[row], Mapping)
        for at_ns, path in value.get("woken", ())
    ]


def _per_failover(line: Sequence[Belief], told: Sequence[_Wake]) -> list[int]:
    """How many processes were told that the first of two tenures is over."""
    by_path: dict[str, list[_Wake]] = {}
    for wake in told:
        by_path.setdefault(wake.path, []).append(wake)
    return [
        len({wake.process for wake in _woken_between(before, after, by_path)})
        for before, after in pairwise(line)
    ]


def _woken_between(
    before: Belief, after: Belief, by_path: Mapping[str, Sequence[_Wake]]
) -> Iterator[_Wake]:
    yield from by_path.get(before.path, ())
    parent = before.path.rpartition("/")[0] or "/"
    for wake in by_path.get(parent, ()):
        if before.until_ns <= wake.at_ns <= after.from_ns:
            yield wake


def _herds(told: Sequence[_Wake]) -> Iterable[Anomaly]:
    first: dict[str, _Wake] = {}
    for wake in told:
        other = first.setdefault(wake.path, wake)
        if other.process != wake.process:
            text = (
                f"the going of {wake.path} woke process {other.process} (op {other.index}) and process"
                f" {wake.process} (op {wake.index}); in a chain one watches each znode"
            )
            yield Anomaly(name="herd", message=text, ops=(other.index, wake.index))
