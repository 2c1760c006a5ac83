"""From a history to a verdict: the workload's checker, and whether the faults of the run landed."""

from __future__ import annotations

from checkers.fault_coverage import fault_coverage
from checkers.verdict import Checker, Options, Verdict, all_of
from history.history import History


def judge(checker: Checker, history: History, options: Options) -> Verdict:
    """The worst of ``checker`` and of fault coverage; the parts are single checkers."""
    verdict = all_of(workload=checker, fault_coverage=fault_coverage())(history, options)
    parts = leaves(verdict)
    return Verdict(
        checker="all",
        valid=verdict.valid,
        anomalies=tuple(anomaly for part in parts for anomaly in part.anomalies),
        reason="; ".join(f"{part.checker}: {part.reason}" for part in parts if part.reason) or None,
        parts=parts,
    )


def leaves(verdict: Verdict) -> tuple[Verdict, ...]:
    """The verdicts of single checkers, however deep they lie."""
    if not verdict.parts:
        return (verdict,)
    return tuple(leaf for part in verdict.parts for leaf in leaves(part))
