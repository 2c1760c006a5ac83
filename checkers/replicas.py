"""Replicas of one state: servers that have applied the same changes are the same, byte for byte.

State machine replication (Schneider, "Implementing fault-tolerant services using the state machine
approach", 1990) leaves no room for a server that differs: not after a snapshot, a truncated log, or
a restart. What differs stays different, so that a look at the end finds what went wrong long before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from checkers.accesses import hexed
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import OK, History, Operations

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _State:
    node: str | None
    zxid: int
    digest: str
    index: int


def replicas(f: str = "state") -> Checker:
    """``f`` gives ``zxid``, the last change that the op's ``node`` has applied, and a ``digest`` of all.

    Anomaly: ``replicas-differ``, two digests of one zxid. Unknown when no two servers told of the same
    zxid.
    """

    def check(history: History, options: Options) -> Verdict:
        by_zxid = _by_zxid(history.clients().operations(), f)
        compared = [line for line in by_zxid.values() if len({one.node for one in line}) > 1]
        counts = {
            "state-count": sum(map(len, by_zxid.values())),
            "compared-count": len(compared),
            "server-count": len({one.node for line in compared for one in line}),
        }
        found = list(_differing(by_zxid.values()))
        if not found and not compared:
            reason = "no two servers told of the same zxid, so none can differ"
            return Verdict(checker="replicas", valid="unknown", counts=counts, reason=reason)
        return Verdict(
            checker="replicas", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _by_zxid(operations: Operations, f: str) -> dict[int, list[_State]]:
    found: dict[int, list[_State]] = {}
    for row in operations.where(f, outcome=OK).tolist():
        value = operations.value[row]
        state = _State(
            node=operations.node[row],
            zxid=int(value["zxid"]),
            digest=str(value["digest"]),
            index=int(operations.ret_index[row]),
        )
        found.setdefault(state.zxid, []).append(state)
    return found


def _differing(lines: Iterable[list[_State]]) -> Iterable[Anomaly]:
    """The first pair of each zxid."""
    for line in lines:
        first = line[0]
        other = next((one for one in line if one.digest != first.digest), None)
        if other is not None:
            text = (
                f"having applied {hexed(first.zxid)}, {first.node} is {first.digest} (op {first.index})"
                f" and {other.node} is {other.digest} (op {other.index})"
            )
            yield Anomaly(name="replicas-differ", message=text, ops=(first.index, other.index))
