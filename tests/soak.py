"""Soak the correct systems: many seeds of every test of a family, and a table of what was found.

``python -m tests.soak coordination --seeds 1000`` runs seeds 1 to 1000 of each test, under all faults. A
soak that was stopped goes on from its logs, which stand under ``store/soak``, by test and commit. Ends
with 1 if a seed was not valid: an unknown verdict on a correct system is a failure too.
"""

from __future__ import annotations

import argparse
import sys
import time
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from tests.support.correct import FAMILIES
from windtunnel.campaign import ChunkResult, Tally
from windtunnel.campaign_log import CampaignLog
from windtunnel.campaigning import PROCESSORS, run_campaign
from windtunnel.commands import repeat_line
from windtunnel.spec import TestSpec, versions

STORE = Path("store") / "soak"
SHOWN = 5


class Soaked(NamedTuple):
    """One test's seeds: what they gave, and how long those took that were run now."""

    name: str
    spec: TestSpec
    tally: Tally
    fresh: int
    elapsed_s: float


def main(arguments: list[str]) -> int:
    """Soak what ``arguments`` name; the exit code."""
    asked = _parsed(arguments)
    console = Console()
    tests = {name: FAMILIES[asked.family][name] for name in asked.tests or FAMILIES[asked.family]}
    seeds = range(asked.first, asked.first + asked.seeds)
    soaked = []
    for name, spec in tests.items():
        soaked.append(_soak(name, spec, seeds, asked.jobs))
        _show_failures(console, soaked[-1])
    console.print(_table(asked.family, soaked))
    return int(any(one.tally.findings for one in soaked))


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("family", choices=sorted(FAMILIES))
    parser.add_argument("tests", nargs="*", help="of the family's tests only these")
    parser.add_argument("--seeds", type=int, default=1000, help="how many of each test (1000)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--jobs", type=int, default=PROCESSORS, help="processes at a time")
    asked = parser.parse_intermixed_args(arguments)
    if unknown := sorted(set(asked.tests) - set(FAMILIES[asked.family])):
        parser.error(f"no test {unknown[0]!r}; there are {', '.join(FAMILIES[asked.family])}")
    if asked.seeds < 1 or asked.first < 0 or asked.jobs < 1:
        parser.error("--seeds and --jobs must be at least 1, --first at least 0")
    return asked


def _soak(name: str, spec: TestSpec, seeds: range, jobs: int) -> Soaked:
    header = {"spec": spec.to_dict(), "versions": versions()}
    digest = blake2b(orjson.dumps(header), digest_size=4).hexdigest()
    log = CampaignLog(STORE / f"{name}-{digest}.jsonl", header)
    started, fresh = time.monotonic(), 0

    def told(tally: Tally, result: ChunkResult) -> None:
        nonlocal fresh
        fresh += len(result.seeds)
        failed = f", {len(tally.findings)} FAILED" if tally.findings else ""
        print(f"{name}: {tally.seeds} of {len(seeds)}{failed}", file=sys.stderr, flush=True)

    tally = run_campaign(spec, seeds, jobs=jobs, log=log, on_chunk=told)
    return Soaked(name, spec, tally, fresh, time.monotonic() - started)


def _show_failures(console: Console, one: Soaked) -> None:
    for signature, findings in one.tally.by_signature().items():
        console.print(f"[bold red]{one.name}: {signature}[/]: {len(findings)} seeds", highlight=False)
        for finding in findings[:SHOWN]:
            line = repeat_line(one.spec.with_seed(finding.seed))
            console.print(f"  {line}", highlight=False, soft_wrap=True)
        console.print(f"  [dim]{findings[0].message}[/]", highlight=False)


def _table(family: str, soaked: list[Soaked]) -> Table:
    table = Table(
        "test", *("seeds", "invalid", "unknown", "CPU s per seed", "seeds/h", "MB"), title=family
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name, _, tally, fresh, elapsed_s in soaked:
        table.add_row(
            name,
            f"{tally.seeds:,}",
            str(tally.invalid),
            str(tally.unknown),
            f"{tally.cpu_s / max(1, tally.seeds):.2f}",
            f"{3600 * fresh / elapsed_s:,.0f}" if fresh else "from the log",
            f"{tally.rss_mb:.0f}",
        )
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
