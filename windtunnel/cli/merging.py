"""``windtunnel merge`` and ``manifest``: a campaign over many machines, spread and joined."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from history.errors import StoreError
from reports import campaign, campaign_ci
from windtunnel import exits
from windtunnel.campaign import parse_duration, parse_seeds
from windtunnel.campaign_log import write_log
from windtunnel.cli import options
from windtunnel.cli.campaigns import show
from windtunnel.cli.report import SUMMARY, told, write_campaign_page
from windtunnel.manifests import FORMS, Spread
from windtunnel.merging import Joined, joined
from windtunnel.names import BadInputError, find
from windtunnel.spec import TestSpec
from workloads.registry import WORKLOADS

Logs = Annotated[list[Path], typer.Argument(help="Logs, or directories of them.", show_default=False)]
Out = Annotated[Path, typer.Option(help="The directory to write into.")]
Form = Annotated[str, typer.Argument(help="github or kubernetes.", show_default=False)]
Further = Annotated[list[str] | None, typer.Argument(help="Options of `windtunnel campaign`, after --.")]
Shards = Annotated[int, typer.Option(min=1, help="How many machines at a time.")]
Seeds = Annotated[str, typer.Option(help="Of all shards together: A:B.")]
For = Annotated[str, typer.Option("--for", help="Time of each shard; nothing for no bound.")]
Image = Annotated[str, typer.Option(help="Kubernetes: an image with windtunnel in it.")]
Claim = Annotated[str, typer.Option(help="Kubernetes: a volume claim that all pods may write to.")]
Install = Annotated[str, typer.Option(help="GitHub: the command that installs windtunnel.")]
GitHub = Annotated[bool, typer.Option("--github", help="Print annotations of GitHub Actions.")]


def merge(logs: Logs, out: Out = Path("campaign"), github: GitHub = False) -> None:
    """Join the logs of shards: one log per test, campaign.html, junit.xml.

    Each seed counts once. Files that are no logs, or not whole, are named and left out. Appends a
    summary to the file that $GITHUB_STEP_SUMMARY names, if it is set. Exits with the verdict: a campaign
    of a mutant is valid when the mutant was caught.
    """
    tests, problems = joined(_files(logs))
    console = Console(stderr=github)
    for problem in problems:
        console.print(f"[yellow]left out[/]: {escape(problem)}", highlight=False, soft_wrap=True)
    if not tests:
        raise BadInputError("nothing to merge: none of these is the log of a campaign.")
    paths = [_written(out, test) for test in tests]
    for test in tests:
        show(console, TestSpec.from_dict(test.test["spec"], where="the log"), test.tally)
    write_campaign_page(paths, out / "campaign.html", problems)
    groups = told([campaign.read(path) for path in paths], out)
    _kept(out / "junit.xml", campaign_ci.junit(groups), "w")
    if path := os.environ.get(SUMMARY):
        _kept(Path(path), campaign_ci.summary(groups, problems), "a")
    if github:
        sys.stdout.write(campaign_ci.workflow_commands(groups))
        sys.stdout.flush()
    console.print(f"\nmerged into {escape(str(out))}", highlight=False, soft_wrap=True)
    raise exits.Finished(exits.of(campaign_ci.passed(groups)))


def manifest(
    form: Form,
    workload: options.Workload,
    further: Further = None,
    shards: Shards = 8,
    seeds: Seeds = "0:1000000",
    for_: For = "10m",
    image: Image = "windtunnel:latest",
    claim: Claim = "windtunnel-out",
    install: Install = "pip install .",
) -> None:
    """Print what spreads a campaign over machines: a workflow for GitHub, a Job for Kubernetes.

    Options of the campaign itself come last: windtunnel manifest github lock -- --faults kill
    """
    make = find("form", form, FORMS)
    find("workload", workload, WORKLOADS)
    parse_seeds(seeds)
    if for_:
        parse_duration(for_)
    spread = Spread(
        workload=workload,
        shards=shards,
        seeds=seeds,
        for_=for_ or None,
        further=further or (),
        image=image,
        claim=claim,
        install=install,
    )
    sys.stdout.write(make(spread))
    sys.stdout.flush()


def _files(paths: list[Path]) -> list[Path]:
    """The files themselves, and those that end in .jsonl of directories, however deep."""
    files: list[Path] = []
    for path in paths:
        files += sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    return files


def _written(out: Path, test: Joined) -> Path:
    path = out / test.name
    write_log(path, test.contents)
    return path


def _kept(path: Path, text: str, mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from None
