"""The table of docs/agreement.md is in step with the marks, and says what tests/agreement says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from impl.mutants.registry import MUTANTS
from nemesis.schedule import check
from nemesis.schedule_file import from_json
from tests.agreement import table
from tests.agreement.run import Found
from tests.agreement.trials import ALL, TRIALS, marked, trial_of


def test_the_table_has_a_row_for_each_mutant_that_is_marked_and_no_other() -> None:
    assert list(table.read()) == [mutant.name for mutant in marked()]


def test_each_was_caught_by_its_own_checker_on_every_cluster() -> None:
    cells = table.read()
    assert [name for name, row in cells.items() if not table.agrees(row)] == []


def test_every_row_names_the_workload_and_the_checker_that_the_mutant_names() -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    for mutant in marked():
        assert f"| `{mutant.name}` | `{mutant.workload}` | `{mutant.caught_by}` | " in page


def test_trials_are_of_mutants_that_are_marked_and_can_be_run() -> None:
    assert set(TRIALS) <= {mutant.name for mutant in marked()}
    for mutant in marked():
        faults = tuple(from_json(fault) for fault in trial_of(mutant).faults)
        check(faults, nodes=ALL)
        assert all(fault.end_s <= trial_of(mutant).time_limit_s for fault in faults)
        assert not mutant.faults or {fault.kind for fault in faults} <= set(mutant.faults)


def test_writing_the_table_changes_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy = tmp_path / "agreement.md"
    copy.write_text(table.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(table, "PAGE", copy)
    cells = table.read()
    before = copy.read_text(encoding="utf-8")
    table.write(marked(), cells)
    assert copy.read_text(encoding="utf-8") == before
    name = next(iter(MUTANTS[each].name for each in cells))
    cells[name]["local"] = table.cell(Found("valid", ()))
    table.write(marked(), cells)
    assert table.read() == cells
    assert not table.agrees(table.read()[name])
