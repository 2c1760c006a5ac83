"""Campaigns as one page: what failed and how often, which faults landed, which mutants were caught.

It is read from the logs that ``windtunnel campaign`` writes: JSON lines with the test, the seeds that
were not valid, and counters per chunk of seeds.
"""

from __future__ import annotations

import math
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
RepeatShrunk: TypeAlias = Callable[[Mapping[str, Any]], str]
"""The command that runs what an entry ``shrunk`` of a log describes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrunkGroup:
    """The smallest run that fails like a group: ``size`` says in words how small; ``repeat`` runs it."""

    seed: int
    size: str
    repeat: str
    figure: Figure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Seeds that failed in the same way: by one checker, with one anomaly, at one place.

    ``smallest`` is the seed with the fewest faults, ``fastest`` the one that failed earliest in its run,
    ``oldest`` the one that was found first; ``message`` is what the smallest says; ``shrunk`` is there
    if somebody had it shrunk; ``place`` is where in the implementation a node broke, if one did.
    """

    checker: str
    anomaly: str
    place: str
    verdict: str
    count: int
    smallest: int
    fastest: int
    oldest: int
    message: str
    repeat: str
    figure: Figure | None
    shrunk: ShrunkGroup | None
    seeds: tuple[int, ...]
    loose: int


@dataclass(slots=True, kw_only=True)
class Campaign:
    """One log. ``begun`` and ``landed`` count faults by kind; ``torn`` lines were dropped.

    ``ran`` has the times, in seconds since 1970, between which its chunks ran.
    """

    name: str
    spec: Spec = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    ran: list[tuple[float, float]] = field(default_factory=list)
    findings: list[Mapping[str, Any]] = field(default_factory=list)
    begun: Counter[str] = field(default_factory=Counter)
    landed: Counter[str] = field(default_factory=Counter)
    shrunk: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    torn: int = 0

    @property
    def mutant(self) -> str | None:
        """The known-bad variant that was run, if one was."""
        name = self.spec.get("mutant")
        return None if name is None else safe(str(name), limit=100)

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
        """Of the time in which chunks ran, however many at once; pauses don't count."""
        covered_s = _covered(self.ran)
        return 3600 * self.seeds / covered_s if covered_s else 0.0

    @property
    def seeds_per_cpu_hour(self) -> float:
        """What one processor does."""
        return 3600 * self.seeds / self.cpu_s if self.cpu_s else 0.0


@dataclass(frozen=True, slots=True)
class Cell:
    """How many seeds of a mutant a checker found invalid, and the first of them."""

    count: int
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A row of the kill matrix: what each checker found of a mutant, None if nothing."""

    mutant: str
    workload: str
    seeds: int
    caught: int
    by_checker: tuple[Cell | None, ...]


def write(
    logs: Sequence[Path],
    path: Path,
    *,
    repeat: Repeat,
    schedule: Schedule,
    repeat_shrunk: RepeatShrunk | None = None,
    problems: Sequence[str] = (),
) -> None:
    """Write the page of these campaigns; files that are no log are named on it, after ``problems``.

    Raises StoreError if none of them is one, or ``path`` cannot be written.
    """
    campaigns, further = read_all(logs)
    text = html(
        campaigns,
        repeat=repeat,
        schedule=schedule,
        repeat_shrunk=repeat_shrunk,
        problems=[*problems, *further],
    )
    write_text(path, text)


def html(
    campaigns: Sequence[Campaign],
    *,
    repeat: Repeat,
    schedule: Schedule,
    repeat_shrunk: RepeatShrunk | None = None,
    problems: Sequence[str] = (),
) -> str:
    """The page of campaigns, each with its groups, and the kill matrix of those of mutants."""
    checkers, kills = kill_matrix(campaigns)
    told = [
        (one, groups(one, repeat=repeat, schedule=schedule, repeat_shrunk=repeat_shrunk))
        for one in campaigns
    ]
    said = [brief(problem, 400) for problem in problems]
    return rendered(TEMPLATE, SCRIPTS, campaigns=told, checkers=checkers, kills=kills, problems=said)


def read_all(logs: Sequence[Path]) -> tuple[list[Campaign], list[str]]:
    """The campaigns in these logs, and a sentence for each file that is none.

    Raises StoreError, with the first sentence, if none of them is one.
    """
    campaigns: list[Campaign] = []
    problems: list[str] = []
    for log in logs:
        try:
            campaigns.append(read(log))
        except StoreError as error:
            problems.append(str(error))
    if not campaigns:
        raise StoreError(problems[0] if problems else "no log was named")
    return campaigns, problems


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
            try:
                seeds = _count(campaign, chunk)
            except (TypeError, ValueError, AttributeError):
                campaign.torn += 1
                continue
            own = {one["seed"]: one for one in waiting if one["seed"] in seeds}
            campaign.findings += own.values()
            waiting = []
        elif isinstance(shrunk := entry.get("shrunk"), Mapping) and isinstance(
            shrunk.get("spec"), Mapping
        ):
            campaign.shrunk[str(shrunk.get("signature"))] = shrunk
    if not campaign.spec:
        raise StoreError(f"{log} is no log of a campaign: it does not say which test was run")
    return campaign


def groups(
    campaign: Campaign,
    *,
    repeat: Repeat,
    schedule: Schedule,
    repeat_shrunk: RepeatShrunk | None = None,
) -> tuple[Group, ...]:
    """Findings by what failed: invalid before unknown, the most frequent first."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for finding in campaign.findings:
        for signature in finding.get("signatures") or ("unknown: no reason",):
            found.setdefault((str(signature), str(finding.get("place") or "")), []).append(finding)
    order = sorted(found, key=lambda s: (found[s][0].get("valid") is not False, -len(found[s]), s))
    return tuple(
        _group(s, found[s], campaign.spec, repeat, schedule, _shrunk(campaign, s[0], repeat_shrunk))
        for s in order
    )


def kill_matrix(campaigns: Sequence[Campaign]) -> tuple[tuple[str, ...], tuple[Kill, ...]]:
    """The checkers that caught any mutant, and a row for each campaign of a mutant."""
    mutants = [one for one in campaigns if one.mutant]
    caught = [_by_checker(one) for one in mutants]
    checkers = tuple(sorted({checker for counts in caught for checker in counts}))
    return checkers, tuple(
        Kill(
            mutant=one.mutant or "",
            workload=safe(str(one.spec.get("workload", "")), limit=100),
            seeds=one.seeds,
            caught=one.invalid,
            by_checker=tuple(counts.get(checker) for checker in checkers),
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


def _count(campaign: Campaign, chunk: Mapping[str, Any]) -> range:
    seeds = range(*chunk.get("seeds", (0,)))
    campaign.seeds += len(seeds)
    campaign.simulated_s += float(chunk.get("simulated_s", 0))
    campaign.cpu_s += float(chunk.get("cpu_s", 0))
    if ran := chunk.get("ran"):
        campaign.ran.append((float(ran[0]), float(ran[1])))
    for kind, (begun, landed) in (chunk.get("faults") or {}).items():
        campaign.begun[kind] += begun
        campaign.landed[kind] += landed
    return seeds


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """The length of what the spans cover together."""
    whole, until = 0.0, -math.inf
    for start, stop in sorted(spans):
        whole += max(stop - max(start, until), 0.0)
        until = max(until, stop)
    return whole


def _shrunk(campaign: Campaign, signature: str, repeat: RepeatShrunk | None) -> ShrunkGroup | None:
    entry = campaign.shrunk.get(signature)
    if entry is None:
        return None
    spec = entry["spec"]
    faults = spec.get("schedule") or ()
    parts = [_counted(len(faults), "fault"), _counted(spec.get("concurrency"), "client")]
    parts += [f"{spec.get('time_limit_s')} s"]
    parts += [] if spec.get("ops") is None else [_counted(spec["ops"], "operation")]
    end = "nothing simpler fails" if entry.get("complete") else "the budget was spent"
    return ShrunkGroup(
        seed=int(entry.get("seed", 0)),
        size=safe(f"{', '.join(parts)}; found in {entry.get('runs')} runs, {end}", limit=300),
        repeat=repeat(entry) if repeat else "",
        figure=drawn(faults),
    )


def _counted(number: Any, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _group(
    signature: tuple[str, str],
    findings: list[Mapping[str, Any]],
    spec: Spec,
    repeat: Repeat,
    schedule: Schedule,
    shrunk: ShrunkGroup | None,
) -> Group:
    checker, _, anomaly = safe(signature[0], limit=300).partition(": ")
    smallest = min(findings, key=lambda one: (one.get("faults", 0), _failed_at_s(one), one["seed"]))
    return Group(
        checker=checker,
        anomaly=anomaly,
        place=safe(signature[1], limit=200),
        verdict="invalid" if findings[0].get("valid") is False else "unknown",
        count=len(findings),
        smallest=smallest["seed"],
        fastest=min(findings, key=lambda one: (_failed_at_s(one), one["seed"]))["seed"],
        oldest=findings[0]["seed"],
        message=brief(str(smallest.get("message", "")), 400),
        repeat=repeat(spec, smallest["seed"]),
        figure=drawn(schedule(spec, smallest["seed"]), failed_at_s=smallest.get("failed_at_s")),
        shrunk=shrunk,
        seeds=tuple(sorted(one["seed"] for one in findings)[:SEEDS_SHOWN]),
        loose=sum(one.get("deterministic") is False for one in findings),
    )


def _failed_at_s(finding: Mapping[str, Any]) -> float:
    at_s = finding.get("failed_at_s")
    return float(at_s) if isinstance(at_s, int | float) else float("inf")


def _by_checker(campaign: Campaign) -> dict[str, Cell]:
    """Seeds that each checker found invalid."""
    seeds: dict[str, list[int]] = {}
    for finding in campaign.findings:
        if finding.get("valid") is False:
            for checker in {str(one).partition(": ")[0] for one in finding.get("signatures", ())}:
                seeds.setdefault(safe(checker, limit=100), []).append(finding["seed"])
    return {checker: Cell(len(found), min(found)) for checker, found in seeds.items()}
