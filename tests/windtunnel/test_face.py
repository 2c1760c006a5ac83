"""``import windtunnel as wt`` offers what the docs use, and costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import windtunnel as wt


@pytest.mark.parametrize("name", wt.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(wt, name) is not None


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = wt.colour


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "('numpy', 'aiohttp', 'typer')"
    code = f"import sys, windtunnel.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_run_is_two_lines() -> None:
    run = wt.run(wt.TestSpec(workload="uuid", seed=7, time_limit_s=2))
    assert run.verdict.valid is True
