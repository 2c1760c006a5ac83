"""The correct system passes every seed under all faults: 300 of them, or as many as SEEDS says."""

from __future__ import annotations

import os

import pytest

from windtunnel.outcome import signatures
from windtunnel.repeat import repeat_line
from windtunnel.runner import run_test
from windtunnel.spec import TestSpec

SEEDS = int(os.environ.get("SEEDS", "300"))
VARIANTS = {
    "snowflake": TestSpec(workload="snowflake"),
    "autoincrement": TestSpec(workload="autoincrement"),
    "uuid4": TestSpec(workload="uuid"),
    "uuid7": TestSpec(workload="uuid", options={"version": 7}),
}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
@pytest.mark.parametrize("name", VARIANTS)
def test_the_correct_system_is_valid_under_all_faults(name: str, part: int) -> None:
    for seed in range(1 + part, 1 + SEEDS, 10):
        spec = VARIANTS[name].with_seed(seed)
        verdict = run_test(spec).verdict
        assert verdict.valid is True, f"{signatures(verdict)}; {repeat_line(spec)}"
