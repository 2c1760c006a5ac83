"""``windtunnel campaign``: many seeds of one test over all processors, and what they found."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape

from windtunnel import exits
from windtunnel.campaign import (
    SEED_MAX,
    Finding,
    Tally,
    parse_duration,
    parse_seeds,
    parse_shard,
    shard_of,
)
from windtunnel.campaign_log import CampaignLog
from windtunnel.campaigning import PROCESSORS, dask, run_campaign
from windtunnel.cli import options
from windtunnel.cli.progressing import seeds_progress
from windtunnel.commands import repeat_line
from windtunnel.names import BadInputError
from windtunnel.plan import prepare
from windtunnel.shrink import Case
from windtunnel.shrunk import keep_schedule, shrink_groups
from windtunnel.spec import TestSpec, versions

SEEDS_SHOWN = 5
DEFAULT_SEEDS = "0:100"

Seeds = Annotated[
    str | None,
    typer.Option(
        help="From A up to but not including B: A:B; A: has no end. 0:100 unless given, with --for 0:.",
        show_default=False,
    ),
]
Jobs = Annotated[int, typer.Option(min=1, help="Processes at a time.")]
Shard = Annotated[str, typer.Option(help="Only the i-th of n equal parts, counted from 0: i/n.")]
For = Annotated[str | None, typer.Option("--for", help="End after about so long: 90s, 10m, 1h.")]
Dask = Annotated[
    str | None, typer.Option("--dask", help="Run on the Dask cluster with this scheduler's address.")
]
Shrink = Annotated[bool, typer.Option("--shrink", help="Shrink the smallest seed of each group.")]
Out = Annotated[Path | None, typer.Option(help="The log to write or go on with (JSON lines).")]


def campaign(
    workload: options.Workload,
    seeds: Seeds = None,
    jobs: Jobs = PROCESSORS,
    shard: Shard = "0/1",
    for_: For = None,
    dask_: Dask = None,
    shrink: Shrink = False,
    nodes: options.Nodes = options.NODES,
    concurrency: options.Concurrency = options.DEFAULT.concurrency,
    rate: options.Rate = options.DEFAULT.rate,
    time_limit: options.TimeLimit = options.DEFAULT.time_limit_s,
    op_timeout: options.OpTimeout = options.DEFAULT.op_timeout_s,
    ops: options.Ops = None,
    faults: options.Faults = "all",
    targets: options.Targets = None,
    schedule: options.Schedule = None,
    mutant: options.Mutant = None,
    client: options.Client = None,
    option: options.Options = None,
    out: Out = None,
) -> None:
    """Run one test from many seeds in the simulator, and group what fails by what failed.

    A campaign that was stopped goes on from its log. Each failing seed is run twice.
    """
    spec = options.spec(
        workload, nodes=nodes, concurrency=concurrency, rate=rate, time_limit=time_limit,
        op_timeout=op_timeout, ops=ops, faults=faults, targets=targets, schedule=schedule, mutant=mutant,
        option=option,
        client=client,
    )  # fmt: skip
    prepare(spec)
    for_s = None if for_ is None else parse_duration(for_)
    asked = seeds or (DEFAULT_SEEDS if for_ is None else "0:")
    own = shard_of(parse_seeds(asked), parse_shard(shard))
    if own.stop >= SEED_MAX and for_s is None:
        raise BadInputError(f"--seeds {asked}: seeds without end need --for, as in --for 10m.")
    header = {"spec": spec.to_dict(), "versions": versions()}
    log = CampaignLog(out or log_path(header, asked, shard), header)
    console = Console()
    if log.done:
        known = sum(len(result.seeds) for result in log.done)
        console.print(f"{known} seeds stand in {escape(str(log.path))} already", soft_wrap=True)
    started = time.monotonic()
    try:
        tally = _run(console, spec, own, jobs=jobs, log=log, for_s=for_s, address=dask_)
        show(console, spec, tally, time.monotonic() - started, schedule)
        if shrink:
            shrink_into(console, spec, tally, log)
    except KeyboardInterrupt:
        console.print(f"[yellow]stopped[/]; the same command goes on from {escape(str(log.path))}")
        raise exits.Finished(exits.INTERRUPTED) from None
    console.print(f"log {escape(str(log.path))}", soft_wrap=True)
    raise exits.Finished(exits.of(tally.valid))


def shrink_into(console: Console, spec: TestSpec, tally: Tally, log: CampaignLog) -> None:
    """Shrink each group of failures, keep that in the log, and say how it is repeated."""
    with console.status("shrinking …") as status:

        def report(signature: str, runs: int, smallest: Case) -> None:
            status.update(f"shrinking {escape(signature)} … run {runs}: {len(smallest.faults)} faults")

        for entry in shrink_groups(tally, spec, known=log.shrunk, on_run=report):
            log.write_shrunk(entry)
            line = keep_schedule(log.path.parent, entry)
            faults = len(entry["spec"]["schedule"])
            console.print(
                f"\n[bold]{escape(entry['signature'])}[/] shrunk from seed {entry['seed']} in "
                f"{entry['runs']} runs to {faults} faults\n  {escape(line)}",
                highlight=False,
                soft_wrap=True,
            )


def show(
    console: Console,
    spec: TestSpec,
    tally: Tally,
    elapsed_s: float | None = None,
    schedule: Path | None = None,
) -> None:
    """The figures of a campaign and its groups of failures."""
    here = "" if elapsed_s is None else f"{elapsed_s:,.1f} s here, "
    valid = tally.seeds - tally.invalid - tally.unknown
    mutant = f" with mutant {spec.mutant}" if spec.mutant else ""
    pace = f", {3600 * tally.seeds / tally.cpu_s:,.0f} seeds per CPU hour" if tally.cpu_s else ""
    console.print(
        f"[bold]{spec.workload}[/]{mutant}: {tally.seeds} seeds, [green]{valid} valid[/], "
        f"[red]{tally.invalid} invalid[/], [yellow]{tally.unknown} unknown[/]; "
        f"{tally.simulated_s:,.0f} simulated s in {tally.cpu_s:,.1f} CPU s{pace}; "
        f"{here}{tally.rss_mb:.0f} MB per worker",
        highlight=False,
    )
    if tally.faults:
        told = (f"{kind} {landed}/{begun}" for kind, (begun, landed) in sorted(tally.faults.items()))
        console.print(f"faults landed: {', '.join(told)}", highlight=False, style="dim")
    for signature, findings in tally.by_signature().items():
        _show_group(console, spec, signature, findings, schedule)


def log_path(header: Mapping[str, Any], seeds: str, shard: str) -> Path:
    """One log per test, version and range: what other code found is not counted for this one."""
    digest = blake2b(orjson.dumps(header), digest_size=4).hexdigest()
    part = "" if shard == "0/1" else f"-{shard.replace('/', 'of')}"
    name = f"{header['spec']['workload']}-{seeds.replace(':', '-')}{part}-{digest}.jsonl"
    return options.STORE / "campaigns" / name


def _run(
    console: Console,
    spec: TestSpec,
    seeds: range,
    *,
    jobs: int,
    log: CampaignLog,
    for_s: float | None,
    address: str | None,
) -> Tally:
    with ExitStack() as stack:
        executor = None
        if address is not None:
            executor, jobs = stack.enter_context(dask(address))
        advance = stack.enter_context(seeds_progress(console, spec.workload, seeds))
        return run_campaign(
            spec, seeds, executor=executor, jobs=jobs, log=log, for_s=for_s, on_chunk=advance
        )


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
