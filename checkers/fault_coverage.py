"""Did the weather come? Which planned faults took effect, by what the nemesis measured.

A fault that did not land is no test. The nemesis records with each action of a fault whether it is
known to have taken effect, and by what evidence; the last word on each fault counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checkers.verdict import Checker, Options, Verdict
from history.history import History

NAME = "fault-coverage"


@dataclass(slots=True)
class _Fault:
    number: int
    kind: str
    nodes: tuple[str, ...]
    begun_ns: int
    last_ns: int
    landed: bool = False
    evidence: str = "it was not measured"

    def __str__(self) -> str:
        place = f"{self.kind} of {', '.join(self.nodes) or 'nobody'} at {self.begun_ns / 1e9:.1f} s"
        return f"fault {self.number}, {place}: {self.evidence}"


def fault_coverage(*, every_fault_must_land: bool = False) -> Checker:
    """A checker that is ``unknown`` when faults were planned and none of them took effect.

    With ``every_fault_must_land`` one fault without effect is enough, and one that never began. With the
    option ``faults_proven``, which runs on real kernels have, one that began and had no effect is
    enough, unless another one that landed hit a node of its own meanwhile: what is dead cannot be
    killed. The option ``faults_planned`` is the number of faults in the schedule; without it, those that
    began count. Counts are ``planned``, ``landed``, ``by-kind`` (both, for each kind that began) and
    ``without-effect``, a sentence for each fault that began and did not land.
    """

    def check(history: History, options: Options) -> Verdict:
        faults = _faults(history)
        planned = int(options.get("faults_planned", len(faults)))
        landed = sum(fault.landed for fault in faults)
        idle = [str(fault) for fault in faults if not fault.landed]
        reason = _reason(planned, landed, len(faults), idle, every_fault_must_land)
        if reason is None and options.get("faults_proven"):
            reason = _unproven(faults)
        return Verdict(
            checker=NAME,
            valid="unknown" if reason else True,
            reason=reason,
            counts={
                "planned": planned,
                "landed": landed,
                "by-kind": _by_kind(faults),
                "without-effect": idle,
            },
        )

    return check


def _unproven(faults: list[_Fault]) -> str | None:
    idle = [fault for fault in faults if not fault.landed and not _shadowed(fault, faults)]
    return f"without effect: {'; '.join(map(str, idle))}" if idle else None


def _shadowed(fault: _Fault, faults: list[_Fault]) -> bool:
    return any(
        other.landed
        and set(other.nodes) & set(fault.nodes)
        and other.begun_ns <= fault.last_ns
        and fault.begun_ns <= other.last_ns
        for other in faults
    )


def _faults(history: History) -> list[_Fault]:
    faults: dict[int, _Fault] = {}
    for op in history.nemesis():
        value = op.value
        if not isinstance(value, Mapping) or not isinstance(value.get("fault"), int):
            continue
        number = value["fault"]
        if number not in faults:
            faults[number] = _Fault(number, op.f, (), op.time, op.time)
        faults[number].last_ns = op.time
        _learn(faults[number], value)
    return [faults[number] for number in sorted(faults)]


def _learn(fault: _Fault, value: Mapping[str, Any]) -> None:
    fault.nodes = tuple(value.get("nodes") or fault.nodes)
    if "landed" in value:
        fault.landed = value["landed"] is True
        fault.evidence = str(value.get("evidence", fault.evidence))


def _by_kind(faults: list[_Fault]) -> dict[str, dict[str, int]]:
    kinds: dict[str, dict[str, int]] = {}
    for fault in faults:
        counts = kinds.setdefault(fault.kind, {"planned": 0, "landed": 0})
        counts["planned"] += 1
        counts["landed"] += fault.landed
    return dict(sorted(kinds.items()))


def _reason(planned: int, landed: int, begun: int, idle: list[str], every: bool) -> str | None:
    if planned and not landed:
        why = "; ".join(idle) or "none of them began"
        return f"none of the {planned} planned faults took effect: {why}"
    if every and landed < planned:
        never = [f"{planned - begun} never began"] if begun < planned else []
        return (
            f"{planned - landed} of {planned} planned faults took no effect: {'; '.join(idle + never)}"
        )
    return None
