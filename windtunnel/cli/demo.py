"""``windtunnel demo``: what all this is for, shown in half a minute."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from history.store import RunDirectory
from windtunnel import exits
from windtunnel.cli import options
from windtunnel.cli.main_job import main_job
from windtunnel.cli.repeating import shrink_stored
from windtunnel.cli.show import show_anomaly, show_faults, styled
from windtunnel.commands import repeat_line
from windtunnel.judge import leaves
from windtunnel.names import find
from windtunnel.outcome import in_fresh_processes, signatures
from windtunnel.plan import BACKENDS
from windtunnel.runner import Run, run_test
from windtunnel.spec import TestSpec
from windtunnel.stored import read_back, run_stored
from workloads.registry import WORKLOADS

IDS = ("snowflake", "autoincrement", "uuid")
MUTANT = TestSpec(workload="snowflake", mutant="snowflake-guard-in-memory")
SEEDS_MAX = 50
BUDGET_RUNS = 200
DIGITS = 12


def demo(
    cluster: options.Backend = options.DEFAULT.backend,
    inventory: options.Inventory = None,
    store: options.Store = options.STORE,
) -> None:
    """Show five simulated nodes hand out IDs under faults; catch a bug. On real ones: the main job.

    With --cluster docker, local or ssh: IDs, an election, a lock and a queue at the same time.
    """
    find("cluster", cluster, BACKENDS)
    if cluster != options.DEFAULT.backend:
        main_job(cluster, inventory=inventory, store=store)
    console = Console()
    sound = _correct_code(console, store)
    _known_bug(console, store)
    raise exits.Finished(exits.VALID if sound else exits.INVALID)


def _correct_code(console: Console, store: Path) -> bool:
    console.rule("Five nodes, five clients, 30 simulated seconds, every fault there is")
    table = Table("workload", "verdict", "operations", "faults landed", "CPU", "digest", box=None)
    table.header_style = "dim"
    verdicts = []
    for workload in IDS:
        run, _ = run_stored(TestSpec(workload=workload, seed=1), store)
        verdicts.append(run.verdict.valid)
        counts = {part.checker: part.counts for part in leaves(run.verdict)}["fault-coverage"]
        landed = f"{counts['landed']} of {counts['planned']}"
        operations = str(len(run.history.operations()))
        cpu, digest = f"{run.cpu_s:.2f} s", (run.digest or "")[:DIGITS]
        table.add_row(workload, styled(run.verdict.valid), operations, landed, cpu, digest)
    console.print(table)
    return all(valid is True for valid in verdicts)


def _known_bug(console: Console, store: Path) -> None:
    console.print()
    console.rule("The same with a known bug: the clock guard is only in memory")
    run, directory = _first_failure(store)
    console.print(f"seed {run.spec.seed}: {styled(run.verdict.valid)}", highlight=False)
    show_anomaly(console, run.verdict.anomalies[0], run.history)
    console.print()
    show_faults(console, run.history)
    again = in_fresh_processes(run.spec, 1)[0]
    same = "[green]the same[/]" if again.digest == run.digest else "[red]another[/]"
    console.print(f"\nreplayed in a fresh process: {same} digest {again.digest}", highlight=False)
    smallest, path = shrink_stored(console, read_back(directory.path), BUDGET_RUNS)
    console.print(escape(path.read_text().strip()), highlight=False, soft_wrap=True)
    _where(console, directory, repeat_line(smallest, schedule=path))


def _first_failure(store: Path) -> tuple[Run, RunDirectory]:
    """The first seed that shows the bug, run once more to keep its history."""
    for seed in range(1, SEEDS_MAX + 1):
        if signatures(run_test(MUTANT.with_seed(seed)).verdict):
            return run_stored(MUTANT.with_seed(seed), store)
    raise AssertionError(f"{MUTANT.mutant} was not caught within {SEEDS_MAX} seeds")


def _where(console: Console, directory: RunDirectory, line: str) -> None:
    console.print(f"\nhistory   {escape(str(directory.history_path))}", highlight=False, soft_wrap=True)
    console.print(f"repeat by {escape(line)}", highlight=False, soft_wrap=True)
    console.print(f"next      windtunnel list, windtunnel run --help; {len(WORKLOADS)} workloads")
