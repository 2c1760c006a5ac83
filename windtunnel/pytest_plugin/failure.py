"""The text of a failure: what contradicts what, under which faults, its page, how to repeat it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from nemesis.schedule_file import from_json, write
from reports import page
from windtunnel.cli.show import WORDS, show_faults, show_verdict
from windtunnel.outcome import outcome_of
from windtunnel.plan import Workloads
from windtunnel.pytest_plugin.settings import Settings, repeat_line
from windtunnel.runner import Run
from windtunnel.shrinking import shrink_run
from windtunnel.stored import SHRUNK, from_here, run_stored

PAGE = "report.html"
WIDTH = 118
BUDGET_RUNS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a failing test says; ``page`` is the report, ``repeat`` the command."""

    text: str
    page: Path
    repeat: str


def explained(item: Any, run: Run, settings: Settings, workloads: Workloads) -> Told:
    """Run the failing seed once more, keep everything, shrink it if that is wanted, and say it."""
    line = repeat_line(item, settings, smallest=None)
    again, directory = run_stored(run.spec, settings.store, workloads=workloads, repeat=line)
    path = from_here(directory.path / PAGE)
    page.write(directory.path, directory.path / PAGE)
    lines = [
        _headline(run),
        *_printed(lambda console: show_verdict(console, run.verdict, run.history)),
        "",
        *_printed(lambda console: show_faults(console, run.history)),
        "",
        f"digest    {run.digest}" if run.digest else f"ran       on {run.spec.backend}",
        f"report    {path}",
        f"repeat by {line}",
    ]
    if run.digest and outcome_of(again) != outcome_of(run):
        lines.append(f"not deterministic: the same seed gave {again.digest} when it was run again")
    if os.environ.get("PYTHONHASHSEED", "random") == "random":
        lines.append("PYTHONHASHSEED is not set: a library that iterates over sets of text may differ")
    if settings.shrink and run.verdict.valid is False:
        lines += _shrunk(item, settings, workloads, directory.path)
    return Told(text="\n".join(lines), page=path, repeat=line)


def _headline(run: Run) -> str:
    said = outcome_of(run)
    name = f"{run.verdict.anomalies[0].name}: " if run.verdict.anomalies else ""
    return f"seed {run.spec.seed} is {WORDS[run.verdict.valid]}: {name}{said.message}"


def _shrunk(item: Any, settings: Settings, workloads: Workloads, directory: Path) -> list[str]:
    if settings.spec.backend != "sim":
        return ["not shrunk: only runs of the simulator can be"]
    smallest, found = shrink_run(settings.spec, workloads=workloads, budget=BUDGET_RUNS)
    path = directory / SHRUNK
    write(path, tuple(from_json(fault) for fault in found.case.faults))
    line = repeat_line(item, settings, smallest=(smallest, from_here(path)))
    return [
        f"shrunk in {found.runs} runs to {len(found.case.faults)} faults: {path}",
        f"repeat by {line}",
    ]


def _printed(show: Callable[[Console], None]) -> list[str]:
    """What is printed to a terminal, as plain lines."""
    console = Console(file=io.StringIO(), width=WIDTH, no_color=True, highlight=False)
    show(console)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().rstrip("\n").split("\n")]
