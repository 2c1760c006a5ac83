"""Pictures of pages for the docs: ``python -m tests.reports.screenshots [FOLDER]``, or make screenshots.

The runs are real ones, from fixed seeds of known-bad variants, so that the same pictures come out again.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from selenium import webdriver

from reports import page
from tests.reports.chromium import chromium, missing, open_page
from windtunnel.cli import invoke
from windtunnel.spec import TestSpec, node_names
from windtunnel.stored import run_stored

FOLDER = Path("docs/pictures")
FAILING = (
    TestSpec(workload="snowflake", seed=1, mutant="snowflake-no-clock-guard"),
    TestSpec(workload="lock", seed=4, mutant="holder-goes-on-believing"),
    TestSpec(workload="queue", seed=9, mutant="queue-zombie-leader", nodes=node_names(3)),
)
MUTANTS = ("snowflake-no-clock-guard", "snowflake-guard-in-memory", "snowflake-sequence-not-masked")
WIDTH_PX, HEIGHT_PX = 1300, 1560


def main(folder: Path) -> None:
    """Take all pictures."""
    if reason := missing():
        sys.exit(reason)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, chromium(WIDTH_PX, HEIGHT_PX) as driver:
        work = Path(temporary)
        for spec in FAILING:
            _, directory = run_stored(spec, work)
            page.write(directory.path, work / "report.html")
            for scheme in ("light", "dark"):
                picture = folder / f"{spec.workload}-{scheme}.png"
                _shoot(driver, work / "report.html", picture, scheme)
        _shoot(driver, _campaign(work), folder / "campaign.png", "light")


def _campaign(work: Path) -> Path:
    logs = [work / f"{mutant}.jsonl" for mutant in MUTANTS]
    for mutant, log in zip(MUTANTS, logs, strict=True):
        seeds = ["--seeds", "0:40", "--shrink", "--out", str(log)]
        invoke(["campaign", "snowflake", "--mutant", mutant, *seeds])
    invoke(["campaign-report", *map(str, logs), "--out", str(work / "campaign.html")])
    return work / "campaign.html"


def _shoot(driver: webdriver.Chrome, path: Path, picture: Path, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    open_page(driver, path)
    driver.save_screenshot(str(picture))
    print(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
