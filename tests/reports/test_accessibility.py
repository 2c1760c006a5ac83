"""No violation of WCAG 2.2 A and AA, by axe-core from npm."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import orjson
import pytest
from selenium import webdriver

from reports import campaign, index, page
from tests.reports.chromium import open_page, until
from tests.reports.samples import failing_lock
from tests.support.needs import lacking
from windtunnel.spec import TestSpec
from windtunnel.stored import run_stored

AXE = "axe-core@4.14.1"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core's script; where npm is missing or cannot get it there is no test."""
    if shutil.which("npm") is None:
        lacking("npm is not installed, axe-core comes from there")
    folder = tmp_path_factory.mktemp("axe")
    command = ["npm", "pack", "--silent", AXE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        lacking(f"npm cannot get {AXE}: {done.stderr.strip()[-200:]}")
    with tarfile.open(folder / done.stdout.strip()) as archive:
        found = archive.extractfile("package/axe.min.js")
        assert found is not None
        return found.read().decode()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of each kind, as NAME.html."""
    folder = tmp_path_factory.mktemp("pages")
    page.write(failing_lock(), folder / "run.html")
    run_stored(TestSpec(workload="uuid", seed=1, time_limit_s=2), folder / "store")
    index.write(folder / "store").rename(folder / "index.html")
    finding = {"seed": 1, "valid": False, "signatures": ["a: b"], "message": "m"}
    entries = (
        {"test": {"spec": {"workload": "uuid", "mutant": "m"}}},
        {"finding": finding},
        {"chunk": {"seeds": [0, 9, 1], "simulated_s": 9, "cpu_s": 1, "faults": {"kill": [3, 2]}}},
    )
    fault = {"at_s": 1, "duration_s": 2, "kind": "kill", "nodes": ["n1"]}
    small = {"schedule": [fault], "concurrency": 1, "time_limit_s": 2, "ops": 4}
    shrunk = {"signature": "a: b", "seed": 1, "runs": 9, "complete": True, "spec": small}
    entries = (*entries, {"shrunk": shrunk})
    log = folder / "log.jsonl"
    log.write_bytes(b"\n".join(map(orjson.dumps, entries)))
    campaign.write(
        [log, folder / "run.html"],
        folder / "campaign.html",
        repeat=lambda spec, seed: "run",
        schedule=lambda spec, seed: [fault],
        repeat_shrunk=lambda entry: "run shrunk",
    )
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["run", "index", "campaign"])
def test_no_rule_of_wcag_is_broken(
    browser: webdriver.Chrome, axe: str, pages: Path, name: str, scheme: str
) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    open_page(browser, pages / f"{name}.html")
    browser.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    if name == "run":
        browser.execute_script("window.windtunnel.toAnomaly(0)")
        until(browser, "return document.querySelectorAll('#table-place tbody tr').length > 0")
    browser.execute_script(axe)
    found = browser.execute_async_script("axe.run({runOnly: arguments[0]}).then(arguments[1])", RULES)
    told = [
        f"{one['id']}: {one['help']}: {[n['html'] for n in one['nodes'][:3]]}"
        for one in found["violations"]
    ]
    assert told == []
