"""Why the operations of a witness contradict each other: edges, each with its reason.

A checker may say so itself in ``Anomaly.details``: ``edges`` is a list of ``[from, to, reason]`` with
indices of events; ``reasons`` has, for a cycle, one text per operation of ``ops``, why it must come
before the next one, the last before the first. Without them, real time is read off the history, and
``CLOSING`` knows for some anomalies what closes the circle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from checkers.verdict import Anomaly
from reports.events import Shown, brief_text
from reports.text import brief, seconds

REAL_TIME = "real time"
NONLINEARIZABLE = "nonlinearizable"


@dataclass(frozen=True, slots=True)
class Edge:
    """``source`` must come before ``target``, indices of events; not ``directed`` if they only clash."""

    source: int
    target: int
    reason: str
    directed: bool = True


def edges(anomaly: Anomaly, ops: Sequence[Shown]) -> tuple[Edge, ...]:
    """The constraints between ``ops``, which are those of ``anomaly`` that the history has."""
    known = {op.index for op in ops}
    told = [edge for edge in _told(anomaly) if {edge.source, edge.target} <= known]
    if told:
        return tuple(told)
    if anomaly.name == NONLINEARIZABLE and len(ops) > 2:
        return _by_value(ops)
    return (*_real_time(ops), *_closing(anomaly, ops))


def closed(found: Sequence[Edge]) -> bool:
    """Whether every edge leads to where the next begins, and the last to the first."""
    following = (*found[1:], *found[:1])
    return len(found) > 1 and all(
        edge.target == other.source for edge, other in zip(found, following, strict=True)
    )


def sentence(edge: Edge, ops: Sequence[Shown]) -> str:
    """The edge as a sentence that stands for itself."""
    by_index = {op.index: op for op in ops}
    source, target = by_index[edge.source], by_index[edge.target]
    if edge.reason == REAL_TIME and source.ret_ns is not None:
        return (
            f"{_who(source)} returned at {seconds(source.ret_ns)}, before {_who(target)} was called at"
            f" {seconds(target.call_ns)}: it comes first in real time."
        )
    if edge.directed:
        return f"{_who(source)} must come before {_who(target)}: {edge.reason}."
    return f"{_who(source)} and {_who(target)}: {edge.reason}."


def _who(op: Shown) -> str:
    place = f" on {op.node}" if op.node else ""
    return f"op {op.index} ({op.f} by process {op.process}{place})"


def _told(anomaly: Anomaly) -> list[Edge]:
    listed = anomaly.details.get("edges")
    if isinstance(listed, list | tuple):
        return [
            Edge(one[0], one[1], brief(one[2], 120))
            for one in listed
            if isinstance(one, list | tuple) and len(one) == 3
        ]
    reasons = anomaly.details.get("reasons")
    if isinstance(reasons, list | tuple) and len(reasons) == len(anomaly.ops):
        following = (*anomaly.ops[1:], *anomaly.ops[:1])
        return [
            Edge(one, other, brief(reason, 120))
            for one, other, reason in zip(anomaly.ops, following, reasons, strict=True)
        ]
    return []


def _real_time(ops: Sequence[Shown]) -> list[Edge]:
    return [
        Edge(one.index, other.index, REAL_TIME)
        for one, other in pairwise(ops)
        if one.ret_ns is not None and one.ret is not None and one.ret < other.call
    ]


def _closing(anomaly: Anomaly, ops: Sequence[Shown]) -> list[Edge]:
    if len(ops) < 2:
        return []
    close = CLOSING.get(anomaly.name)
    return [] if close is None else [close(anomaly.details, ops[0].index, ops[-1].index)]


def _by_value(ops: Sequence[Shown]) -> tuple[Edge, ...]:
    """Around the operations: real time where it orders two, else the value that ties them together."""
    found = []
    for one, other in zip(ops, (*ops[1:], ops[0]), strict=True):
        if real_time := _real_time((one, other)):
            found += real_time
        elif one.value == other.value != "":
            reason = f"both are about the value {brief_text(one.value, 40)}"
            found.append(Edge(one.index, other.index, reason, directed=False))
    return tuple(found)


def _smaller_id(details: Mapping[str, Any], first: int, last: int) -> Edge:
    ids = details.get("ids")
    if isinstance(ids, list | tuple) and len(ids) == 2:
        return Edge(last, first, f"its ID {brief(ids[1], 24)} is smaller than {brief(ids[0], 24)}")
    return Edge(last, first, "its ID is smaller")


def _older_id(details: Mapping[str, Any], first: int, last: int) -> Edge:
    skew = details.get("skew-ms")
    allowed = f" by more than the {skew:.3f} ms of skew" if isinstance(skew, int | float) else ""
    return Edge(last, first, f"the time in its ID is older{allowed}")


def _same_id(details: Mapping[str, Any], first: int, last: int) -> Edge:
    return Edge(last, first, f"both were given ID {brief(details.get('id'), 40)}", directed=False)


def _stale_token(details: Mapping[str, Any], first: int, last: int) -> Edge:
    return Edge(last, first, "its token is older, yet it used the resource later", directed=False)


CLOSING: Mapping[str, Callable[[Mapping[str, Any], int, int], Edge]] = {
    "non-monotonic": _smaller_id,
    "order-beyond-skew": _older_id,
    "duplicated": _same_id,
    "stale-access": _stale_token,
}
"""By the name of an anomaly, the edge between its last and its first operation."""
