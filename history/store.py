"""Run directories: everything that one run leaves behind, and all that is needed to repeat it.

::

    store/<workload>/<UTC time>/test.json       what was run: enough to run it again
                                history.jsonl   what happened (history.jsonl), written meanwhile
                                results.json    what the checkers said
                                logs/<node>.log what the nodes said
                                messages.jsonl  of a simulated run that failed: what was sent near it
    store/<workload>/latest, store/latest       links to the newest run
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from history.errors import StoreError

# Checkers count by what they found, which may be numbers: keys of JSON are text.
_JSON_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
_LATEST = "latest"
MESSAGES = "messages.jsonl"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The directory of one run; it exists."""

    path: Path

    @property
    def history_path(self) -> Path:
        """Where the history is, or is to be recorded."""
        return self.path / "history.jsonl"

    def write_test(self, test: Mapping[str, Any]) -> None:
        """Keep what is needed to repeat the run; StoreError if it is not JSON or cannot be written."""
        _write_json(self.path / "test.json", test)

    def read_test(self) -> dict[str, Any]:
        """What ``write_test`` kept; StoreError with file and reason if that is missing or malformed."""
        return _read_json(self.path / "test.json")

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Keep the verdict; StoreError if it is not JSON or cannot be written."""
        _write_json(self.path / "results.json", results)

    def read_results(self) -> dict[str, Any]:
        """What ``write_results`` kept; StoreError with file and reason if missing or malformed."""
        return _read_json(self.path / "results.json")

    def write_messages(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Keep what machines sent each other, a line each; StoreError if it cannot be written."""
        _write(self.path / MESSAGES, b"".join(orjson.dumps(one) + b"\n" for one in messages))

    def read_messages(self) -> list[dict[str, Any]]:
        """What ``write_messages`` kept, nothing if it kept none; StoreError if it is malformed."""
        path = self.path / MESSAGES
        try:
            return [orjson.loads(line) for line in path.read_bytes().splitlines()]
        except FileNotFoundError:
            return []
        except (OSError, orjson.JSONDecodeError) as error:
            raise StoreError(f"{path} cannot be read: {error}") from None

    def write_logs(self, logs: Mapping[str, str]) -> None:
        """Keep each node's log as ``logs/<node>.log``; StoreError if one cannot be written."""
        for node, text in logs.items():
            if Path(node).name != node or node in ("", ".", ".."):
                raise StoreError(f"{node!r} cannot name a log: node names are file names here")
            _write(self.path / "logs" / f"{node}.log", text.encode(errors="backslashreplace"))


@dataclass(frozen=True, slots=True)
class Run:
    """One run in a store; ``broken`` says why it cannot be repeated, None if it can."""

    directory: RunDirectory
    workload: str
    name: str
    broken: str | None = None


def create(root: Path, workload: str, now: datetime) -> RunDirectory:
    """A new directory for a run of ``workload`` that starts ``now`` (aware), and links to it as latest.

    Raises StoreError if the store takes no files: better now than after the run.
    """
    parent = root / workload
    try:
        parent.mkdir(parents=True, exist_ok=True)
        path = _new_directory(parent, _stamp(now))
        _probe(path)
        _link(parent / _LATEST, Path(path.name))
        _link(root / _LATEST, Path(workload, path.name))
    except OSError as error:
        raise StoreError(
            f"{root} cannot keep this run ({error.strerror}): free space there or name another store"
        ) from None
    return RunDirectory(path)


def _stamp(now: datetime) -> str:
    utc = now.astimezone(UTC)
    return f"{utc:%Y%m%dT%H%M%S}.{utc.microsecond // 1000:03}Z"


def _new_directory(parent: Path, name: str) -> Path:
    """``name``, or ``name-2`` and so on where that is taken: mkdir decides between two that race."""
    for number in count(1):
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError("count never ends")


def _probe(path: Path) -> None:
    """A full disk makes empty files without complaint, so write a block and have it reach the disk."""
    probe = path / ".probe"
    with probe.open("wb") as file:
        file.write(bytes(4096))
        file.flush()
        os.fsync(file.fileno())
    probe.unlink()


def _link(link: Path, target: Path) -> None:
    """Point ``link`` to ``target`` in one step: a reader sees the old run or the new one."""
    fresh = link.with_name(f".{link.name}-{os.getpid()}-{target.name}")
    fresh.symlink_to(target)
    fresh.replace(link)


def open_run(path: Path) -> RunDirectory:
    """The run at ``path``: its directory, a ``latest`` link, or a file inside it.

    The link is followed at once, so that the run stays the same when a newer one begins. Raises
    StoreError if there is none.
    """
    found = path.resolve()
    directory = found.parent if found.is_file() else found
    if not directory.is_dir():
        raise StoreError(f"{path} is no run: there is no such directory")
    if not (directory / "test.json").is_file():
        raise StoreError(f"{path} is no run: there is no test.json in it")
    return RunDirectory(directory)


def list_runs(root: Path) -> list[Run]:
    """Every run in the store by workload, then by time; none if there is no store."""
    return [
        _listed(directory)
        for workload in _directories(root)
        for directory in sorted(_directories(workload), key=_age)
    ]


def _directories(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if one.is_dir() and not one.is_symlink())


def _age(directory: Path) -> tuple[str, int]:
    stamp, _, number = directory.name.partition("-")
    return stamp, int(number) if number.isdecimal() else 1


def _listed(path: Path) -> Run:
    directory = RunDirectory(path)
    return Run(directory, path.parent.name, path.name, _why_broken(directory))


def _why_broken(directory: RunDirectory) -> str | None:
    try:
        directory.read_test()
    except StoreError as error:
        return str(error)
    if not directory.history_path.is_file():
        return f"{directory.history_path} is missing: the run ended before it began"
    return None


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    try:
        text = orjson.dumps(dict(data), option=_JSON_OPTIONS)
    except TypeError as error:
        raise StoreError(f"{path} cannot be written: {error}") from None
    _write(path, text)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: a file that is there is never half of one."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(exist_ok=True)
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = orjson.loads(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise StoreError(f"{path} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise StoreError(f"{path} must hold a JSON object, not {type(data).__name__}")
    return data
