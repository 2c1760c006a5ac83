"""How far a campaign is, while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from windtunnel.campaign import SEED_MAX, ChunkResult, Tally


@contextmanager
def seeds_progress(
    console: Console, title: str, seeds: range
) -> Iterator[Callable[[Tally, ChunkResult], None]]:
    """A bar over ``seeds`` that is gone afterwards; call what it yields after each chunk."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("seeds"),
        TextColumn("{task.fields[pace]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        total = None if seeds.stop >= SEED_MAX else len(seeds)
        task = progress.add_task(title, total=total, pace="")
        started = time.monotonic()
        fresh = 0

        def advance(tally: Tally, result: ChunkResult) -> None:
            nonlocal fresh
            fresh += len(result.seeds)
            per_hour = 3600 * fresh / (time.monotonic() - started)
            pace = f"{per_hour:,.0f}/h  {tally.invalid} invalid  {tally.unknown} unknown"
            progress.update(task, completed=tally.seeds, pace=pace)

        yield advance
