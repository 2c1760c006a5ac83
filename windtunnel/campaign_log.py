"""The log of a campaign: JSON lines, written chunk by chunk, read back to go on or to be merged.

A header says which test it is; then, per chunk in one write, a line for each seed that was not valid and
one of counters; then a line for each failure that was shrunk. Findings without their counters are those
of a chunk that was not finished, and are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from windtunnel.campaign import ChunkResult, Finding
from windtunnel.names import BadInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a log holds.

    ``test`` has the spec and the versions that ran it; ``shrunk``, by signature, failures that were
    shrunk; ``torn`` is the number of bytes at the end that are no whole line.
    """

    test: Mapping[str, Any]
    chunks: tuple[ChunkResult, ...]
    shrunk: Mapping[str, Mapping[str, Any]]
    torn: int


class CampaignLog:
    """A log to go on with: ``done`` are its chunks, ``shrunk`` its failures that were shrunk."""

    def __init__(self, path: Path, test: Mapping[str, Any]) -> None:
        """Open ``path`` to go on, or start it.

        Raises BadInputError when it holds another test's campaign or cannot be written.
        """
        self.path = path
        if path.exists() and not path.is_file():
            raise BadInputError(f"{path} is no file; choose another with --out.")
        try:
            contents = _opened(path, test)
        except OSError as error:
            raise BadInputError(f"{path}: {error.strerror}; choose another with --out.") from error
        self.done = contents.chunks if contents else ()
        self.shrunk = dict(contents.shrunk) if contents else {}

    def write(self, result: ChunkResult) -> None:
        """Append one chunk in one write: it is in the log whole, or is run again."""
        _append(self.path, lines_of(result))

    def write_shrunk(self, entry: Mapping[str, Any]) -> None:
        """Append a failure that was shrunk; its ``signature`` says which one it is of."""
        self.shrunk[entry["signature"]] = entry
        _append(self.path, [{"shrunk": entry}])


def read_log(path: Path) -> Contents:
    """The log at ``path``. Raises BadInputError for a file that is none, with the line that is wrong."""
    try:
        *lines, torn = path.read_bytes().split(b"\n")
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}.") from None
    test: Mapping[str, Any] | None = None
    findings: dict[int, Finding] = {}
    chunks: list[ChunkResult] = []
    shrunk: dict[str, Mapping[str, Any]] = {}
    for number, line in enumerate(lines, start=1):
        entry = _parsed(path, number, line)
        try:
            if "test" in entry:
                test = dict(entry["test"])
            elif "finding" in entry:
                finding = _finding(entry["finding"])
                findings[finding.seed] = finding
            elif "chunk" in entry:
                chunks.append(_chunk(entry["chunk"], findings))
                findings = {}
            elif "shrunk" in entry:
                shrunk[entry["shrunk"]["signature"]] = entry["shrunk"]
        except (KeyError, TypeError, ValueError) as error:
            raise BadInputError(f"{path}:{number}: no line of a campaign's log ({error!r}).") from None
    if test is None:
        raise BadInputError(f"{path} is no log of a campaign: it does not say which test was run.")
    return Contents(test=test, chunks=tuple(chunks), shrunk=shrunk, torn=len(torn))


def write_log(path: Path, contents: Contents) -> None:
    """Write a whole log, in place of what is there. Raises BadInputError."""
    entries: list[Mapping[str, Any]] = [{"test": contents.test}]
    for chunk in contents.chunks:
        entries += lines_of(chunk)
    entries += [{"shrunk": entry} for entry in contents.shrunk.values()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_text(entries))
    except OSError as error:
        raise BadInputError(f"{path} cannot be written: {error.strerror}.") from None


def lines_of(result: ChunkResult) -> list[Mapping[str, Any]]:
    """The lines of one chunk."""
    counters = asdict(result)
    findings = [{"finding": finding} for finding in counters.pop("findings")]
    counters["seeds"] = [result.seeds.start, result.seeds.stop, result.seeds.step]
    return [*findings, {"chunk": counters}]


def same_test(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two headers are of the same test by the same versions, whatever they were read from."""
    return bool(_plain(one) == _plain(other))


def _opened(path: Path, test: Mapping[str, Any]) -> Contents | None:
    if not path.exists() or not path.stat().st_size:
        path.parent.mkdir(parents=True, exist_ok=True)
        _append(path, [{"test": test}])
        return None
    contents = read_log(path)
    if not same_test(contents.test, test):
        raise BadInputError(f"{path} holds the campaign of another test; choose another with --out.")
    if contents.torn:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - contents.torn)
    return contents


def _finding(entry: Mapping[str, Any]) -> Finding:
    return Finding(**{**entry, "signatures": tuple(entry["signatures"])})


def _chunk(entry: Mapping[str, Any], findings: Mapping[int, Finding]) -> ChunkResult:
    seeds = range(*entry["seeds"])
    own = tuple(findings[seed] for seed in sorted(findings) if seed in seeds)
    return ChunkResult(**{**entry, "seeds": seeds, "findings": own})


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadInputError(f"{path}:{number}: no line of a campaign's log ({error}).") from None
    if not isinstance(entry, dict):
        raise BadInputError(f"{path}:{number}: no line of a campaign's log (it is not an object).")
    return entry


def _append(path: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    with path.open("ab") as file:
        file.write(_text(entries))


def _text(entries: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE) for entry in entries)


def _plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))
