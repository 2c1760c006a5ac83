"""Logs of many machines joined: one log per test, each seed counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from windtunnel.campaign import ChunkResult, Tally
from windtunnel.campaign_log import Contents, read_log
from windtunnel.names import BadInputError


@dataclass(slots=True)
class Joined:
    """The chunks of one test so far; ``from_`` says from which log a seed came."""

    test: Any
    chunks: dict[range, ChunkResult] = field(default_factory=dict)
    shrunk: dict[str, Any] = field(default_factory=dict)
    from_: dict[int, Path] = field(default_factory=dict)
    repeated: int = 0

    @property
    def contents(self) -> Contents:
        """The joined log, in order of seeds."""
        chunks = sorted(self.chunks.values(), key=lambda one: (one.seeds.start, one.seeds.step))
        return Contents(test=self.test, chunks=tuple(chunks), shrunk=self.shrunk, torn=0)

    @property
    def tally(self) -> Tally:
        """All that its chunks found."""
        tally = Tally()
        for chunk in self.contents.chunks:
            tally.add(chunk)
        return tally

    @property
    def name(self) -> str:
        """A file name that is the same for the same test."""
        spec = self.test.get("spec", {})
        words = [str(spec[key]) for key in ("workload", "mutant") if spec.get(key)]
        digest = blake2b(_key(self.test), digest_size=4).hexdigest()
        return "-".join([*words, digest]) + ".jsonl"


def joined(logs: Sequence[Path]) -> tuple[list[Joined], list[str]]:
    """The logs by test, and a sentence for each that is none, or is not whole.

    Raises BadInputError when two logs of one test disagree on a seed, or share some seeds of a chunk
    and not all: then nobody can say what its counters count.
    """
    tests: dict[bytes, Joined] = {}
    problems: list[str] = []
    for path in logs:
        try:
            contents = read_log(path)
        except BadInputError as error:
            problems.append(str(error))
            continue
        if contents.torn:
            problems.append(f"{path}: the last line is not whole; that chunk is left out")
        _join(tests.setdefault(_key(contents.test), Joined(contents.test)), path, contents)
    return list(tests.values()), problems


def _join(to: Joined, path: Path, contents: Contents) -> None:
    for chunk in contents.chunks:
        if chunk.seeds in to.chunks:
            _check_agreement(to, path, chunk)
            to.repeated += 1
            continue
        if both := [seed for seed in chunk.seeds if seed in to.from_]:
            raise BadInputError(
                f"{path}: seed {both[0]} stands in {to.from_[both[0]]} too, in another chunk; merge the "
                "logs of different shards, or leave one of these out."
            )
        to.chunks[chunk.seeds] = chunk
        to.from_.update(dict.fromkeys(chunk.seeds, path))
    for signature, entry in contents.shrunk.items():
        known = to.shrunk.get(signature)
        if known is None or _size(entry) < _size(known):
            to.shrunk[signature] = entry


def _check_agreement(to: Joined, path: Path, chunk: ChunkResult) -> None:
    known = {finding.seed: finding for finding in to.chunks[chunk.seeds].findings}
    new = {finding.seed: finding for finding in chunk.findings}
    for seed in chunk.seeds:
        if known.get(seed) != new.get(seed):
            raise BadInputError(
                f"{path}: seed {seed} went otherwise than in {to.from_[seed]}; the test is not "
                "deterministic across these machines: run that seed by hand on both."
            )


def _size(entry: Any) -> tuple[int, int]:
    return len(entry["spec"].get("schedule") or ()), entry["seed"]


def _key(test: Any) -> bytes:
    return orjson.dumps(test, option=orjson.OPT_SORT_KEYS)
