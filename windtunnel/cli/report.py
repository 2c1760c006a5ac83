"""``windtunnel report``, ``export``, ``index`` and ``serve``: what is read after runs, by whom."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from history.errors import StoreError
from history.store import open_run
from nemesis.errors import ScheduleError
from nemesis.schedule_file import to_json
from reports import campaign, campaign_ci, page
from reports import index as store_index
from reports.github import summary, workflow_commands
from reports.junit import junit
from reports.material import Material
from reports.perfetto import perfetto
from reports.runs import runs_at
from reports.server import server
from windtunnel.commands import repeat_line
from windtunnel.names import BadInputError, find
from windtunnel.plan import prepare
from windtunnel.shrunk import keep_schedule
from windtunnel.spec import TestSpec

STORE = Path("store")
LATEST = STORE / "latest"
PAGE = "report.html"
SUMMARY = "GITHUB_STEP_SUMMARY"

Runs = Annotated[
    list[Path] | None,
    typer.Argument(help="Run directories, or stores; store/latest unless given.", show_default=False),
]
RunPath = Annotated[Path, typer.Argument(help="A run directory.")]
Store = Annotated[Path, typer.Argument(help="Where runs are kept.")]
Host = Annotated[
    str, typer.Option(help="The address to listen on: others can read all runs if it is theirs.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")]
Logs = Annotated[list[Path], typer.Argument(help="Logs of campaigns.", show_default=False)]
CampaignOut = Annotated[Path, typer.Option("--out", help="Where to write.")]
Out = Annotated[Path | None, typer.Option(help="Where to write.", show_default=False)]
Format = Annotated[str, typer.Option("--format", help="junit, perfetto or github.")]

FORMATS: Mapping[str, Callable[[Sequence[Material]], bytes]] = {
    "junit": lambda runs: junit(runs).encode(),
    "perfetto": lambda runs: perfetto(_alone(runs)),
    "github": lambda runs: "".join(map(workflow_commands, runs)).encode(),
}


def report(run: RunPath = LATEST, out: Out = None) -> None:
    """Write a run's page: one HTML file that needs nothing else. Into its directory, unless --out."""
    path = open_run(run).path / PAGE if out is None else out
    page.write(run, path)
    Console().print(escape(str(path)), highlight=False, soft_wrap=True)


def export(format_: Format, runs: Runs = None, out: Out = None) -> None:
    """Runs as JUnit XML, as annotations and step summary of GitHub Actions; one as a Perfetto trace.

    A store stands for all of its runs; broken ones are reported as such. Goes to stdout unless --out.
    ``github`` also appends a summary to the file that $GITHUB_STEP_SUMMARY names, if it is set.
    """
    form = find("format", format_, FORMATS)
    materials = runs_at(runs or [LATEST])
    text = form(materials)
    if format_ == "github" and (path := os.environ.get(SUMMARY)):
        _written(Path(path), "\n".join(map(summary, materials)).encode(), "ab")
    if out is None:
        sys.stdout.buffer.write(text)
        sys.stdout.flush()
    else:
        _written(out, text, "wb")


def _alone(runs: Sequence[Material]) -> Material:
    if len(runs) != 1:
        raise BadInputError(f"--format perfetto takes one run, and these are {len(runs)}.")
    return runs[0]


def index(store: Store = STORE) -> None:
    """Write index.html into a store, and the pages that are missing: static files for any web server."""
    if not store.is_dir():
        raise StoreError(f"{store} is no store: there is no such directory")
    Console().print(escape(str(store_index.write(store))), highlight=False, soft_wrap=True)


def serve(store: Store = STORE, host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Show a store in the browser: search, sort, filter and compare its runs. Ctrl-C ends it."""
    with server(store, host=host, port=port) as running:
        url = f"http://{host}:{running.server_port}/"
        Console().print(f"{escape(str(store))} is at {url}", highlight=False, soft_wrap=True)
        running.serve_forever()


def campaign_report(logs: Logs, out: CampaignOut = Path("campaign.html")) -> None:
    """Write one page about campaigns from their logs; of mutants' campaigns, what caught which."""
    write_campaign_page(logs, out)
    Console().print(escape(str(out)), highlight=False, soft_wrap=True)


def write_campaign_page(logs: Sequence[Path], out: Path, problems: Sequence[str] = ()) -> None:
    """The page of these logs; beside it the schedules of what was shrunk.

    ``problems`` are sentences about files that were left out before. Raises StoreError.
    """
    campaign.write(
        logs,
        out,
        repeat=_repeat,
        schedule=_schedule,
        repeat_shrunk=lambda entry: keep_schedule(out.parent, entry),
        problems=problems,
    )


def told(campaigns: Sequence[campaign.Campaign], out: Path) -> campaign_ci.Told:
    """Campaigns with their groups, for the outputs of CI; schedules of what was shrunk go to ``out``."""
    return [
        (
            one,
            campaign.groups(
                one,
                repeat=_repeat,
                schedule=_schedule,
                repeat_shrunk=lambda entry: keep_schedule(out, entry),
            ),
        )
        for one in campaigns
    ]


def _repeat(spec: Mapping[str, Any], seed: int) -> str:
    return repeat_line(TestSpec.from_dict(spec, where="the log").with_seed(seed))


def _schedule(spec: Mapping[str, Any], seed: int) -> list[dict[str, Any]]:
    """What that seed draws; nothing if this version cannot run the test any more."""
    try:
        plan = prepare(TestSpec.from_dict(spec, where="the log").with_seed(seed))
    except (BadInputError, ScheduleError):
        return []
    return [to_json(fault) for fault in plan.schedule]


def _written(path: Path, data: bytes, mode: str) -> None:
    try:
        with path.open(mode) as file:
            file.write(data)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from None
