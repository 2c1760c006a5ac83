"""No violation of WCAG 2.2 A and AA, by axe-core from npm."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from selenium import webdriver

from reports import page
from tests.reports.chromium import open_page, until
from tests.reports.samples import failing_lock

AXE = "axe-core@4.14.1"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core's script; skipped where npm is missing or cannot get it."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, axe-core comes from there")
    folder = tmp_path_factory.mktemp("axe")
    command = ["npm", "pack", "--silent", AXE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot get {AXE}: {done.stderr.strip()[-200:]}")
    with tarfile.open(folder / done.stdout.strip()) as archive:
        found = archive.extractfile("package/axe.min.js")
        assert found is not None
        return found.read().decode()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_of_wcag_is_broken(
    browser: webdriver.Chrome, axe: str, tmp_path: Path, scheme: str
) -> None:
    page.write(failing_lock(), tmp_path / "report.html")
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    open_page(browser, tmp_path / "report.html")
    browser.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    browser.execute_script("window.windtunnel.toAnomaly(0)")
    until(browser, "return document.querySelectorAll('#table-place tbody tr').length > 0")
    browser.execute_script(axe)
    found = browser.execute_async_script("axe.run({runOnly: arguments[0]}).then(arguments[1])", RULES)
    told = [
        f"{one['id']}: {one['help']}: {[n['html'] for n in one['nodes'][:3]]}"
        for one in found["violations"]
    ]
    assert told == []
