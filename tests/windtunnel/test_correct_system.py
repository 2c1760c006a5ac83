"""The correct systems pass every seed under all faults; ``make soak`` runs as many as are wanted."""

from __future__ import annotations

import pytest

from tests.support.correct import FAMILIES, SEEDS
from windtunnel.commands import repeat_line
from windtunnel.outcome import signatures
from windtunnel.runner import run_test

PARTS = 6
TESTS = [
    pytest.param(spec, SEEDS[family], id=name)
    for family, tests in FAMILIES.items()
    for name, spec in tests.items()
]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("test", "seeds"), TESTS)
def test_the_correct_system_is_valid_under_all_faults(test, seeds: int, part: int) -> None:
    for seed in range(1 + part, 1 + seeds, PARTS):
        spec = test.with_seed(seed)
        verdict = run_test(spec).verdict
        assert verdict.valid is True, f"{signatures(verdict)}; {repeat_line(spec)}"
