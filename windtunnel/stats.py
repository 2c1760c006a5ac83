"""How the operations of a history went, counted as Jepsen's ``stats`` does."""

from __future__ import annotations

from collections import Counter

from history.history import FAIL, INFO, OK, History


def stats(history: History) -> dict[str, dict[str, int]]:
    """By function: ``count``, ``ok-count``, ``fail-count``, ``info-count`` (no end known)."""
    operations = history.operations()
    pairs = Counter(zip(operations.f.tolist(), operations.outcome.tolist(), strict=True))
    names = (("ok-count", OK), ("fail-count", FAIL), ("info-count", INFO))
    counted = {}
    for code in sorted({f for f, _ in pairs}):
        counts = {name: pairs[code, outcome] for name, outcome in names}
        counted[operations.fs[code]] = {"count": sum(counts.values()), **counts}
    return counted
