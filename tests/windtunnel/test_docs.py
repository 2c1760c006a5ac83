"""The worked examples of the docs run as they stand on their pages."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import windtunnel as wt
from cluster.systems.ids import ids_system
from impl.mutants.registry import MUTANTS
from windtunnel.cli.app import app
from windtunnel.cli.listing import names
from workloads.uuid import uuid

ROOT = Path(__file__).parents[2]


def module_from(page: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The first Python block of a page, as a module."""
    code = (ROOT / "docs" / page).read_text().split("```python\n")[1].split("```")[0]
    module = ModuleType(f"docs_{page.removesuffix('.md').replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, page, "exec"), vars(module))
    return module


@pytest.mark.parametrize("seed", range(1, 11))
def test_the_workload_of_the_page_is_valid_under_all_faults(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = module_from("add-a-workload.md", monkeypatch)
    run = wt.run(wt.TestSpec(workload="tickets", seed=seed), workloads={"tickets": page.tickets})
    assert run.verdict.valid is True, (run.verdict.anomalies, run.verdict.reason)


def test_the_checker_of_the_page_finds_the_longest_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    page = module_from("add-a-checker.md", monkeypatch)
    everybody = [f"n{number}" for number in range(1, 6)]
    pause = {"at_s": 5.0, "kind": "pause", "nodes": everybody, "duration_s": 12.0, "args": {}}
    run = wt.run(wt.TestSpec(workload="uuid", schedule=(pause,)))
    strict = page.no_outage("next", longest_s=10)(run.history, {})
    assert strict.valid is False
    (anomaly,) = strict.anomalies
    before, after = (run.history[op] for op in anomaly.ops)
    assert before.time < 6e9 < 16e9 < after.time
    assert page.no_outage("next", longest_s=20)(run.history, {}).valid is True
    assert page.no_outage("none", longest_s=20)(run.history, {}).valid == "unknown"


def test_the_mutant_of_the_page_is_caught_by_the_checker_it_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (mutant,) = module_from("add-a-mutant.md", monkeypatch).MUTANTS

    def mutated(options: wt.WorkloadOptions) -> wt.Workload:
        system = ids_system(mutant.kind, nodes=options.nodes, program=mutant.program)
        return replace(uuid(options), system=system)

    run = wt.run(wt.TestSpec(workload="uuid", seed=mutant.seeds), workloads={"uuid": mutated})
    assert [part.checker for part in run.verdict.parts if part.valid is False] == [mutant.caught_by]


def test_the_page_of_mutants_has_each_with_what_it_says_of_itself() -> None:
    lines = (ROOT / "docs" / "add-a-mutant.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert rows == [
        f"| `{one.name}` | {one.failure} | `{one.workload}` | `{one.caught_by}` | {one.seeds} |"
        for one in MUTANTS.values()
    ]


def test_the_page_of_the_command_line_names_every_command_and_exit_code() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    for command in app.registered_commands:
        assert f"## `windtunnel {command.name}" in page
    for code in (0, 1, 2, 130, 254, 255):
        assert f"| {code} |" in page


def test_the_readme_begins_with_the_two_commands() -> None:
    first = (ROOT / "README.md").read_text().split("```")[1]
    assert first.split() == ["sh", "make", "demo", "make", "test"] or "make demo" in first
    assert "make test" in first


def test_every_list_has_names_and_every_name_a_line() -> None:
    for title, lines in names().items():
        assert lines, title
        assert all(lines.values()), title


@pytest.mark.parametrize("page", ["pytest.md", "campaigns.md"])
def test_the_code_of_the_pages_for_users_runs(page: str, tmp_path: Path) -> None:
    """As tests if it is some, in a session of its own."""
    blocks = (ROOT / "docs" / page).read_text().split("```python\n")[1:]
    for number, block in enumerate(blocks):
        (tmp_path / f"test_{number}.py").write_text(block.split("```")[0])
    options = ["-q", "-p", "no:cacheprovider", "--windtunnel-seeds", "4"]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == (5 if page == "campaigns.md" else 0), done.stdout + done.stderr
