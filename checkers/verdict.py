"""What a checker says: a verdict, the anomalies behind it, and the few operations that prove it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from history.history import History

Validity: TypeAlias = bool | Literal["unknown"]
Options: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """One thing that must not be.

    ``name`` is the field's term (``duplicated``, ``lost-write``); ``message`` says in one sentence
    what contradicts what; ``ops`` are the indices of the events that prove it, fewest possible, in
    the order in which they are to be read; ``details`` holds what a report may show beside them.
    """

    name: str
    message: str
    ops: tuple[int, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer of one checker, or of several together.

    ``valid`` is True, False or ``"unknown"``; ``reason`` says why when it is unknown; ``counts`` are
    the checker's figures under Jepsen's result keys; ``parts`` are the verdicts it was made of.
    """

    checker: str
    valid: Validity
    anomalies: tuple[Anomaly, ...] = ()
    counts: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None
    parts: tuple[Verdict, ...] = ()


Checker: TypeAlias = Callable[[History, Options], Verdict]
"""``check(history, options) -> Verdict``: a pure function; options are facts of the run by name."""


def worst(validities: Sequence[Validity]) -> Validity:
    """False outranks unknown outranks true; no verdict at all is unknown."""
    if any(v is False for v in validities):
        return False
    if not validities or any(v == "unknown" for v in validities):
        return "unknown"
    return True


def all_of(**checkers: Checker) -> Checker:
    """One checker out of several: each is asked, under its own name, and the worst verdict counts.

    A checker that raises is ``unknown`` with the exception as its reason: a crash is not a verdict.
    """

    def check(history: History, options: Options) -> Verdict:
        parts = tuple(
            _guarded(name.replace("_", "-"), checker, history, options)
            for name, checker in checkers.items()
        )
        return Verdict(
            checker="all",
            valid=worst([part.valid for part in parts]),
            anomalies=tuple(anomaly for part in parts for anomaly in part.anomalies),
            reason="; ".join(f"{p.checker}: {p.reason}" for p in parts if p.reason) or None,
            parts=parts,
        )

    return check


def _guarded(name: str, checker: Checker, history: History, options: Options) -> Verdict:
    try:
        verdict = checker(history, options)
    except Exception as error:  # the verdict lattice needs an answer from every checker
        return Verdict(checker=name, valid="unknown", reason=f"{type(error).__name__}: {error}")
    return Verdict(
        checker=name,
        valid=verdict.valid,
        anomalies=verdict.anomalies,
        counts=verdict.counts,
        reason=verdict.reason,
        parts=verdict.parts,
    )
