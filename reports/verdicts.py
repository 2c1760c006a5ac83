"""Verdicts read back from ``results.json``, where parts stand under the names of their checkers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from checkers.verdict import Anomaly, Validity, Verdict

VALID: Final = "valid?"
WORDS: Final[Mapping[Validity, str]] = {True: "valid", False: "invalid", "unknown": "unknown"}
SYMBOLS: Final[Mapping[Validity, str]] = {True: "✓", False: "✗", "unknown": "?"}
_NOT_COUNTS = frozenset({VALID, "reason", "anomalies"})


def from_results(results: Mapping[str, Any], *, checker: str = "all") -> Verdict:
    """The verdict that ``results`` hold; one that says nothing readable is ``unknown`` and says so."""
    parts = tuple(
        from_results(value, checker=name)
        for name, value in results.items()
        if isinstance(value, Mapping) and VALID in value
    )
    own = tuple(_anomaly(one) for one in _listed(results.get("anomalies")))
    return Verdict(
        checker=checker,
        valid=_validity(results.get(VALID)),
        anomalies=own + tuple(anomaly for part in parts for anomaly in part.anomalies),
        counts={} if parts else {k: v for k, v in results.items() if k not in _NOT_COUNTS},
        reason=_reason(results),
        parts=parts,
    )


def leaves(verdict: Verdict) -> tuple[Verdict, ...]:
    """The verdicts of single checkers, however deep they lie."""
    if not verdict.parts:
        return (verdict,)
    return tuple(leaf for part in verdict.parts for leaf in leaves(part))


def _validity(value: Any) -> Validity:
    return value if isinstance(value, bool) else "unknown"


def _reason(results: Mapping[str, Any]) -> str | None:
    if VALID not in results:
        return "there are no results: the run did not end, or was not judged"
    reason = results.get("reason")
    return None if reason is None else str(reason)


def _anomaly(entry: Any) -> Anomaly:
    if not isinstance(entry, Mapping):
        return Anomaly(name="anomaly", message=str(entry))
    details = entry.get("details")
    return Anomaly(
        name=str(entry.get("name", "anomaly")),
        message=str(entry.get("message", "")),
        ops=tuple(op for op in _listed(entry.get("ops")) if isinstance(op, int)),
        details=details if isinstance(details, Mapping) else {},
    )


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
