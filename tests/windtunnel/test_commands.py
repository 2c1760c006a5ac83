"""The line that repeats a run names what differs from the defaults and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from windtunnel.commands import campaign_line, repeat_line
from windtunnel.spec import TestSpec, node_names


@pytest.fixture(autouse=True)
def hash_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")


def test_a_default_run_needs_its_workload_and_seed_only() -> None:
    assert repeat_line(TestSpec(workload="snowflake", seed=7)) == "windtunnel run snowflake --seed 7"


def test_whatever_differs_from_the_defaults_is_named() -> None:
    spec = TestSpec(
        workload="uuid",
        seed=1,
        nodes=node_names(3),
        concurrency=2,
        time_limit_s=1.5,
        ops=8,
        mutant="seeded",
        faults=("kill", "clock"),
        options={"version": 7},
    )
    assert repeat_line(spec) == (
        "windtunnel run uuid --seed 1 --nodes 3 --concurrency 2 --time-limit 1.5 --ops 8"
        " --mutant seeded --option version=7 --faults kill,clock"
    )


def test_no_fault_at_all_is_said() -> None:
    assert repeat_line(TestSpec(workload="uuid", faults=("none",))).endswith("--faults none")


def test_a_schedule_takes_the_place_of_the_fault_kinds_and_is_quoted() -> None:
    spec = TestSpec(workload="uuid", faults=("kill",))
    line = repeat_line(spec, schedule=Path("my store/shrunk.json"))
    assert line == "windtunnel run uuid --seed 0 --schedule 'my store/shrunk.json'"


def test_another_hash_seed_is_part_of_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "42")
    assert repeat_line(TestSpec(workload="uuid")).startswith("PYTHONHASHSEED=42 windtunnel run")


def test_a_campaign_is_repeated_with_its_seeds() -> None:
    line = campaign_line(TestSpec(workload="uuid", mutant="seeded"), range(3, 9))
    assert line == "windtunnel campaign uuid --seeds 3:9 --mutant seeded"
