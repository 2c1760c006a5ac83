"""What the nemesis did, fault by fault: when, to whom, and what really came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from history.history import History
from history.op import Op
from nemesis.kinds import FAMILIES
from reports.text import brief

OTHER = "other"
_FAMILIES = ("network", "clock", "process")


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault that began. Times are in ns; ``end_ns`` is None if the history does not see it end.

    ``family`` is network, clock, process or other; ``measured`` are the readings behind ``evidence``, a
    short text each; ``ops`` are the indices of its events.
    """

    number: int
    kind: str
    family: str
    nodes: tuple[str, ...]
    arguments: str
    begin_ns: int
    end_ns: int | None = None
    landed: bool = False
    evidence: str = "not measured"
    error: str = ""
    measured: list[str] = field(default_factory=list)
    ops: list[int] = field(default_factory=list)


def faults(history: History) -> tuple[Fault, ...]:
    """Every fault that began, by its number; ``heal`` ends those that had no end of their own."""
    found: dict[int, Fault] = {}
    for op in history.nemesis():
        if op.f == "heal":
            _healed(found, op)
        elif isinstance(op.value, Mapping) and isinstance(op.value.get("fault"), int):
            fault = found.setdefault(op.value["fault"], _begun(op))
            _learn(fault, op)
    return tuple(found[number] for number in sorted(found))


def family(kind: str) -> str:
    """The family of a kind of fault; ``clock-reset``, which is in none, counts as a clock's."""
    for name in _FAMILIES:
        if kind in FAMILIES[name] or kind.startswith(f"{name}-"):
            return name
    return OTHER


def _begun(op: Op) -> Fault:
    arguments = op.value.get("args")
    pairs = arguments.items() if isinstance(arguments, Mapping) else ()
    return Fault(
        number=op.value["fault"],
        kind=op.f,
        family=family(op.f),
        nodes=(),
        arguments=", ".join(f"{name} {brief(value)}" for name, value in pairs),
        begin_ns=op.time,
    )


def _learn(fault: Fault, op: Op) -> None:
    value: Mapping[str, Any] = op.value
    nodes = value.get("nodes")
    fault.nodes = tuple(map(str, nodes)) if isinstance(nodes, list) else fault.nodes
    fault.ops.append(op.index)
    if value.get("phase") == "end":
        fault.end_ns = op.time
    if "landed" in value:
        fault.landed, fault.evidence = value["landed"] is True, str(value.get("evidence", ""))
    if op.error is not None:
        fault.error = brief(op.error, 200)
    fault.measured += _measured(value)


def _healed(found: Mapping[int, Fault], op: Op) -> None:
    for fault in found.values():
        if fault.end_ns is None:
            fault.end_ns = op.time
            fault.ops.append(op.index)


def _measured(value: Mapping[str, Any]) -> list[str]:
    effect = value.get("effect")
    if not isinstance(effect, Mapping):
        return []
    when = str(value.get("phase", ""))
    lines = [
        f"{when}: {name} packets {_change(effect[name])}"
        for name in ("dropped", "delayed")
        if name in effect
    ]
    for node, clock in _items(effect.get("clock")):
        read = clock.get("read_s") if isinstance(clock, Mapping) else None
        lines.append(f"{when}: clock of {node} read back {_change(read, ' s')}")
    for node, states in _items(effect.get("process")):
        lines.append(f"{when}: process of {node} {_change([_state(one) for one in _pair(states)])}")
    return lines + [f"{when}: {text}" for text in effect.get("unread", ())]


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _pair(value: Any) -> list[Any]:
    return value if isinstance(value, list) and len(value) == 2 else [None, None]


def _change(value: Any, unit: str = "") -> str:
    before, after = _pair(value)
    if before is None or after is None:
        return "could not be read"
    return f"{before}{unit}, unchanged" if before == after else f"{before} → {after}{unit}"


def _state(state: Any) -> str | None:
    if not isinstance(state, Mapping):
        return None
    if not state.get("running"):
        return "gone"
    return f"{'stopped' if state.get('paused') else 'running'} (start {state.get('incarnation', '?')})"
