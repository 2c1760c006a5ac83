"""Examples are what a user sees: their tests run as they stand, and import only ``windtunnel``."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import realclusters

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
KVSTORE = EXAMPLES / "kvstore"
SOURCES = sorted(EXAMPLES.rglob("*.py"))
OURS = {"reports", "workloads", "nemesis", "cluster", "checkers", "history", "impl", "tests", "bench"}


def imported(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


def session(*arguments: str, cwd: Path = KVSTORE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONHASHSEED": "0", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_there_are_examples() -> None:
    assert KVSTORE / "kvstore" / "node.py" in SOURCES


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_an_example_imports_the_face_and_nothing_behind_it(source: Path) -> None:
    names = set(imported(source))
    assert not {name for name in names if name.partition(".")[0] in OURS}
    assert not {name for name in names if name.startswith("windtunnel.")}
    if "tests" not in source.parts[len(EXAMPLES.parts) :]:
        assert "windtunnel" not in names, "a service knows nothing of what tests it"


def test_the_project_of_an_example_asks_for_windtunnel_in_its_tests_alone() -> None:
    project = tomllib.loads((KVSTORE / "pyproject.toml").read_text())["project"]
    assert "dependencies" not in project
    assert project["optional-dependencies"] == {"test": ["windtunnel[pytest]"]}


@pytest.mark.slow
def test_the_store_holds_and_its_bug_is_caught(tmp_path: Path) -> None:
    done = session("-n", "2", "--windtunnel-store", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 1 xfailed" in done.stdout
    assert list(tmp_path.glob("test_stale_reads*/*/report.html"))


@pytest.mark.slow
def test_the_store_holds_on_real_processes_too(tmp_path: Path) -> None:
    realclusters.require("local")
    with realclusters.alone():
        done = session(
            *("-k", "test_store", "--windtunnel-cluster", "local", "--windtunnel-time-limit", "6"),
            *("--windtunnel-nemesis", "kill,partition", "--windtunnel-store", str(tmp_path)),
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 seeds in 1 tests" in done.stdout
