"""What a test needs of its machine: where that is missing it is skipped, and in CI it fails."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Skip the test that calls this, saying why; in CI fail: there everything must be tested."""
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(f"CI must have it: {reason}")
    pytest.skip(reason)
