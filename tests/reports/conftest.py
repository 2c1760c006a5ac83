"""One browser for all tests that need one, and pages to look at in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from reports import page
from tests.reports.chromium import chromium, missing, open_page
from tests.reports.samples import failing_lock
from tests.support.needs import lacking


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    """Chromium; without it the test is skipped, in continuous integration it fails."""
    if reason := missing():
        lacking(reason)
    with chromium() as driver:
        yield driver


@pytest.fixture(scope="session")
def lock_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a failing lock run."""
    path = tmp_path_factory.mktemp("lock") / "report.html"
    page.write(failing_lock(), path)
    return path


@pytest.fixture
def lock(browser: webdriver.Chrome, lock_path: Path) -> webdriver.Chrome:
    """A browser that has just opened that page, in light colours."""
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    open_page(browser, lock_path)
    return browser
