"""``windtunnel report``, ``export``, ``index`` and ``serve``: what is read after runs, by whom."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from history.errors import StoreError
from history.store import open_run
from nemesis.errors import ScheduleError
from nemesis.schedule_file import to_json
from reports import campaign, page
from reports import index as store_index
from reports.github import summary, workflow_commands
from reports.junit import junit
from reports.material import Material, read
from reports.perfetto import perfetto
from reports.server import server
from windtunnel.names import BadInputError, find
from windtunnel.plan import prepare
from windtunnel.repeat import repeat_line
from windtunnel.spec import TestSpec

STORE = Path("store")
LATEST = STORE / "latest"
PAGE = "report.html"
SUMMARY = "GITHUB_STEP_SUMMARY"

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

FORMATS: Mapping[str, Callable[[Material], bytes]] = {
    "junit": lambda run: junit([run]).encode(),
    "perfetto": perfetto,
    "github": lambda run: workflow_commands(run).encode(),
}


def report(run: RunPath = LATEST, out: Out = None) -> None:
    """Write a run's page: one HTML file that needs nothing else. Into its directory, unless --out."""
    path = open_run(run).path / PAGE if out is None else out
    page.write(run, path)
    Console().print(escape(str(path)), highlight=False, soft_wrap=True)


def export(format_: Format, run: RunPath = LATEST, out: Out = None) -> None:
    """A run as JUnit XML, as a Perfetto trace, or as annotations and step summary of GitHub Actions.

    Goes to stdout unless --out. ``github`` also appends a summary to the file that
    $GITHUB_STEP_SUMMARY names, if it is set.
    """
    form = find("format", format_, FORMATS)
    material = read(run)
    if format_ == "github" and (path := os.environ.get(SUMMARY)):
        _written(Path(path), summary(material).encode(), "ab")
    if out is None:
        sys.stdout.buffer.write(form(material))
        sys.stdout.flush()
    else:
        _written(out, form(material), "wb")


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
    campaign.write(logs, out, repeat=_repeat, schedule=_schedule)
    Console().print(escape(str(out)), highlight=False, soft_wrap=True)


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
