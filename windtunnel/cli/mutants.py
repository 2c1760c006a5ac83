"""``windtunnel mutants``: every known bug over some seeds, and which checker caught which."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from checkers.verdict import Validity
from impl.mutants.mutant import Mutant
from impl.mutants.registry import MUTANTS
from windtunnel import exits
from windtunnel.campaign import Tally, parse_duration, parse_seeds, work_off
from windtunnel.campaign_log import CampaignLog
from windtunnel.campaigning import PROCESSORS
from windtunnel.cli import options
from windtunnel.cli.campaigns import For, Jobs, shrink_into
from windtunnel.cli.progressing import seeds_progress
from windtunnel.cli.report import write_campaign_page
from windtunnel.names import BadInputError, find
from windtunnel.plan import prepare
from windtunnel.soak import chunk_worker, workers
from windtunnel.spec import TestSpec, node_names, versions
from workloads.registry import WORKLOADS

Names = Annotated[
    list[str] | None, typer.Argument(help="Mutants; all unless named.", show_default=False)
]
Only = Annotated[str | None, typer.Option("--workload", help="Those of this workload alone.")]
Seeds = Annotated[str, typer.Option(help="From A up to but not including B: A:B.")]
Shrink = Annotated[bool, typer.Option("--shrink", help="Shrink each counterexample, and draw it.")]
Out = Annotated[Path, typer.Option(help="The directory of logs and page.")]


def mutants(
    names: Names = None,
    workload: Only = None,
    seeds: Seeds = "1:31",
    jobs: Jobs = PROCESSORS,
    for_: For = None,
    shrink: Shrink = False,
    out: Out = options.STORE / "campaigns" / "mutants",
) -> None:
    """Run every known bug from some seeds: which checker catches it, and at which seed.

    Exits with 0 when each was caught by the checker that is meant for it. --for bounds each mutant's
    time. Goes on from its logs, and writes the kill matrix as a page beside them.
    """
    asked = parse_seeds(seeds)
    for_s = None if for_ is None else parse_duration(for_)
    chosen = list(_chosen(names, workload))
    console = Console()
    logs: dict[str, CampaignLog] = {}
    tallies: dict[str, Tally] = {}
    with workers(jobs) as executor:
        for mutant, spec in chosen:
            log = logs[mutant.name] = _log(out, spec)
            until = None if for_s is None else time.time() + for_s
            tallies[mutant.name] = _run(console, spec, asked, executor, jobs, log, until)
    if shrink:
        for mutant, spec in chosen:
            shrink_into(console, spec, tallies[mutant.name], logs[mutant.name])
    missed = _show(console, [mutant for mutant, _ in chosen], tallies)
    page = out / "mutants.html"
    write_campaign_page([log.path for log in logs.values()], page)
    console.print(f"\npage {escape(str(page))}", soft_wrap=True)
    raise exits.Finished(exits.INVALID if missed else exits.VALID)


def workload_of(mutant: Mutant) -> str:
    """The workload that is meant to show a mutant: the one it names, else the first that takes it."""
    if named := getattr(mutant, "workload", ""):
        return str(named)
    for name in WORKLOADS:
        try:
            prepare(TestSpec(workload=name, mutant=mutant.name))
        except BadInputError:
            continue
        return name
    raise BadInputError(f"mutant {mutant.name!r} belongs to no workload.")


def _chosen(names: list[str] | None, workload: str | None) -> Iterator[tuple[Mutant, TestSpec]]:
    """The mutants, each with its test. Raises BadInputError for a name that does not exist."""
    if workload is not None:
        find("workload", workload, WORKLOADS)
    chosen = MUTANTS.values() if not names else [find("mutant", name, MUTANTS) for name in names]
    specs = [(one, _spec_of(one)) for one in chosen]
    fitting = [(one, spec) for one, spec in specs if workload in (None, spec.workload)]
    if not fitting:
        raise BadInputError(f"--workload {workload}: none of these mutants is of that workload.")
    yield from fitting


def _spec_of(mutant: Mutant) -> TestSpec:
    return TestSpec(
        workload=workload_of(mutant),
        mutant=mutant.name,
        nodes=node_names(mutant.size),
        faults=mutant.weather,
    )


def _log(out: Path, spec: TestSpec) -> CampaignLog:
    """One log per mutant and version; of a checkout that was changed, nobody knows what it holds."""
    known = versions()
    version = known.get("commit", known["windtunnel"])
    path = out / f"{spec.mutant}-{version}.jsonl"
    if version.endswith("dirty"):
        path.unlink(missing_ok=True)
    return CampaignLog(path, {"spec": spec.to_dict(), "versions": known})


def _run(
    console: Console,
    spec: TestSpec,
    seeds: range,
    executor: Executor,
    jobs: int,
    log: CampaignLog,
    until: float | None,
) -> Tally:
    with seeds_progress(console, str(spec.mutant), seeds) as advance:
        return work_off(
            chunk_worker(spec, until=until),
            seeds,
            executor=executor,
            jobs=jobs,
            log=log,
            until=until,
            on_chunk=advance,
        )


def _show(console: Console, chosen: list[Mutant], tallies: dict[str, Tally]) -> list[str]:
    """The matrix; the names of the mutants that the checker meant for them did not catch."""
    table = Table("mutant", "seeds", "meant for", "first seed", "caught by", box=None, pad_edge=False)
    table.header_style = "dim"
    missed = []
    for mutant in chosen:
        tally = tallies[mutant.name]
        caught = caught_by(tally)
        count, first = caught.get(mutant.caught_by, (0, 0))
        if not count:
            missed.append(mutant.name)
        others = ", ".join(f"{name} {count}" for name, (count, _) in sorted(caught.items()))
        at = f"[green]{first}[/]" if count else "[bold red]missed[/]"
        table.add_row(mutant.name, str(tally.seeds), mutant.caught_by, at, escape(others))
    console.print(table)
    return missed


def caught_by(tally: Tally) -> dict[str, tuple[int, int]]:
    """By checker, how many seeds it found invalid, and the first."""
    seeds: dict[str, list[int]] = {}
    for finding in tally.findings:
        valid: Validity = finding.valid
        if valid is False:
            for checker in {signature.partition(": ")[0] for signature in finding.signatures}:
                seeds.setdefault(checker, []).append(finding.seed)
    return {checker: (len(found), min(found)) for checker, found in seeds.items()}
