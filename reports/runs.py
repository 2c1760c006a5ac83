"""The runs at some paths: runs, or stores of them, broken ones among them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from history.errors import StoreError
from history.history import History
from history.store import list_runs
from reports.material import Material, read

_TEST_FILE = "test.json"


def runs_at(paths: Sequence[Path]) -> list[Material]:
    """Every run at ``paths``, each a run or a store; of a broken run, as much as can be read.

    Raises StoreError for a path that is neither.
    """
    return [run for path in paths for run in _at(path)]


def _at(path: Path) -> list[Material]:
    if not path.is_dir() or (path / _TEST_FILE).exists():
        return [read(path)]
    runs = list_runs(path)
    if not runs:
        raise StoreError(f"{path} is no run, and there are none in it")
    return [_read_or_said(run.directory.path, run.workload) for run in runs]


def _read_or_said(path: Path, workload: str) -> Material:
    try:
        return read(path)
    except StoreError as error:
        return Material(
            name=path.name,
            test={"spec": {"workload": workload}},
            results={},
            history=History.from_ops(()),
            problems=(str(error),),
        )
