"""Names as people type them: the right entry of a registry, or an error that says which was meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class BadInputError(Exception):
    """What was asked cannot be done: the culprit's name, where it stands, the way out. Exit code 254."""


def find(kind: str, name: str, registry: Mapping[str, T]) -> T:
    """``registry[name]``. Raises BadInputError with ``name`` and the nearest right one."""
    if name in registry:
        return registry[name]
    raise BadInputError(f"unknown {kind} {name!r}: {suggestion(name, registry)}")


def suggestion(name: str, registry: Mapping[str, object]) -> str:
    """``did you mean …?`` when some entry is near, else all entries there are."""
    near = difflib.get_close_matches(name, registry, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"choose from {', '.join(sorted(registry))}."
