"""The gist of a run: small enough to cross processes, enough to tell two failures apart."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from checkers.verdict import Validity, Verdict
from windtunnel.runner import Run, run_test
from windtunnel.spec import TestSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``signatures`` name what failed as ``checker: anomaly``, or why nothing can be said."""

    valid: Validity
    signatures: tuple[str, ...]
    message: str
    digest: str | None


def outcome_of(run: Run) -> Outcome:
    """The gist of ``run``; its message is the first anomaly's sentence, or the reason."""
    verdict = run.verdict
    first = verdict.anomalies[0].message if verdict.anomalies else verdict.reason or ""
    return Outcome(valid=verdict.valid, signatures=signatures(verdict), message=first, digest=run.digest)


def signatures(verdict: Verdict) -> tuple[str, ...]:
    """What failed, each once, in the order of the checkers; of an unknown verdict, its reasons."""
    parts = verdict.parts or (verdict,)
    if verdict.valid == "unknown":
        return tuple(f"{part.checker}: {part.reason}" for part in parts if part.valid == "unknown")
    failed = (f"{part.checker}: {anomaly.name}" for part in parts for anomaly in part.anomalies)
    return tuple(dict.fromkeys(failed))


def in_fresh_processes(spec: TestSpec, times: int) -> list[Outcome]:
    """Run ``spec`` ``times`` times, one after the other, each in a process of its own."""
    return _fresh([spec.to_dict()] * times)


def _fresh(entries: Sequence[dict[str, Any]]) -> list[Outcome]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        return list(pool.map(_run, entries))


def _run(entry: dict[str, Any]) -> Outcome:
    return outcome_of(run_test(TestSpec.from_dict(entry)))
