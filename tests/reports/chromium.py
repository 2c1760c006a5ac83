"""Debian's headless Chromium, driven by WebDriver, for the tests of the page and for its figures."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
WITHIN_S = 30.0


def missing() -> str | None:
    """Why there is no browser here, None if there is one."""
    names = ("chromium", "chromedriver")
    absent = [name for name in names if shutil.which(name) is None]
    return (
        f"{' and '.join(absent)} not installed: apt-get install chromium chromium-driver"
        if absent
        else None
    )


@contextmanager
def chromium(width: int = 1400, height: int = 1000) -> Iterator[webdriver.Chrome]:
    """A browser with a profile of its own, closed at the end."""
    profile = tempfile.mkdtemp(prefix="windtunnel-chromium-")
    options = Options()
    options.binary_location = shutil.which("chromium") or "chromium"
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(shutil.which("chromedriver") or "chromedriver", log_output=os.devnull)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


def open_page(driver: webdriver.Chrome, path: Path, fragment: str = "") -> None:
    """Load the page from its file, and wait until all of it has come to life."""
    driver.get("about:blank")
    driver.get(path.as_uri() + fragment)
    until(driver, "return document.documentElement.dataset.complete === 'yes'")


def until(driver: webdriver.Chrome, script: str) -> Any:
    """What ``script`` returns, once that is true. Raises AssertionError if it stays false."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        if found := driver.execute_script(script):
            return found
        driver.execute_async_script("requestAnimationFrame(arguments[0])")
    raise AssertionError(f"this stayed false for {WITHIN_S:g} s: {script}")
