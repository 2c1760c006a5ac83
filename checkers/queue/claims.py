"""Who owned which partition of a group, as its members were told: the rebalances, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checkers.queue.messages import Messages, Step

FOR_EVER = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A member learned that it owns ``keys`` (codes) in a generation; ``index`` is the event's.

    ``at_ns`` is when it learned it; ``given_up_ns`` when it gave up each, FOR_EVER if it never did,
    all by the clock that the clients share.
    """

    group: str
    member: str
    generation: int
    process: int
    index: int
    at_ns: int
    given_up_ns: Mapping[int, int]


def claims(messages: Messages) -> list[Claim]:
    """All claims, in the order of the operations that recorded them.

    A step ``assigned`` names what is new; what a member owned before and did not give up, it keeps.
    Raises ValueError for one that lacks its generation, member or time.
    """
    by_process: dict[int, list[Step]] = {}
    for step in messages.steps:
        if step.name in ("assigned", "revoked"):
            process = int(messages.operations.process[step.row])
            by_process.setdefault(process, []).append(step)
    found = [
        claim for process, steps in by_process.items() for claim in _of_process(messages, process, steps)
    ]
    return sorted(found, key=lambda claim: (claim.at_ns, claim.index))


def _of_process(messages: Messages, process: int, steps: Sequence[Step]) -> Iterator[Claim]:
    owned: set[int] = set()
    for place, step in enumerate(steps):
        if step.name == "revoked":
            owned -= step.content.keys()
            continue
        owned |= step.content.keys()
        yield Claim(
            group=str(_about(messages, step, "group")),
            member=str(_about(messages, step, "member")),
            generation=int(_about(messages, step, "generation")),
            process=process,
            index=messages.op(step.row),
            at_ns=int(_about(messages, step, "at_ns")),
            given_up_ns={key: _given_up(messages, key, steps[place + 1 :]) for key in sorted(owned)},
        )


def _given_up(messages: Messages, key: int, later: Sequence[Step]) -> int:
    return next(
        (
            int(_about(messages, step, "at_ns"))
            for step in later
            if step.name == "revoked" and key in step.content
        ),
        FOR_EVER,
    )


def _about(messages: Messages, step: Step, name: str) -> Any:
    if name not in step.about:
        raise ValueError(f"op {messages.op(step.row)}: the step {step.name!r} does not tell its {name}")
    return step.about[name]
