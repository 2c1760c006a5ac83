"""``windtunnel replay`` and ``shrink``: a run again, and the smallest run that fails like it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from nemesis.schedule_file import from_json, write
from windtunnel import exits
from windtunnel.cli.show import show_run, styled
from windtunnel.commands import repeat_line
from windtunnel.names import BadInputError
from windtunnel.outcome import in_fresh_processes
from windtunnel.runner import run_test
from windtunnel.shrink import Case
from windtunnel.shrinking import BUDGET_RUNS, shrink_run
from windtunnel.spec import TestSpec, versions
from windtunnel.stored import SHRUNK, StoredRun, from_here, read_back

REPLAYS = 2
LATEST = Path("store/latest")

RunPath = Annotated[Path, typer.Argument(help="A run directory.")]
Budget = Annotated[int, typer.Option(min=1, help="Make at most this many runs.")]


def replay(run: RunPath = LATEST) -> None:
    """Run a recorded run again, twice, in fresh processes, and compare digests and verdicts."""
    stored = read_back(run)
    if stored.spec.backend != "sim":
        raise BadInputError(f"{run} ran on {stored.spec.backend}: only the simulator replays exactly.")
    console = Console()
    recorded = _recorded_digest(stored)
    again = in_fresh_processes(stored.spec, REPLAYS)
    console.print(f"recorded  {recorded or 'no digest: the run did not end'}", highlight=False)
    for number, outcome in enumerate(again, start=1):
        console.print(f"replay {number}  {outcome.digest}  {styled(outcome.valid)}", highlight=False)
    digests = {outcome.digest for outcome in again} | ({recorded} if recorded else set())
    if len(digests) > 1:
        console.print(f"[bold red]not the same run[/]{_other_versions(stored)}", highlight=False)
        raise exits.Finished(exits.UNKNOWN)
    console.print("[green]the same run, event by event[/]")
    if again[0].message:
        console.print(escape(again[0].message), highlight=False, soft_wrap=True)
    raise exits.Finished(exits.of(again[0].valid))


def shrink(run: RunPath = LATEST, budget: Budget = BUDGET_RUNS) -> None:
    """Find the smallest schedule and workload that still fail like a recorded run, and keep them."""
    stored = read_back(run)
    console = Console()
    smallest, path = shrink_stored(console, stored, budget)
    done = run_test(smallest)
    show_run(console, done)
    line = repeat_line(smallest, schedule=path)
    console.print(f"\nrepeat by {escape(line)}", highlight=False, soft_wrap=True)
    raise exits.Finished(exits.of(done.verdict.valid))


def shrink_stored(console: Console, stored: StoredRun, budget: int) -> tuple[TestSpec, Path]:
    """Shrink with progress; the smallest test, and the file in the run directory with its schedule."""
    with console.status("shrinking …") as status:

        def report(runs: int, smallest: Case) -> None:
            status.update(f"shrinking … run {runs}: {_size(smallest)}")

        smallest, shrunk = shrink_run(stored.spec, budget=budget, on_run=report)
    path = from_here(stored.directory.path / SHRUNK)
    write(path, tuple(from_json(fault) for fault in shrunk.case.faults))
    end = "nothing simpler fails" if shrunk.complete else f"stopped after {budget} runs"
    console.print(f"shrunk in {shrunk.runs} runs to {_size(shrunk.case)}; {end}", highlight=False)
    return smallest, path


def _size(case: Case) -> str:
    ops = "" if case.ops is None else f", {case.ops} ops"
    return f"{len(case.faults)} faults, {case.concurrency} clients, {case.time_limit_s:g} s{ops}"


def _recorded_digest(stored: StoredRun) -> str | None:
    if not (stored.directory.path / "results.json").exists():
        return None
    digest: Any = stored.directory.read_results().get("digest")
    return digest if isinstance(digest, str) else None


def _other_versions(stored: StoredRun) -> str:
    """Digests hold for one version of Python and of the code: say so when they are others."""
    recorded = stored.directory.read_test().get("versions") or {}
    now = versions()
    other = [f"{name} {recorded.get(name)}" for name in now if recorded.get(name) != now[name]]
    return f": it was recorded with {', '.join(other)}" if other else ", by the same versions"
