"""Judging a history that was recorded before: a run's, a workload's, or a model's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from checkers.linearizable import linearizable
from checkers.models import MODELS
from checkers.verdict import Verdict
from history.errors import StoreError
from history.formats import read
from history.history import History
from history.store import open_run
from windtunnel.judge import judge
from windtunnel.names import BadInputError, find
from windtunnel.plan import make_workload
from windtunnel.spec import TestSpec
from windtunnel.stored import read_back


def check_as_run(path: Path) -> tuple[Verdict, History]:
    """What the run at ``path`` was judged by, on what it recorded.

    Raises BadInputError when ``path`` is no run; HistoryError or StoreError when it cannot be read.
    """
    try:
        stored = read_back(path)
    except StoreError as error:
        raise BadInputError(f"{error}; or say what it is with --workload or --model") from None
    return _judged(read(stored.directory.history_path), stored.spec, stored.facts)


def check_as_workload(path: Path, workload: str) -> tuple[Verdict, History]:
    """A history in any known format, or a run, as if ``workload`` had recorded it.

    A run's own facts are used where there are any. Raises BadInputError and HistoryError.
    """
    make_workload(TestSpec(workload=workload))
    try:
        stored = read_back(path)
    except (StoreError, BadInputError):
        return _judged(read(_file(path)), TestSpec(workload=workload), {})
    spec = stored.spec if stored.spec.workload == workload else TestSpec(workload=workload)
    return _judged(read(_file(path)), spec, stored.facts)


def check_as_model(path: Path, model: str, initial: Any) -> tuple[Verdict, History]:
    """Whether the history is linearizable. Raises BadInputError and HistoryError."""
    checker = linearizable(model=find("model", model, MODELS), initial=initial)
    history = read(_file(path))
    try:
        return checker(history.clients(), {}), history
    except ValueError as error:
        raise BadInputError(f"{path} is no history of a {model}: {error}") from None


def _judged(history: History, spec: TestSpec, facts: Mapping[str, Any]) -> tuple[Verdict, History]:
    workload = make_workload(spec)
    assumed = {**workload.facts, "nodes": spec.nodes, "final_index": _after_the_last_fault(history)}
    return judge(workload.checker, history, {**assumed, **facts}), history


def _after_the_last_fault(history: History) -> int:
    """Where the final phase must have begun, if nobody says: from there on nothing was done."""
    rows = np.flatnonzero(history.process < 0)
    return int(history.index[rows[-1]]) + 1 if len(rows) else 0


def _file(path: Path) -> Path:
    """The history file of a run directory, or the file itself."""
    return open_run(path).history_path if path.is_dir() else path
