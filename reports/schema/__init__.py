"""The published JSON schema of ``results.json``, by version."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import orjson

RESULTS_VERSION: Final = 1


def results_schema(version: int = RESULTS_VERSION) -> dict[str, Any]:
    """The schema (JSON Schema 2020-12); FileNotFoundError for a version that never was."""
    text = (files("reports") / "schema" / f"results-{version}.json").read_bytes()
    schema: dict[str, Any] = orjson.loads(text)
    return schema
