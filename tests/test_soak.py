"""The soak: a table of all tests, a log to go on from, and no silence about a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import soak
from tests.support import correct
from windtunnel.spec import TestSpec
from workloads.registry import WORKLOADS
from workloads.workload import WorkloadOptions

QUICK = TestSpec(workload="uuid", time_limit_s=3)
BROKEN = TestSpec(workload="uuid", mutant="uuid4-seeded-by-pid", time_limit_s=3)


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, TestSpec]:
    tests: dict[str, TestSpec] = {"quick": QUICK}
    monkeypatch.setattr(soak, "FAMILIES", {"small": tests})
    monkeypatch.setattr(soak, "STORE", tmp_path)
    return tests


def test_valid_seeds_end_with_0_and_are_not_run_again(family, capsys) -> None:
    arguments = ["small", "--seeds", "4", "--jobs", "1"]
    assert soak.main(arguments) == 0
    assert "quick: 4 of 4" in capsys.readouterr().err
    assert soak.main(arguments) == 0
    again = capsys.readouterr()
    assert again.err == ""
    assert "from the log" in again.out


def test_a_seed_that_fails_ends_with_1_and_says_how_to_repeat_it(family, capsys) -> None:
    family["broken"] = BROKEN
    assert soak.main(["small", "--seeds", "2", "--first", "3", "--jobs", "1", "broken"]) == 1
    told = capsys.readouterr()
    assert "unique-ids: duplicated" in told.out
    assert "windtunnel run uuid --seed 3" in told.out
    assert "2 FAILED" in told.err


def test_what_cannot_be_soaked_is_refused(family, capsys) -> None:
    for arguments in (["big"], ["small", "slow"], ["small", "--seeds", "0"]):
        with pytest.raises(SystemExit, match="2"):
            soak.main(arguments)
    assert "no test 'slow'; there are quick" in capsys.readouterr().err


def test_every_workload_of_coordination_is_soaked() -> None:
    soaked = {spec.workload for spec in correct.FAMILIES["coordination"].values()}
    options = WorkloadOptions()
    systems = {name: make(options).system.name for name, make in WORKLOADS.items()}
    assert soaked == {name for name, system in systems.items() if system == "coordination"}
