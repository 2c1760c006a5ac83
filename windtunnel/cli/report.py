"""``windtunnel report`` and ``export``: a run's page, and the same run for other programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from history.errors import StoreError
from history.store import open_run
from reports import page
from reports.github import summary, workflow_commands
from reports.junit import junit
from reports.material import Material, read
from reports.perfetto import perfetto
from windtunnel.names import find

LATEST = Path("store/latest")
PAGE = "report.html"
SUMMARY = "GITHUB_STEP_SUMMARY"

RunPath = Annotated[Path, typer.Argument(help="A run directory.")]
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


def _written(path: Path, data: bytes, mode: str) -> None:
    try:
        with path.open(mode) as file:
            file.write(data)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from None
