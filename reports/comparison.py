"""What differs between two runs, side by side: verdicts, counts, outcomes, latency, availability.

Made for two systems under the same schedule, ours and one that is not ours. Each line says one thing of
both runs, as text; whether the lines are comparable at all is said first: what was run, and whether the
faults were the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from history.history import FAIL, INFO, OK, History
from reports.faults import Fault, faults
from reports.material import Material
from reports.text import brief
from reports.verdicts import WORDS, leaves

_SPEC: Final = (
    *("workload", "system", "backend", "mutant", "seed", "nodes", "concurrency", "rate", "time_limit_s"),
    *("options",),
)
_PERCENTILES: Final = (50, 99, 100)
_ERRORS_SHOWN: Final = 5
_NONE: Final = "–"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at, and what it is in either run."""

    what: str
    a: str
    b: str

    @property
    def differs(self) -> bool:
        return self.a != self.b


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under a title."""

    title: str
    lines: tuple[Line, ...]


def compare(a: Material, b: Material) -> tuple[Section, ...]:
    """Everything that can be said of both runs; sections without a line are left out."""
    sections = (
        Section("what was run", tuple(_runs(a, b))),
        Section("verdicts", tuple(_verdicts(a, b))),
        Section("anomalies", tuple(_joined(_anomalies(a), _anomalies(b), "0"))),
        Section("counts", tuple(_joined(_counts(a), _counts(b)))),
        Section("operations: ok / fail / info", tuple(_joined(_outcomes(a), _outcomes(b)))),
        Section("why operations were not ok", tuple(_joined(_errors(a), _errors(b), "0"))),
        Section("latency of ok: p50 / p99 / max", tuple(_joined(_latencies(a), _latencies(b)))),
        Section("availability: ok of all", tuple(_joined(_availability(a), _availability(b)))),
        Section("faults: landed, and ok of all meanwhile", tuple(_joined(_faults(a), _faults(b)))),
    )
    return tuple(section for section in sections if section.lines)


def _joined(a: Mapping[str, str], b: Mapping[str, str], missing: str = _NONE) -> Iterator[Line]:
    for what in dict.fromkeys([*a, *b]):
        yield Line(what, a.get(what, missing), b.get(what, missing))


def _runs(a: Material, b: Material) -> Iterator[Line]:
    for key in _SPEC:
        line = Line(key.replace("_", " "), _told(a.spec.get(key)), _told(b.spec.get(key)))
        if line.differs or key in ("workload", "system", "backend"):
            yield line
    schedules = [_schedule(run) for run in (a, b)]
    others = "" if schedules[0] == schedules[1] else ", others"
    yield Line("faults", str(len(schedules[0])), f"{len(schedules[1])}{others}")


def _told(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return _NONE if value in (None, {}) else str(value)


def _schedule(run: Material) -> list[tuple[str, tuple[str, ...], str]]:
    """What was thrown at it; when exactly each began depends on the run."""
    return [(fault.kind, fault.nodes, fault.arguments) for fault in faults(run.history)]


def _verdicts(a: Material, b: Material) -> Iterator[Line]:
    yield Line("all", WORDS[a.verdict.valid], WORDS[b.verdict.valid])
    first, second = ({part.checker: part for part in leaves(run.verdict)} for run in (a, b))
    yield from _joined(
        {name: WORDS[part.valid] for name, part in first.items()},
        {name: WORDS[part.valid] for name, part in second.items()},
    )


def _anomalies(run: Material) -> dict[str, str]:
    found = Counter(anomaly.name for anomaly in run.verdict.anomalies)
    return {name: str(count) for name, count in found.items()}


def _counts(run: Material) -> dict[str, str]:
    return {
        f"{part.checker}: {name}": f"{value:g}" if isinstance(value, float) else str(value)
        for part in leaves(run.verdict)
        for name, value in part.counts.items()
        if isinstance(value, int | float | str)
    }


def _outcomes(run: Material) -> dict[str, str]:
    operations = run.history.operations()
    return {
        f: " / ".join(str(len(operations.where(f, outcome=outcome))) for outcome in (OK, FAIL, INFO))
        for f in operations.fs
        if len(operations.where(f))
    }


def _errors(run: Material) -> dict[str, str]:
    """The commonest reasons, without what tells one operation's from another's."""
    operations = run.history.operations()
    bad = np.flatnonzero(operations.outcome != OK)
    reasons = Counter(_reason(operations.error[row]) for row in bad)
    return {reason: str(count) for reason, count in reasons.most_common(_ERRORS_SHOWN)}


def _reason(error: Any) -> str:
    text = "no reason given" if error is None else brief(error, 60)
    return "".join("#" if character.isdigit() else character for character in text)


def _latencies(run: Material) -> dict[str, str]:
    operations = run.history.operations()
    found = {}
    for f in operations.fs:
        rows = operations.where(f, outcome=OK)
        if len(rows):
            took_ms = (operations.ret_time[rows] - operations.call_time[rows]) / 1e6
            found[f] = " / ".join(f"{np.percentile(took_ms, p):.1f}" for p in _PERCENTILES) + " ms"
    return found


def _availability(run: Material) -> dict[str, str]:
    history = run.history
    operations = history.operations()
    if not len(operations):
        return {}
    during = _during(operations.call_time, faults(history))
    ok = operations.outcome == OK
    return {
        "while no fault was active": _share(ok, ~during),
        "while one was": _share(ok, during),
        "longest time without an ok": f"{_longest_gap_s(history):.1f} s",
    }


def _during(times: NDArray[np.int64], some: tuple[Fault, ...]) -> NDArray[np.bool_]:
    inside = np.zeros(len(times), dtype=np.bool_)
    for fault in some:
        inside |= _within(times, fault)
    return inside


def _within(times: NDArray[np.int64], fault: Fault) -> NDArray[np.bool_]:
    end_ns = np.iinfo(np.int64).max if fault.end_ns is None else fault.end_ns
    return (times >= fault.begin_ns) & (times <= end_ns)


def _share(ok: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> str:
    count = int(chosen.sum())
    return f"{100 * int((ok & chosen).sum()) / count:.0f} % of {count}" if count else _NONE


def _longest_gap_s(history: History) -> float:
    """From the beginning, between two operations that ended well, and to the last event."""
    operations = history.operations()
    ended = np.sort(operations.ret_time[operations.where(outcome=OK)])
    moments = np.concatenate([[0], ended, [int(history.time.max())]])
    return float(np.diff(moments).max() / 1e9)


def _faults(run: Material) -> dict[str, str]:
    operations = run.history.operations()
    ok = operations.outcome == OK
    return {
        f"{fault.number}: {fault.kind} {' '.join(fault.nodes)}".rstrip(): (
            f"{'landed' if fault.landed else 'did not land'},"
            f" {_share(ok, _within(operations.call_time, fault))}"
        )
        for fault in faults(run.history)
    }
