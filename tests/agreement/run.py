"""One trial on one cluster, by the command line that everybody has."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from impl.mutants.mutant import Mutant
from tests.agreement.trials import Trial
from tests.support.realclusters import ROOT, alone
from windtunnel import exits

WITHIN_S = 300
_LAST_LINES = 6
_VERDICTS = {exits.VALID: "valid", exits.INVALID: "invalid", exits.UNKNOWN: "unknown"}


class Found(NamedTuple):
    """What one side says: its verdict, and the anomalies of the checker that is meant to see it."""

    verdict: str
    anomalies: tuple[str, ...]


def found(mutant: Mutant, trial: Trial, cluster: str) -> Found:
    """Run it. Raises RuntimeError, with the last lines that were said, when there is no verdict."""
    with tempfile.TemporaryDirectory(prefix="windtunnel-agreement-") as place:
        schedule = Path(place, "schedule.json")
        schedule.write_bytes(orjson.dumps([dict(fault) for fault in trial.faults]))
        with nullcontext() if cluster == "sim" else alone():
            done = subprocess.run(
                [sys.executable, "-m", "windtunnel", *_arguments(mutant, trial, cluster, schedule)],
                cwd=place,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
                capture_output=True,
                text=True,
                timeout=WITHIN_S,
                check=False,
            )
        if done.returncode not in _VERDICTS:
            said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
            last = " | ".join(said[-_LAST_LINES:])
            raise RuntimeError(f"{mutant.name} on {cluster}: exit {done.returncode}: {last}")
        results = orjson.loads(Path(place, "store", "latest", "results.json").read_bytes())
    return Found(_VERDICTS[done.returncode], _anomalies(results.get(mutant.caught_by, {})))


def _arguments(mutant: Mutant, trial: Trial, cluster: str, schedule: Path) -> list[str]:
    return [
        *("run", mutant.workload, "--mutant", mutant.name, "--cluster", cluster, "--seed", "1"),
        *("--nodes", "3"),
        *("--rate", f"{trial.rate:g}", "--concurrency", str(trial.concurrency)),
        *("--time-limit", f"{trial.time_limit_s:g}", "--schedule", str(schedule)),
    ]


def _anomalies(verdict: Mapping[str, Any]) -> tuple[str, ...]:
    """Their names, the most frequent first."""
    counts: Mapping[str, int] = verdict.get("anomaly-count", {})
    names = dict.fromkeys(anomaly["name"] for anomaly in verdict.get("anomalies", ()))
    return tuple(sorted(names, key=lambda name: -counts.get(name, 0)))
