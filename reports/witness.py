"""An anomaly as an engineer wants it told: its sentence, the few operations, why they clash, a figure.

The figure follows from the data, not from the checker: a cycle is drawn as a ring, ``details`` with a
``linearizable_prefix`` as what could not come next, with ``log`` as offsets; and every witness has its
operations along time. See ``reports.reasons`` for what else ``details`` may say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checkers.verdict import Anomaly
from history.history import History
from reports.events import Shown, shown_ops
from reports.faults import Fault
from reports.intervals import beliefs, intervals
from reports.messages import Exchange, Message, exchanges
from reports.reasons import closed, edges, sentence
from reports.ring import ring
from reports.rules import RULES
from reports.sequences import PREFIX_SHOWN, offsets, prefix
from reports.shapes import Figure
from reports.text import brief, safe, seconds, shown

MAX_OPS = 40
PREFIX = "linearizable_prefix"
_DRAWN = frozenset({"edges", "reasons", "log", "held", PREFIX, "configurations"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """``number`` counts the anomalies of the run from 1; ``checker`` is who found it.

    ``rule`` is what the anomaly breaks, "" if none is known for its name; ``sentences`` say why the
    ``ops`` contradict each other and under which faults; ``details`` are what
    the checker said beside, as texts; ``left_out`` operations are not shown; ``exchanges`` are what
    machines sent each other while the operations ran.
    """

    number: int
    checker: str
    name: str
    message: str
    rule: str
    ops: tuple[Shown, ...]
    sentences: tuple[str, ...]
    figures: tuple[Figure, ...]
    details: tuple[tuple[str, str], ...]
    left_out: int
    exchanges: tuple[Exchange, ...] = ()


def witness(
    number: int,
    checker: str,
    anomaly: Anomaly,
    history: History,
    faults: Sequence[Fault],
    sent: Sequence[Message] = (),
) -> Witness:
    """The witness of one anomaly; operations that the history does not have are left out."""
    ops = shown_ops(history, anomaly.ops[:MAX_OPS])
    found = edges(anomaly, ops)
    graph = ring(ops, found) if closed(found) else None
    drawn = (
        _prefix(history, anomaly, ops),
        graph,
        offsets(anomaly.details),
        intervals(history, ops, anomaly.details),
    )
    reasons = _tenures(anomaly, ops) or [sentence(edge, ops) for edge in found]
    return Witness(
        number=number,
        checker=checker,
        name=safe(anomaly.name, limit=100),
        message=safe(anomaly.message),
        rule=RULES.get(anomaly.name, ""),
        ops=ops,
        sentences=(*reasons, *_states(anomaly), *_weather(ops, faults)),
        figures=tuple(figure for figure in drawn if figure is not None),
        details=tuple(
            (safe(str(name), limit=60), brief(shown(value), 400))
            for name, value in anomaly.details.items()
            if name not in _DRAWN
        ),
        left_out=len(anomaly.ops) - len(ops),
        exchanges=exchanges(ops, sent),
    )


def _prefix(history: History, anomaly: Anomaly, ops: Sequence[Shown]) -> Figure | None:
    order = anomaly.details.get(PREFIX)
    if not isinstance(order, list | tuple) or not ops:
        return None
    tail = shown_ops(history, order[-PREFIX_SHOWN:])
    return prefix(tail, len(order), _configurations(anomaly.details), ops[-1])


def _configurations(details: Mapping[str, Any]) -> list[str]:
    ends = details.get("configurations")
    if not isinstance(ends, list | tuple):
        return []
    states = (brief(end.get("state"), 40) for end in ends if isinstance(end, Mapping))
    return list(dict.fromkeys(states))


def _tenures(anomaly: Anomaly, ops: Sequence[Shown]) -> list[str]:
    """Who believed to hold it, and when: the operations themselves need not overlap."""
    process_of = {op.index: op.process for op in ops}
    return [
        f"process {process_of[op]} believed to hold it from {seconds(start)} (op {op})"
        f" to {seconds(end)}."
        for op, start, end in beliefs(ops, anomaly.details)
    ]


def _states(anomaly: Anomaly) -> list[str]:
    order = anomaly.details.get(PREFIX)
    if not isinstance(order, list | tuple):
        return []
    states = " or ".join(_configurations(anomaly.details)[:6]) or "a state that nobody noted"
    return [
        f"{len(order)} operations can be put in an order that respects real time; after them the object"
        f" is {states}, and op {anomaly.ops[-1] if anomaly.ops else '?'} cannot come next."
    ]


def _weather(ops: Sequence[Shown], faults: Sequence[Fault]) -> list[str]:
    """Which faults were on while the operations ran; not those that found nobody."""
    if not ops:
        return []
    start = min(op.call_ns for op in ops)
    end = max(op.call_ns if op.ret_ns is None else op.ret_ns for op in ops)
    hit = [fault for fault in faults if fault.nodes or fault.landed]
    active = [f for f in hit if f.begin_ns <= end and (f.end_ns is None or f.end_ns >= start)]
    if not active:
        return ["No fault was active meanwhile."]
    return [f"Meanwhile: {'; '.join(_active(fault) for fault in active)}."]


def _active(fault: Fault) -> str:
    until = "the end" if fault.end_ns is None else seconds(fault.end_ns)
    nodes = ", ".join(fault.nodes) or "no node"
    effect = safe(fault.evidence, limit=200) if fault.landed else "without effect"
    return f"{safe(fault.kind)} of {nodes} from {seconds(fault.begin_ns)} to {until} ({effect})"
