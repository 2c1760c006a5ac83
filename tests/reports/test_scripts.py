"""The page's JavaScript without a browser: ``scripts_test.js``, run by node where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.needs import lacking

TESTS = Path(__file__).with_name("scripts_test.js")
ASSETS = Path(__file__).parents[2] / "reports" / "assets"


def test_the_scripts_pass_their_own_tests() -> None:
    if shutil.which("node") is None:
        lacking("node is not installed")
    done = subprocess.run(
        ["node", "--test", str(TESTS)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_text_of_a_run_never_becomes_markup() -> None:
    for script in ASSETS.glob("*.js"):
        text = script.read_text()
        for way in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
        ):
            assert way not in text, f"{script.name} uses {way}"
        assert "</script" not in text
