"""What holds for all tests: none fails because the machine is busy, and who fails is told at once."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


class _FailuresAtOnce:
    """Names each failure when it happens: the whole run takes half an hour, and may be cut off."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._reporter.write_line("")
            self._reporter.write_line(f"FAILED {report.nodeid} ({report.when})")
            self._reporter.write_line(report.longreprtext[-2000:])


def pytest_sessionstart(session: pytest.Session) -> None:
    plugins = session.config.pluginmanager
    reporter = plugins.get_plugin("terminalreporter")
    if isinstance(reporter, pytest.TerminalReporter):  # the workers of xdist have none
        plugins.register(_FailuresAtOnce(reporter))
