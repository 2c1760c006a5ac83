"""``windtunnel compare``: two runs side by side, mostly of two systems under the same schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reports.comparison import Line, Section
from reports.comparison import compare as sections_of
from reports.material import read

First = Annotated[Path, typer.Argument(metavar="A", help="A run directory.", show_default=False)]
Second = Annotated[Path, typer.Argument(metavar="B", help="Another.", show_default=False)]
OnlyDifferences = Annotated[bool, typer.Option("--differences", help="Leave out what is the same.")]


def compare(a: First, b: Second, differences: OnlyDifferences = False) -> None:
    """What differs between two runs: verdicts, anomalies, counts, outcomes, latency, availability.

    To have the same faults in both, run the second one with --schedule A/schedule.json.
    """
    first, second = read(a), read(b)
    console = Console()
    for problem in (*first.problems, *second.problems):
        console.print(f"[yellow]warning[/]: {escape(problem)}", soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("", _title("A", first.name, first.title), _title("B", second.name, second.title)):
        table.add_column(title, overflow="fold")
    for section in sections_of(first, second):
        _add(table, section, differences)
    console.print(table)


def _title(letter: str, name: str, title: str) -> str:
    return f"{letter}: {escape(title)}\n{escape(name)}"


def _add(table: Table, section: Section, differences: bool) -> None:
    lines = [line for line in section.lines if line.differs or not differences]
    if lines:
        table.add_row(f"[bold]{escape(section.title)}[/]")
    for line in lines:
        table.add_row(*_cells(line))


def _cells(line: Line) -> tuple[str, str, str]:
    mark = "[yellow]≠[/]" if line.differs else " "
    return f"{mark} {escape(line.what)}", escape(line.a), escape(line.b)
