"""Campaigns as one page: what failed and how often, which faults landed, which mutants were caught.

It is read from the logs that ``windtunnel campaign`` writes: JSON lines with the test, the seeds that
were not valid, and counters per chunk of seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from history.errors import StoreError
from reports.rendering import rendered, write_text
from reports.schedule_figure import drawn
from reports.shapes import Figure
from reports.text import brief, safe

TEMPLATE = "campaign.html.j2"
SCRIPTS = ("still.js",)
SEEDS_SHOWN = 12

Spec: TypeAlias = Mapping[str, Any]
Repeat: TypeAlias = Callable[[Spec, int], str]
"""The command that runs the test of a spec from a seed."""
Schedule: TypeAlias = Callable[[Spec, int], Sequence[Mapping[str, Any]]]
"""The faults that the test of a spec throws at a seed, as in a schedule file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Seeds that failed in the same way: by one checker, with one anomaly.

    ``smallest`` is the seed with the fewest faults, ``fastest`` the one that failed earliest in its run,
    ``oldest`` the one that was found first; ``message`` is what the smallest says.
    """

    checker: str
    anomaly: str
    verdict: str
    count: int
    smallest: int
    fastest: int
    oldest: int
    message: str
    repeat: str
    figure: Figure | None
    seeds: tuple[int, ...]
    loose: int


@dataclass(slots=True, kw_only=True)
class Campaign:
    """One log. ``begun`` and ``landed`` count faults by kind; ``torn`` lines were dropped."""

    name: str
    spec: Spec = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    findings: list[Mapping[str, Any]] = field(default_factory=list)
    begun: Counter[str] = field(default_factory=Counter)
    landed: Counter[str] = field(default_factory=Counter)
    torn: int = 0

    @property
    def title(self) -> str:
        mutant = self.spec.get("mutant")
        workload = str(self.spec.get("workload", self.name))
        return safe(f"{workload} with {mutant}" if mutant else workload, limit=200)

    @property
    def invalid(self) -> int:
        return sum(one.get("valid") is False for one in self.findings)

    @property
    def unknown(self) -> int:
        return len(self.findings) - self.invalid

    @property
    def seeds_per_hour(self) -> float:
        """Of CPU time: what one processor does."""
        return 3600 * self.seeds / self.cpu_s if self.cpu_s else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A row of the kill matrix: how many seeds of a mutant each checker found invalid."""

    mutant: str
    seeds: int
    caught: int
    by_checker: tuple[int, ...]


def write(logs: Sequence[Path], path: Path, *, repeat: Repeat, schedule: Schedule) -> None:
    """Write the page of these campaigns. Raises StoreError for a log that is none."""
    write_text(path, html([read(log) for log in logs], repeat=repeat, schedule=schedule))


def html(campaigns: Sequence[Campaign], *, repeat: Repeat, schedule: Schedule) -> str:
    """The page of campaigns, each with its groups, and the kill matrix of those of mutants."""
    checkers, kills = kill_matrix(campaigns)
    told = [(one, groups(one, repeat=repeat, schedule=schedule)) for one in campaigns]
    return rendered(TEMPLATE, SCRIPTS, campaigns=told, checkers=checkers, kills=kills)


def read(log: Path) -> Campaign:
    """The campaign in ``log``, without chunks that were not finished. Raises StoreError."""
    campaign = Campaign(name=safe(log.name, limit=100))
    waiting: list[Mapping[str, Any]] = []
    for entry in _entries(log, campaign):
        if isinstance(test := entry.get("test"), Mapping):
            spec, versions = test.get("spec", test), test.get("versions")
            campaign.spec = spec if isinstance(spec, Mapping) else {}
            campaign.versions = versions if isinstance(versions, Mapping) else {}
        elif isinstance(finding := entry.get("finding"), Mapping) and isinstance(
            finding.get("seed"), int
        ):
            waiting.append(finding)
        elif isinstance(chunk := entry.get("chunk"), Mapping):
            _count(campaign, chunk)
            campaign.findings += waiting
            waiting = []
    if not campaign.spec:
        raise StoreError(f"{log} is no log of a campaign: it does not say which test was run")
    return campaign


def groups(campaign: Campaign, *, repeat: Repeat, schedule: Schedule) -> tuple[Group, ...]:
    """Findings by what failed: invalid before unknown, the most frequent first."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for finding in campaign.findings:
        for signature in finding.get("signatures") or ("unknown: no reason",):
            found.setdefault(str(signature), []).append(finding)
    order = sorted(found, key=lambda s: (found[s][0].get("valid") is not False, -len(found[s]), s))
    return tuple(_group(s, found[s], campaign.spec, repeat, schedule) for s in order)


def kill_matrix(campaigns: Sequence[Campaign]) -> tuple[tuple[str, ...], tuple[Kill, ...]]:
    """The checkers that caught any mutant, and a row for each campaign of a mutant."""
    mutants = [one for one in campaigns if one.spec.get("mutant")]
    caught = [_by_checker(one) for one in mutants]
    checkers = tuple(sorted({checker for counts in caught for checker in counts}))
    return checkers, tuple(
        Kill(
            mutant=safe(str(one.spec["mutant"]), limit=100),
            seeds=one.seeds,
            caught=one.invalid,
            by_checker=tuple(counts[checker] for checker in checkers),
        )
        for one, counts in zip(mutants, caught, strict=True)
    )


def _entries(log: Path, campaign: Campaign) -> Iterator[Mapping[str, Any]]:
    try:
        lines = log.read_bytes().splitlines()
    except OSError as error:
        raise StoreError(f"{log} cannot be read: {error.strerror}") from None
    for line in lines:
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:
            campaign.torn += 1
            continue
        if isinstance(entry, Mapping):
            yield entry


def _count(campaign: Campaign, chunk: Mapping[str, Any]) -> None:
    campaign.seeds += len(range(*chunk.get("seeds", (0,))))
    campaign.simulated_s += float(chunk.get("simulated_s", 0))
    campaign.cpu_s += float(chunk.get("cpu_s", 0))
    for kind, (begun, landed) in (chunk.get("faults") or {}).items():
        campaign.begun[kind] += begun
        campaign.landed[kind] += landed


def _group(
    signature: str, findings: list[Mapping[str, Any]], spec: Spec, repeat: Repeat, schedule: Schedule
) -> Group:
    checker, _, anomaly = safe(signature, limit=300).partition(": ")
    smallest = min(findings, key=lambda one: (one.get("faults", 0), _failed_at_s(one), one["seed"]))
    return Group(
        checker=checker,
        anomaly=anomaly,
        verdict="invalid" if findings[0].get("valid") is False else "unknown",
        count=len(findings),
        smallest=smallest["seed"],
        fastest=min(findings, key=lambda one: (_failed_at_s(one), one["seed"]))["seed"],
        oldest=findings[0]["seed"],
        message=brief(str(smallest.get("message", "")), 400),
        repeat=repeat(spec, smallest["seed"]),
        figure=drawn(schedule(spec, smallest["seed"]), failed_at_s=smallest.get("failed_at_s")),
        seeds=tuple(sorted(one["seed"] for one in findings)[:SEEDS_SHOWN]),
        loose=sum(one.get("deterministic") is False for one in findings),
    )


def _failed_at_s(finding: Mapping[str, Any]) -> float:
    at_s = finding.get("failed_at_s")
    return float(at_s) if isinstance(at_s, int | float) else float("inf")


def _by_checker(campaign: Campaign) -> Counter[str]:
    """Seeds that each checker found invalid."""
    counts: Counter[str] = Counter()
    for finding in campaign.findings:
        if finding.get("valid") is False:
            counts.update({str(one).partition(": ")[0] for one in finding.get("signatures", ())})
    return counts
