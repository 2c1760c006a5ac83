"""The commands by name, and what is said when one of them cannot be carried out."""

from __future__ import annotations

import traceback
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cluster.real.errors import ClusterError
from history.errors import HistoryError, StoreError
from nemesis.errors import ScheduleError
from windtunnel import exits
from windtunnel.cli import (
    campaigns,
    cluster,
    comparing,
    converting,
    demo,
    listing,
    merging,
    mutants,
    repeating,
    report,
    running,
)
from windtunnel.names import BadInputError
from windtunnel.spec import versions

BAD_INPUT = (BadInputError, HistoryError, StoreError, ScheduleError, ClusterError)

app = typer.Typer(
    name="windtunnel",
    help="Run a cluster, hurt it, record everything, prove what held.",
    epilog="Exit codes: 0 valid, 1 invalid, 2 unknown, 130 Ctrl-C, 254 bad input, 255 crash.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("run")(running.run)
app.command("check")(running.check)
app.command("replay")(repeating.replay)
app.command("shrink")(repeating.shrink)
app.command("campaign")(campaigns.campaign)
app.command("compare")(comparing.compare)
app.command("mutants")(mutants.mutants)
app.command("merge")(merging.merge)
app.command("manifest")(merging.manifest)
app.command("report")(report.report)
app.command("export")(report.export)
app.command("campaign-report")(report.campaign_report)
app.command("index")(report.index)
app.command("serve")(report.serve)
app.command("convert")(converting.convert)
app.command("list")(listing.list_)
app.command("demo")(demo.demo)
app.add_typer(cluster.cluster_app, name="cluster")
app.add_typer(cluster.image_app, name="image")


def explain(error: Exception) -> int:
    """Say on stderr what went wrong; the exit code that belongs to it."""
    console = Console(stderr=True)
    if isinstance(error, BAD_INPUT):
        console.print(f"[bold red]windtunnel:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        return exits.BAD_INPUT
    console.print(escape("".join(traceback.format_exception(error))), highlight=False, soft_wrap=True)
    console.print("[bold red]windtunnel crashed[/]: that is a bug of windtunnel, not of the system.")
    return exits.CRASH


def _print_version(wanted: bool) -> None:
    if wanted:
        print(", ".join(f"{name} {version}" for name, version in reversed(versions().items())))
        raise typer.Exit


@app.callback()
def _windtunnel(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """Run a cluster, hurt it, record everything, prove what held."""
