"""``windtunnel campaign``: many seeds of one test over all processors, and what they found."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from windtunnel import exits
from windtunnel.campaign import (
    CampaignLog,
    ChunkResult,
    Finding,
    Tally,
    chunks,
    parse_seeds,
    parse_shard,
    run_campaign,
)
from windtunnel.cli import options
from windtunnel.plan import prepare
from windtunnel.repeat import repeat_line
from windtunnel.soak import chunk_worker, workers
from windtunnel.spec import TestSpec, versions

SEEDS_SHOWN = 5
PROCESSORS = os.cpu_count() or 1

Seeds = Annotated[str, typer.Option(help="From A up to but not including B: A:B.")]
Jobs = Annotated[int, typer.Option(min=1, help="Processes at a time.")]
Shard = Annotated[str, typer.Option(help="Only the i-th of n equal parts, counted from 0: i/n.")]
Out = Annotated[Path | None, typer.Option(help="The log to write or go on with (JSON lines).")]


def campaign(
    workload: options.Workload,
    seeds: Seeds = "0:100",
    jobs: Jobs = PROCESSORS,
    shard: Shard = "0/1",
    nodes: options.Nodes = options.NODES,
    concurrency: options.Concurrency = options.DEFAULT.concurrency,
    rate: options.Rate = options.DEFAULT.rate,
    time_limit: options.TimeLimit = options.DEFAULT.time_limit_s,
    op_timeout: options.OpTimeout = options.DEFAULT.op_timeout_s,
    ops: options.Ops = None,
    faults: options.Faults = "all",
    targets: options.Targets = options.TARGETS,
    schedule: options.Schedule = None,
    mutant: options.Mutant = None,
    option: options.Options = None,
    out: Out = None,
) -> None:
    """Run one test from many seeds in the simulator, and group what fails by what failed.

    A campaign that was stopped goes on from its log. Each failing seed is run twice.
    """
    spec = options.spec(
        workload,
        nodes=nodes,
        concurrency=concurrency,
        rate=rate,
        time_limit=time_limit,
        op_timeout=op_timeout,
        ops=ops,
        faults=faults,
        targets=targets,
        schedule=schedule,
        mutant=mutant,
        option=option,
    )
    prepare(spec)
    pieces = chunks(parse_seeds(seeds), shard=parse_shard(shard), jobs=jobs)
    header = {"spec": spec.to_dict(), "versions": versions()}
    log = CampaignLog(out or _log_path(header, seeds, shard), header)
    console = Console()
    if log.done:
        known = sum(len(result.seeds) for result in log.done)
        console.print(f"{known} seeds stand in {escape(str(log.path))} already", soft_wrap=True)
    started = time.monotonic()
    try:
        tally = _with_progress(console, spec, pieces, jobs, log)
    except KeyboardInterrupt:
        console.print(f"[yellow]stopped[/]; the same command goes on from {escape(str(log.path))}")
        raise exits.Finished(exits.INTERRUPTED) from None
    _show(console, spec, tally, time.monotonic() - started, schedule)
    console.print(f"log {escape(str(log.path))}", soft_wrap=True)
    raise exits.Finished(exits.of(tally.valid))


def _with_progress(
    console: Console, spec: TestSpec, pieces: list[range], jobs: int, log: CampaignLog
) -> Tally:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("seeds"),
        TextColumn("{task.fields[pace]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(spec.workload, total=sum(map(len, pieces)), pace="")
        started = time.monotonic()
        fresh = 0

        def advance(tally: Tally, result: ChunkResult) -> None:
            nonlocal fresh
            fresh += len(result.seeds)
            per_hour = 3600 * fresh / (time.monotonic() - started)
            pace = f"{per_hour:,.0f}/h  {tally.invalid} invalid  {tally.unknown} unknown"
            progress.update(task, completed=tally.seeds, pace=pace)

        with workers(jobs) as executor:
            work = chunk_worker(spec)
            return run_campaign(work, pieces, executor=executor, jobs=jobs, log=log, on_chunk=advance)


def _show(
    console: Console, spec: TestSpec, tally: Tally, elapsed_s: float, schedule: Path | None
) -> None:
    valid = tally.seeds - tally.invalid - tally.unknown
    console.print(
        f"[bold]{spec.workload}[/]: {tally.seeds} seeds, [green]{valid} valid[/], "
        f"[red]{tally.invalid} invalid[/], [yellow]{tally.unknown} unknown[/]; "
        f"{tally.simulated_s:,.0f} simulated s in {tally.cpu_s:,.1f} CPU s, "
        f"{elapsed_s:,.1f} s here, {tally.rss_mb:.0f} MB per worker",
        highlight=False,
    )
    for signature, findings in tally.by_signature().items():
        _show_group(console, spec, signature, findings, schedule)


def _show_group(
    console: Console, spec: TestSpec, signature: str, findings: list[Finding], schedule: Path | None
) -> None:
    style = "red" if findings[0].valid is False else "yellow"
    console.print(f"\n[bold {style}]{escape(signature)}[/]: {len(findings)} seeds", highlight=False)
    for finding in findings[:SEEDS_SHOWN]:
        note = "" if finding.deterministic else "  [yellow](not deterministic: two runs differ)[/]"
        line = repeat_line(spec.with_seed(finding.seed), schedule=schedule)
        console.print(f"  {escape(line)}{note}", highlight=False, soft_wrap=True)
    console.print(f"  [dim]{escape(findings[0].message)}[/]", highlight=False)


def _log_path(header: Mapping[str, Any], seeds: str, shard: str) -> Path:
    """One log per test, version and range: what other code found is not counted for this one."""
    digest = blake2b(orjson.dumps(header), digest_size=4).hexdigest()
    part = "" if shard == "0/1" else f"-{shard.replace('/', 'of')}"
    name = f"{header['spec']['workload']}-{seeds.replace(':', '-')}{part}-{digest}.jsonl"
    return options.STORE / "campaigns" / name
