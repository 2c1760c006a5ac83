"""Campaigns: many seeds of one test, in chunks, over processes, resumable, grouped by what failed.

A chunk of seeds is the unit of work: it needs nothing but the test and its seeds, so any executor and
any number of machines will do (``shard``). Its result goes to a JSON-lines log in one write: one line
per seed that was not valid, then one line of counters. A campaign that was stopped goes on after the
chunks that its log holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from checkers.verdict import Validity, worst
from windtunnel.names import BadInputError

CHUNK_SEEDS_MAX = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A seed whose verdict was not valid.

    ``signatures`` name what failed (``checker: anomaly``) or why nothing can be said; ``deterministic``
    tells whether a second run of the seed gave the same digest. ``faults`` is how many began, and
    ``failed_at_s`` when the first anomaly was complete, where that is known.
    """

    seed: int
    valid: Validity
    signatures: tuple[str, ...]
    message: str
    digest: str | None = None
    deterministic: bool = True
    faults: int = 0
    failed_at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkResult:
    """What became of one chunk: the findings in order of seed, and counters of all of its seeds.

    ``faults`` has, by kind, how many began and how many of them landed.
    """

    seeds: range
    findings: tuple[Finding, ...] = ()
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    rss_mb: float = 0.0
    faults: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """A campaign so far."""

    seeds: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    rss_mb: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    def add(self, result: ChunkResult) -> None:
        """Count one more chunk."""
        self.seeds += len(result.seeds)
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
    """``A:B``, from A up to but not including B. Raises BadInputError."""
    first, colon, last = text.partition(":")
    try:
        seeds = range(int(first), int(last)) if colon else range(int(first), int(first) + 1)
    except ValueError:
        raise BadInputError(f"--seeds {text!r}: write it as A:B, for example 0:1000.") from None
    if not seeds or seeds.start < 0:
        raise BadInputError(f"--seeds {text!r} holds no seed: A must be 0 or more, and B above A.")
    return seeds


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


def chunks(seeds: range, *, shard: tuple[int, int] = (0, 1), jobs: int = 1) -> list[range]:
    """This shard's seeds in pieces: large enough to cost nothing, enough of them for every job."""
    part, parts = shard
    own = seeds[part::parts]
    size = max(1, min(CHUNK_SEEDS_MAX, len(own) // (4 * jobs)))
    return [own[start : start + size] for start in range(0, len(own), size)]


class CampaignLog:
    """The JSON-lines file of a campaign: a header that says which test, then findings and counters."""

    def __init__(self, path: Path, test: Mapping[str, Any]) -> None:
        """Open ``path`` to go on, or start it.

        Raises BadInputError when it holds another test's campaign or cannot be written.
        """
        self.path = path
        if path.exists() and not path.is_file():
            raise BadInputError(f"{path} is no file; choose another with --out.")
        try:
            self.done = list(_read(path, test)) if path.exists() else []
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or not path.stat().st_size:
                self._append([{"test": test}])
        except OSError as error:
            raise BadInputError(f"{path}: {error.strerror}; choose another with --out.") from error

    def write(self, result: ChunkResult) -> None:
        """Append one chunk in one write: it is in the log whole, or is run again."""
        counters = asdict(result)
        findings = [{"finding": finding} for finding in counters.pop("findings")]
        counters["seeds"] = [result.seeds.start, result.seeds.stop, result.seeds.step]
        self._append([*findings, {"chunk": counters}])

    def _append(self, entries: Iterable[Mapping[str, Any]]) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(orjson.dumps(e, option=orjson.OPT_APPEND_NEWLINE) for e in entries))


def run_campaign(
    work: Callable[[range], ChunkResult],
    pieces: Sequence[range],
    *,
    executor: Executor,
    jobs: int,
    log: CampaignLog | None = None,
    on_chunk: Callable[[Tally, ChunkResult], None] = lambda tally, result: None,
) -> Tally:
    """Run ``work`` on every piece that the log does not hold yet, at most ``2 * jobs`` waiting at once.

    The tally covers what the log held as well. On KeyboardInterrupt the chunks that are finished stand
    in the log, and the exception goes on.
    """
    tally = Tally()
    done = {result.seeds: result for result in (log.done if log else []) if result.seeds in set(pieces)}
    for result in done.values():
        tally.add(result)
    waiting = [piece for piece in reversed(pieces) if piece not in done]
    running: set[Future[ChunkResult]] = set()
    try:
        while waiting or running:
            while waiting and len(running) < 2 * jobs:
                running.add(executor.submit(work, waiting.pop()))
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for result in sorted((f.result() for f in finished), key=lambda r: r.seeds.start):
                tally.add(result)
                if log is not None:
                    log.write(result)
                on_chunk(tally, result)
    finally:
        for future in running:
            future.cancel()
    return tally


def _read(path: Path, test: Mapping[str, Any]) -> Iterator[ChunkResult]:
    findings: dict[int, Finding] = {}
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        entry = _parsed(path, number, line)
        if "test" in entry and entry["test"] != orjson.loads(orjson.dumps(test)):
            raise BadInputError(f"{path} holds the campaign of another test; choose another with --out.")
        if "finding" in entry:
            signatures = tuple(entry["finding"].pop("signatures"))
            finding = Finding(**entry["finding"], signatures=signatures)
            findings[finding.seed] = finding
        if "chunk" in entry:
            seeds = range(*entry["chunk"].pop("seeds"))
            own = tuple(findings.pop(seed) for seed in sorted(findings) if seed in seeds)
            yield ChunkResult(**entry["chunk"], seeds=seeds, findings=own)
    if lines[-1]:
        _drop_torn_line(path, len(lines[-1]))


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadInputError(
            f"{path}:{number}: {error}; mend the line or start anew with --out."
        ) from None
    if not isinstance(entry, dict):
        raise BadInputError(f"{path}:{number}: not an object; mend the line or start anew with --out.")
    return entry


def _drop_torn_line(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - size)
