"""A run as the page tells it: plain data, ready for the template; nothing here knows HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from checkers.verdict import Verdict
from history.history import FAIL, INFO, OK, History
from reports.clocks import clocks
from reports.faults import Fault, faults
from reports.logs import logs
from reports.marks import log_marks, marks
from reports.material import HISTORY_FILE, Material
from reports.messages import messages
from reports.text import brief, safe, seconds
from reports.timeline import BUDGET_BYTES, Scene, Timeline, end_ns, timeline
from reports.verdicts import SYMBOLS, WORDS, leaves
from reports.witness import Witness, witness

MAX_WITNESSES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckerRow:
    """One checker: ``verdict`` is valid, invalid or unknown, ``figures`` its counts as text."""

    name: str
    verdict: str
    symbol: str
    anomalies: int
    figures: tuple[tuple[str, str], ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRow:
    """How often a function was invoked and how that ended."""

    name: str
    count: int
    ok: int
    fail: int
    info: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """``sentence`` is the first anomaly's, or the reason why nothing is known, or what held."""

    title: str
    verdict: str
    symbol: str
    sentence: str
    anomaly: str
    repeat: str
    facts: tuple[tuple[str, str], ...]
    checkers: tuple[CheckerRow, ...]
    functions: tuple[FunctionRow, ...]
    faults: tuple[Fault, ...]
    faults_planned: int
    witnesses: tuple[Witness, ...]
    anomalies: int
    notes: tuple[str, ...]
    timeline: Timeline
    history_file: str
    has_events: bool
    has_logs: bool
    has_clocks: bool


def view(material: Material, *, budget_bytes: int | None = BUDGET_BYTES) -> Page:
    """The page of a run; ``budget_bytes`` is how large the page may become, None for no limit."""
    verdict, history = material.verdict, material.history
    thrown = faults(history)
    notes = [safe(problem) for problem in material.problems]
    scene = _scene(material, thrown)
    drawn = timeline(history, scene, budget_bytes=budget_bytes)
    notes += _left_out(drawn)
    planned = material.facts.get("faults_planned")
    return Page(
        title=safe(material.title, limit=200),
        verdict=WORDS[verdict.valid],
        symbol=SYMBOLS[verdict.valid],
        sentence=_sentence(verdict, history),
        anomaly=safe(verdict.anomalies[0].name, limit=100) if verdict.anomalies else "",
        repeat=material.repeat or "",
        facts=_facts(material),
        checkers=tuple(_checker(part) for part in leaves(verdict)),
        functions=_functions(history),
        faults=thrown,
        faults_planned=planned if isinstance(planned, int) else len(thrown),
        witnesses=_witnesses(material, thrown),
        anomalies=len(verdict.anomalies),
        notes=tuple(notes),
        timeline=drawn,
        history_file=HISTORY_FILE,
        has_events=len(history) > 0,
        has_logs=any(log.lines for log in scene.logs),
        has_clocks=bool(scene.clocks),
    )


def _scene(material: Material, thrown: tuple[Fault, ...]) -> Scene:
    history = material.history
    start = material.facts.get("start_wall_ns")
    lines = logs(material.logs, start_wall_ns=start if isinstance(start, int) else None)
    patterns = material.facts.get("marks")
    return Scene(
        nodes=material.nodes,
        concurrency=_concurrency(material),
        faults=thrown,
        anomalies=material.verdict.anomalies,
        marks=(
            *marks(history),
            *log_marks(lines, patterns if isinstance(patterns, Mapping) else {}),
        ),
        clocks=clocks(history, material.nodes, end_ns(history)),
        logs=lines,
    )


def _concurrency(material: Material) -> int | None:
    told = material.spec.get("concurrency")
    return told if isinstance(told, int) and told > 0 else None


def _sentence(verdict: Verdict, history: History) -> str:
    if verdict.anomalies:
        return safe(verdict.anomalies[0].message)
    if verdict.reason:
        return safe(verdict.reason)
    return f"Nothing contradicts what was promised in {len(history.operations()):,} operations."


def _facts(material: Material) -> tuple[tuple[str, str], ...]:
    spec, results = material.spec, material.results
    pairs = {
        "workload": material.workload,
        "mutant": spec.get("mutant"),
        "seed": spec.get("seed"),
        "digest": results.get("digest"),
        "cluster": spec.get("backend"),
        "nodes": ", ".join(material.nodes),
        "clients": spec.get("concurrency"),
        "faults": ", ".join(map(str, spec.get("faults") or ())),
        "operations": f"{len(material.history.operations()):,}",
        "ran for": _ran_for(material),
        "interrupted": "yes" if results.get("interrupted") else None,
        **material.versions,
        "run": material.name,
    }
    told = ((name, value) for name, value in pairs.items() if value not in (None, ""))
    return tuple((safe(str(name), limit=60), brief(str(value), 200)) for name, value in told)


def _ran_for(material: Material) -> str:
    ran_s = material.results.get("ran_s")
    return f"{ran_s:.1f} s" if isinstance(ran_s, int | float) else seconds(end_ns(material.history))


def _checker(part: Verdict) -> CheckerRow:
    return CheckerRow(
        name=safe(part.checker, limit=100),
        verdict=WORDS[part.valid],
        symbol=SYMBOLS[part.valid],
        anomalies=len(part.anomalies),
        figures=tuple(
            (safe(str(name), limit=60), brief(value, 120))
            for name, value in part.counts.items()
            if value not in ({}, [], None)
        ),
        reason=safe(part.reason or ""),
    )


def _functions(history: History) -> tuple[FunctionRow, ...]:
    operations = history.operations()
    rows = []
    for code in np.unique(operations.f).tolist():
        outcome = operations.outcome[operations.f == code]
        ok, fail, info = (int(np.count_nonzero(outcome == one)) for one in (OK, FAIL, INFO))
        name = safe(operations.fs[code], limit=100)
        rows.append(FunctionRow(name=name, count=len(outcome), ok=ok, fail=fail, info=info))
    return tuple(rows)


def _witnesses(material: Material, thrown: tuple[Fault, ...]) -> tuple[Witness, ...]:
    found = [(part.checker, one) for part in leaves(material.verdict) for one in part.anomalies]
    sent = messages(material.messages)
    return tuple(
        witness(number, safe(checker, limit=100), anomaly, material.history, thrown, sent)
        for number, (checker, anomaly) in enumerate(found[:MAX_WITNESSES], 1)
    )


def _left_out(drawn: Timeline) -> list[str]:
    if drawn.kept == drawn.operations:
        return []
    windows = len(drawn.spans)
    return [
        f"To keep this page small, {drawn.operations - drawn.kept:,} of {drawn.operations:,} operations"
        f" are left out of the timeline: it has those around anomalies and faults, in {windows:,}"
        f" {'window' if windows == 1 else 'windows'}; {HISTORY_FILE} beside this page has all of them."
    ]
