"""What every report is made from: one run, read from its directory, as far as it can be read."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from checkers.verdict import Verdict
from history import jsonl
from history.errors import HistoryError, HistoryWarning, StoreError
from history.history import History
from history.store import RunDirectory, open_run
from reports.verdicts import from_results

T = TypeVar("T")

HISTORY_FILE = "history.jsonl"


@dataclass(frozen=True, kw_only=True)
class Material:
    """One run.

    ``name`` is that of its directory; ``test`` and ``results`` are what ``test.json`` and
    ``results.json`` hold; ``logs`` are texts by node; ``messages`` what was sent near the witnesses of a
    simulated run; ``problems`` say, a sentence each, what of it could not be read.
    """

    name: str
    test: Mapping[str, Any]
    results: Mapping[str, Any]
    history: History
    logs: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def spec(self) -> Mapping[str, Any]:
        """What was run, as ``test.json`` has it; empty if it does not say."""
        return _mapping(self.test.get("spec"))

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the checkers were told beside the history."""
        return _mapping(self.test.get("facts"))

    @property
    def versions(self) -> Mapping[str, Any]:
        """Of Python, of windtunnel and of its source."""
        return _mapping(self.test.get("versions"))

    @property
    def workload(self) -> str:
        """The workload's name, or ``run`` when nobody knows it."""
        return str(self.spec.get("workload", "run"))

    @property
    def title(self) -> str:
        """Which run it is, for a heading."""
        mutant, seed = self.spec.get("mutant"), self.spec.get("seed")
        parts = (
            self.workload,
            mutant and f"with {mutant}",
            None if seed is None else f"seed {seed}",
        )
        return ", ".join(str(part) for part in parts if part)

    @property
    def repeat(self) -> str | None:
        """The command that runs it again."""
        line = self.results.get("repeat")
        return line if isinstance(line, str) else None

    @cached_property
    def verdict(self) -> Verdict:
        """What the checkers said."""
        return from_results(self.results)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes of the cluster: as the test names them, else all that answered."""
        named = self.spec.get("nodes")
        if isinstance(named, list | tuple):
            return tuple(map(str, named))
        return tuple(sorted({node for node in self.history.node if node is not None}))


def read(path: Path) -> Material:
    """The run at ``path``, which is a run directory, a link to one, or a file in it.

    Only a path that is no run raises, StoreError: of a broken run what is there is taken, and
    ``problems`` says what is not.
    """
    directory = open_run(path)
    problems: list[str] = []
    return Material(
        name=directory.path.name,
        test=_or_else({}, directory.read_test, problems),
        results=_or_else({}, directory.read_results, problems),
        history=_or_else(History.from_ops(()), lambda: _history(directory, problems), problems),
        logs=_logs(directory, problems),
        messages=tuple(_or_else([], directory.read_messages, problems)),
        problems=tuple(problems),
    )


def _history(directory: RunDirectory, problems: list[str]) -> History:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", HistoryWarning)
        history = jsonl.read(directory.history_path)
    problems += [str(warning.message) for warning in caught]
    return history


def _logs(directory: RunDirectory, problems: list[str]) -> dict[str, str]:
    logs = {}
    for path in sorted((directory.path / "logs").glob("*.log")):
        try:
            logs[path.stem] = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror}")
    return logs


def _or_else(default: T, read_: Callable[[], T], problems: list[str]) -> T:
    try:
        return read_()
    except (StoreError, HistoryError) as error:
        problems.append(str(error))
        return default


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
