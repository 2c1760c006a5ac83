"""``windtunnel run`` and ``windtunnel check``: one run, or one history, and its verdict."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape

from history.errors import HistoryWarning
from reports import page
from windtunnel import exits
from windtunnel.checking import check_as_model, check_as_run, check_as_workload
from windtunnel.cli import options
from windtunnel.cli.cluster import enter
from windtunnel.cli.report import PAGE
from windtunnel.cli.show import show_run, show_verdict, styled
from windtunnel.commands import repeat_line
from windtunnel.names import BadInputError
from windtunnel.stored import run_stored

Seed = Annotated[int, typer.Option(help="Decides everything that is random.")]
History_ = Annotated[Path, typer.Argument(help="A history file or a run directory.", show_default=False)]
WorkloadName = Annotated[str | None, typer.Option("--workload", help="Judge it as this workload's.")]
Model = Annotated[str | None, typer.Option(help="Judge it as linearizable against this model.")]
Initial = Annotated[str | None, typer.Option(help="What objects of the model start with, as JSON.")]


def run(
    workload: options.Workload,
    seed: Seed = 0,
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
    cluster: options.Backend = options.DEFAULT.backend,
    system: options.System = None,
    inventory: options.Inventory = None,
    client: options.Client = None,
    option: options.Options = None,
    store: options.Store = options.STORE,
) -> None:
    """Run one workload from one seed, under faults, and judge what happened."""
    spec = options.spec(
        workload, seed=seed, nodes=nodes, concurrency=concurrency, rate=rate, time_limit=time_limit,
        op_timeout=op_timeout, ops=ops, faults=faults, targets=targets, schedule=schedule, mutant=mutant,
        cluster=cluster, option=option, client=client, system=system, inventory=inventory,
    )  # fmt: skip
    enter(spec.backend)
    console = Console()
    with console.status(f"{spec.workload}, seed {spec.seed}: Ctrl-C ends it and judges what there is"):
        done, directory = run_stored(spec, store)
    show_run(console, done)
    page.write(directory.path, directory.path / PAGE)
    console.print(f"\nkept in   {escape(str(directory.path))}", highlight=False, soft_wrap=True)
    console.print(f"report    {escape(str(directory.path / PAGE))}", highlight=False, soft_wrap=True)
    console.print(
        f"repeat by {escape(repeat_line(spec, schedule=schedule))}", highlight=False, soft_wrap=True
    )
    raise exits.Finished(exits.INTERRUPTED if done.interrupted else exits.of(done.verdict.valid))


def check(
    history: History_,
    workload: WorkloadName = None,
    model: Model = None,
    initial: Initial = None,
) -> None:
    """Judge a recorded history again: a run directory, or a file with --workload or --model."""
    if workload and model:
        raise BadInputError("--workload and --model exclude each other: give one of them.")
    console = Console()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", HistoryWarning)
        if model is not None:
            verdict, read_ = check_as_model(history, model, _parsed(initial))
        elif workload is not None:
            verdict, read_ = check_as_workload(history, workload)
        else:
            verdict, read_ = check_as_run(history)
    for warning in caught:
        console.print(f"[yellow]warning[/]: {escape(str(warning.message))}", soft_wrap=True)
    console.print(f"{escape(str(history))}: {styled(verdict.valid)}", highlight=False, soft_wrap=True)
    show_verdict(console, verdict, read_)
    raise exits.Finished(exits.of(verdict.valid))


def _parsed(initial: str | None) -> Any:
    """JSON, or the bare word."""
    if initial is None:
        return None
    try:
        return orjson.loads(initial)
    except orjson.JSONDecodeError:
        return initial
