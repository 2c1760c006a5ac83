"""Seeds that failed are tried first the next time, until they pass; kept in pytest's cache."""

from __future__ import annotations

from typing import Any

import pytest

KEY = "windtunnel/failed-seeds"
PROPERTY = "windtunnel_failed_seed"


def remembered(config: pytest.Config, nodeid: str) -> int | None:
    """The seed at which this test failed last."""
    seed = _read(config).get(nodeid)
    return seed if isinstance(seed, int) else None


class Memory:
    """Listens to the reports of all tests, those of xdist's workers too, and keeps their seeds."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._news: dict[str, int | None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A failing seed comes as a property of the report."""
        if report.when == "call" and report.outcome != "skipped":
            seed = dict(report.user_properties).get(PROPERTY)
            self._news[report.nodeid] = seed if isinstance(seed, int) else None

    def pytest_sessionfinish(self) -> None:
        """Only the process that started the others writes."""
        cache = getattr(self._config, "cache", None)
        if cache is None or hasattr(self._config, "workerinput"):
            return
        old = _read(self._config)
        new = {nodeid: seed for nodeid, seed in (old | self._news).items() if seed is not None}
        if new != old:
            cache.set(KEY, new)


def _read(config: pytest.Config) -> dict[str, Any]:
    cache = getattr(config, "cache", None)
    kept = cache.get(KEY, {}) if cache is not None else {}
    return kept if isinstance(kept, dict) else {}
