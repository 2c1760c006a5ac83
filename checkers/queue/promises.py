"""What producers and consumers were promised: it decides which anomalies make a history invalid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from checkers.verdict import Anomaly, Verdict

Acks: TypeAlias = Literal["all", 1, 0]

SHOWN = 8
"""Examples of each anomaly, at most; all are counted."""

NEVER = frozenset({"G0", "G1c", "int-send-skip"})
"""Normal in Kafka: it isolates nothing. Counted, as Jepsen does, and never held against anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """How producers were configured.

    ``acks`` as in Kafka: with less than ``all`` an acknowledged message may be lost when its leader
    is. ``idempotent`` producers number their messages: without, a retry may write one twice, and
    behind a later one. ``ordered``: at most one request is under way, so that even then nothing is
    overtaken; an idempotent producer is always.
    """

    acks: Acks = "all"
    idempotent: bool = True
    ordered: bool = False

    def allowed(self) -> frozenset[str]:
        """Names of the anomalies that break no promise."""
        allowed = set(NEVER)
        if self.acks != "all":
            allowed |= {"lost-write", "unseen", "nonmonotonic-send", "send-inversion"}
        if not self.idempotent:
            allowed.add("duplicate")
        if self.acks != "all" or not (self.idempotent or self.ordered):
            allowed.add("int-nonmonotonic-send")
        return frozenset(allowed)


@dataclass(frozen=True, slots=True)
class Found:
    """All of one kind: how many there are, and some of them."""

    name: str
    count: int
    examples: Sequence[Anomaly]


def found(name: str, anomalies: Iterable[Anomaly]) -> Found:
    """All of one kind, given one by one."""
    every = list(anomalies)
    return Found(name, len(every), every[:SHOWN])


def verdict(
    checker: str,
    kinds: Iterable[Found],
    *,
    allowed: frozenset[str],
    counts: Mapping[str, Any],
    nothing: str | None,
    open_: Mapping[str, str] | None = None,
) -> Verdict:
    """The verdict over what was found; counts of ``allowed`` kinds stand under ``allowed-count``.

    ``nothing`` is the reason why nothing was tested, if so; ``open_`` are kinds that can't be told
    from something harmless in this history, with the reason: they make it unknown.
    """
    some = [kind for kind in kinds if kind.count]
    held = [kind for kind in some if kind.name not in allowed and kind.name not in (open_ or {})]
    reasons = [reason for kind in some if (reason := (open_ or {}).get(kind.name))]
    counted = {
        **counts,
        "anomaly-count": {kind.name: kind.count for kind in some if kind.name not in allowed},
        "allowed-count": {kind.name: kind.count for kind in some if kind.name in allowed},
    }
    reason = None if held else next(iter(reasons), nothing)
    return Verdict(
        checker=checker,
        valid=False if held else "unknown" if reason else True,
        anomalies=tuple(anomaly for kind in held for anomaly in kind.examples[:SHOWN]),
        counts=counted,
        reason=reason,
    )
