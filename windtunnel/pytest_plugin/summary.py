"""What the end of the session says: how many seeds were run, and where the pages of failures lie."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

PAGE = "windtunnel_report"
REPEAT = "windtunnel_repeat"
SEEDS = "windtunnel_seeds"
IDLE = "windtunnel_seeds_without_effect"


class Summary:
    """Collects what tests told as properties, those of xdist's workers too."""

    def __init__(self) -> None:
        self._totals: Counter[str] = Counter()
        self._failed: list[tuple[str, dict[str, Any]]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once, at its call."""
        told = dict(report.user_properties)
        if report.when != "call" or SEEDS not in told:
            return
        self._totals.update(
            {"tests": 1, SEEDS: int(str(told[SEEDS])), IDLE: int(str(told.get(IDLE, 0)))}
        )
        if PAGE in told:
            self._failed.append((report.nodeid, told))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One line, and two for each failure."""
        if not self._totals["tests"]:
            return
        idle = self._totals[IDLE]
        note = f", {idle} of them without a fault that landed" if idle else ""
        terminalreporter.section("windtunnel")
        terminalreporter.line(f"{self._totals[SEEDS]} seeds in {self._totals['tests']} tests{note}")
        for nodeid, told in self._failed:
            terminalreporter.line(f"{nodeid}\n  report    {told[PAGE]}\n  repeat by {told[REPEAT]}")
