"""Campaigns: many seeds of one test, in chunks, on any executor, resumable, grouped by what failed.

A chunk of seeds is the unit of work: it needs nothing but the test and its seeds, so any
``concurrent.futures.Executor`` and any number of machines will do (``shard``). Its result goes to a log
(``windtunnel.campaign_log``); a campaign that was stopped goes on with the seeds that its log lacks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from checkers.verdict import Validity, worst
from windtunnel.names import BadInputError

if TYPE_CHECKING:
    from windtunnel.campaign_log import CampaignLog

CHUNK_SEEDS_MAX = 25
SEED_MAX = 2**62
_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A seed whose verdict was not valid.

    ``signatures`` name what failed (``checker: anomaly``) or why nothing can be said; ``deterministic``
    tells whether a second run of the seed gave the same digest. ``faults`` is how many began, and
    ``failed_at_s`` when the first anomaly was complete, where that is known; ``place`` is where in the
    implementation a node broke, empty if none did.
    """

    seed: int
    valid: Validity
    signatures: tuple[str, ...]
    message: str
    digest: str | None = None
    deterministic: bool = True
    faults: int = 0
    failed_at_s: float | None = None
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkResult:
    """What became of one chunk: the findings in order of seed, and counters of all of its seeds.

    ``faults`` has, by kind, how many began and how many of them landed; ``ran`` is from when until when
    it took, in seconds since 1970.
    """

    seeds: range
    findings: tuple[Finding, ...] = ()
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    rss_mb: float = 0.0
    ran: Sequence[float] = ()
    faults: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """A campaign so far; ``faults`` has, by kind, how many began and how many landed."""

    seeds: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    rss_mb: float = 0.0
    faults: dict[str, tuple[int, int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, result: ChunkResult) -> None:
        """Count one more chunk."""
        self.seeds += len(result.seeds)
        for kind, (begun, landed) in result.faults.items():
            before = self.faults.get(kind, (0, 0))
            self.faults[kind] = (before[0] + begun, before[1] + landed)
        self.simulated_s += result.simulated_s
        self.cpu_s += result.cpu_s
        self.rss_mb = max(self.rss_mb, result.rss_mb)
        self.findings.extend(result.findings)

    @property
    def invalid(self) -> int:
        """Seeds that were proven wrong."""
        return sum(finding.valid is False for finding in self.findings)

    @property
    def unknown(self) -> int:
        """Seeds of which nothing can be said."""
        return len(self.findings) - self.invalid

    @property
    def valid(self) -> Validity:
        """The worst verdict of all seeds; unknown when there was none."""
        return worst([finding.valid for finding in self.findings] or [True] * bool(self.seeds))

    def by_signature(self) -> dict[str, list[Finding]]:
        """Findings by what failed: invalid before unknown, the most frequent first, seeds in order."""
        groups: dict[str, list[Finding]] = {}
        for finding in sorted(self.findings, key=lambda finding: finding.seed):
            for signature in finding.signatures:
                groups.setdefault(signature, []).append(finding)
        order = sorted(groups, key=lambda s: (groups[s][0].valid is not False, -len(groups[s]), s))
        return {signature: groups[signature] for signature in order}


def parse_seeds(text: str) -> range:
    """``A:B``, from A up to but not including B; ``A:`` has no end. Raises BadInputError."""
    first, colon, last = text.partition(":")
    try:
        end = int(last or SEED_MAX) if colon else int(first) + 1
        seeds = range(int(first), end)
    except ValueError:
        raise BadInputError(f"--seeds {text!r}: write it as A:B, for example 0:1000.") from None
    if not seeds or seeds.start < 0:
        raise BadInputError(f"--seeds {text!r} holds no seed: A must be 0 or more, and B above A.")
    return seeds


def parse_duration(text: str, option: str = "--for") -> float:
    """Seconds in ``90``, ``90s``, ``10m``, ``1.5h`` or ``2d``. Raises BadInputError."""
    number = text.rstrip("smhd")
    try:
        duration_s = float(number) * _UNITS_S[text[len(number) :]]
    except (ValueError, KeyError):
        duration_s = math.nan
    if not 0 < duration_s < math.inf:
        raise BadInputError(f"{option} {text!r}: write it as 90s, 10m, 1h or 1d.")
    return duration_s


def parse_shard(text: str) -> tuple[int, int]:
    """``i/n``, the i-th of n equal parts, counted from 0. Raises BadInputError."""
    part, slash, parts = text.partition("/")
    try:
        shard = int(part), int(parts)
    except ValueError:
        shard = -1, 0
    if not slash or not 0 <= shard[0] < shard[1]:
        raise BadInputError(f"--shard {text!r}: write it as i/n with 0 <= i < n, for example 0/4.")
    return shard


def shard_of(seeds: range, shard: tuple[int, int]) -> range:
    """The seeds of the i-th of n equal parts."""
    part, parts = shard
    return seeds[part::parts]


def chunks(seeds: range, *, jobs: int = 1, done: Container[int] = ()) -> Iterator[range]:
    """Seeds in pieces, without those that are done.

    Pieces are large enough to cost nothing, and there are enough of them for every job.
    """
    size = max(1, min(CHUNK_SEEDS_MAX, len(seeds) // (4 * jobs)))
    for start in range(0, len(seeds), size):
        yield from _left(seeds[start : start + size], done)


def _left(piece: range, done: Container[int]) -> Iterator[range]:
    """The longest runs of seeds of ``piece`` that are not done."""
    start = 0
    for place, seed in enumerate(piece):
        if seed in done:
            if place > start:
                yield piece[start:place]
            start = place + 1
    if start < len(piece):
        yield piece[start:]


def work_off(
    work: Callable[[range], ChunkResult],
    seeds: range,
    *,
    executor: Executor,
    jobs: int,
    log: CampaignLog | None = None,
    until: float | None = None,
    on_chunk: Callable[[Tally, ChunkResult], None] = lambda tally, result: None,
) -> Tally:
    """Run ``work`` on all of ``seeds`` that the log does not hold yet.

    At most ``2 * jobs`` chunks wait at once, and none begins after the time ``until`` (``time.time()``).
    The tally covers what the log held as well. On KeyboardInterrupt the chunks that are finished stand
    in the log, and the exception goes on.
    """
    tally, done = Tally(), set[int]()
    for result in log.done if log else ():
        if result.seeds and result.seeds[0] in seeds and result.seeds[-1] in seeds:
            tally.add(result)
            done.update(result.seeds)
    pieces = chunks(seeds, jobs=jobs, done=done)
    running: set[Future[ChunkResult]] = set()
    try:
        while True:
            ready = 0 if until is not None and time.time() >= until else 2 * jobs - len(running)
            running |= {executor.submit(work, piece) for piece in islice(pieces, ready)}
            if not running:
                return tally
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for result in sorted((f.result() for f in finished), key=lambda r: r.seeds.start):
                if result.seeds:
                    tally.add(result)
                    if log is not None:
                        log.write(result)
                on_chunk(tally, result)
    finally:
        for future in running:
            future.cancel()
