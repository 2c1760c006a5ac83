"""The main job: everything on five real nodes at the same time, under partitions, clocks and kills."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from reports import page
from windtunnel import exits
from windtunnel.cli.cluster import enter
from windtunnel.cli.report import PAGE
from windtunnel.cli.show import show_run
from windtunnel.commands import repeat_line
from windtunnel.spec import TestSpec
from windtunnel.stored import SCHEDULE, from_here, run_stored

CLIENTS, RATE, TIME_LIMIT_S = 12, 100.0, 60.0


ALL = ("n1", "n2", "n3", "n4", "n5")


def _fault(at_s: float, kind: str, *nodes: str, for_s: float, **args: Any) -> Mapping[str, Any]:
    return {"at_s": at_s, "kind": kind, "nodes": list(nodes), "duration_s": for_s, "args": args}


FAULTS = (
    _fault(2, "partition", "n1", for_s=4, grudge="one-way"),
    _fault(4, "clock-bump", "n2", "n4", for_s=6, offset_s=3.0),
    _fault(8, "kill", "n3", for_s=2),
    _fault(11, "clock-drift", "n1", for_s=5, rate=1.3),
    _fault(13, "partition", "n4", "n5", for_s=4, grudge="minority-third"),
    _fault(18, "kill", "n1", "n2", for_s=2),
    _fault(20, "clock-bump", "n5", for_s=4, offset_s=-2.0),
    _fault(22, "partition", "n3", for_s=3, grudge="minority-third", clients=True),
    _fault(26, "kill", "n4", for_s=2),
    _fault(30, "pause", "n2", for_s=3),
    _fault(34, "partition", *ALL, for_s=5, grudge="majorities-ring"),
    _fault(36, "clock-strobe", "n3", for_s=4, offset_s=1.5, period_s=0.5),
    _fault(41, "kill", "primaries", for_s=2),
    _fault(45, "lose", "n1", "n5", for_s=5, probability=0.3),
    _fault(47, "clock-bump", "n1", for_s=5, offset_s=-3.0),
    _fault(52, "rolling-restart", "n4", "n5", for_s=5, down_s=1.0),
)
"""Each kind hits each component while others are still hurt; a majority of nodes always runs, unless
so many lead something."""


def main_job(backend: str, *, inventory: Path | None, store: Path) -> None:
    """Run it on ``backend``; show one verdict table and say where the one report is."""
    spec = TestSpec(
        workload="together",
        seed=1,
        concurrency=CLIENTS,
        rate=RATE,
        time_limit_s=TIME_LIMIT_S,
        schedule=FAULTS,
        backend=backend,
        inventory=None if inventory is None else str(inventory),
    )
    enter(backend)
    console = Console()
    console.rule(f"IDs, an election, a lock and a queue on {len(spec.nodes)} nodes, {backend}")
    with console.status(f"{TIME_LIMIT_S:.0f} s under faults: Ctrl-C ends it and judges what there is"):
        run, directory = run_stored(spec, store)
    show_run(console, run)
    page.write(directory.path, directory.path / PAGE)
    line = repeat_line(spec, schedule=from_here(directory.path / SCHEDULE))
    for what, where in (("report   ", str(directory.path / PAGE)), ("repeat by", line)):
        console.print(f"{what} {escape(where)}", highlight=False, soft_wrap=True)
    raise exits.Finished(exits.INTERRUPTED if run.interrupted else exits.of(run.verdict.valid))
