"""Consumer groups: in each generation a partition is one member's, and who owns none polls none.

Anomalies: ``double-ownership`` (two members own a partition in one generation);
``handed-over-early`` (a member owned a partition that another one had not given up, though that was a
member all the time); ``stale-commit`` (a commit of an old generation was accepted after a member had
learned of a newer one); ``poll-outside-assignment``. A member that was expelled may go on believing in
its partitions for a while: it comes back under another name, and only its commits are held against it.
Claims of clients that don't know their generation, which is -1 then, prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from checkers.queue.claims import Claim, claims
from checkers.queue.messages import Messages
from checkers.queue.promises import SHOWN, Found, found, verdict
from checkers.queue.standing import Moments, last_said
from checkers.verdict import Anomaly, Verdict
from history.history import OK


def groups(messages: Messages) -> Verdict:
    """The verdict on all groups. Unknown when no partition ever changed hands."""
    every = [claim for claim in claims(messages) if claim.generation >= 0]
    generations = {(claim.group, claim.generation) for claim in every}
    counts = {
        "generation-count": len(generations),
        "member-count": len({claim.member for claim in every}),
        "claim-count": len(every),
    }
    kinds = [
        found("double-ownership", _double(messages, every)),
        found("handed-over-early", _early(messages, every)),
        found("stale-commit", _stale(messages, every)),
        _outside(messages),
    ]
    return verdict(
        "groups",
        kinds,
        allowed=frozenset(),
        counts=counts,
        nothing=None if len(generations) > 1 else "no group had two generations",
    )


def _double(messages: Messages, every: Sequence[Claim]) -> Iterator[Anomaly]:
    first: dict[tuple[str, int, int], Claim] = {}
    for claim in every:
        for key in claim.given_up_ns:
            other = first.setdefault((claim.group, claim.generation, key), claim)
            if other.member != claim.member:
                text = (
                    f"{messages.keys[key]} is owned by {_who(other)} and by {_who(claim)}, both in"
                    f" generation {claim.generation} of {claim.group}"
                )
                yield _anomaly("double-ownership", text, other, claim)


def _early(messages: Messages, every: Sequence[Claim]) -> Iterator[Anomaly]:
    """A member of two generations was one of all between, which began when it had given up."""
    for before, after in _same_member(every):
        for key, given_up_ns in before.given_up_ns.items():
            for claim in every:
                if (
                    claim.group == before.group
                    and before.generation < claim.generation <= after.generation
                    and claim.member != before.member
                    and key in claim.given_up_ns
                    and claim.at_ns < min(given_up_ns, after.at_ns)
                ):
                    text = (
                        f"{messages.keys[key]} was {_who(before)}'s in generation {before.generation}"
                        f" of {before.group} and not given up yet, when {_who(claim)} owned it in"
                        f" generation {claim.generation}"
                    )
                    yield _anomaly("handed-over-early", text, before, claim)
                    break


def _same_member(every: Sequence[Claim]) -> Iterator[tuple[Claim, Claim]]:
    by_member: dict[tuple[str, str], list[Claim]] = {}
    for claim in every:
        by_member.setdefault((claim.group, claim.member), []).append(claim)
    for line in by_member.values():
        yield from pairwise(line)


def _stale(messages: Messages, every: Sequence[Claim]) -> Iterator[Anomaly]:
    for step in messages.steps:
        about = step.about
        if step.name != "commit" or messages.operations.outcome[step.row] != OK:
            continue
        if "type" in about or not {"group", "generation", "from_ns"} <= about.keys():
            continue
        for claim in every:
            newer = claim.group == about["group"] and claim.generation > about["generation"]
            if newer and claim.at_ns < about["from_ns"]:
                index = messages.op(step.row)
                text = (
                    f"{_who(claim)} was in generation {claim.generation} of {claim.group}, and after"
                    f" that a commit of generation {about['generation']} was accepted (op {index})"
                )
                yield Anomaly(name="stale-commit", message=text, ops=(claim.index, index))
                break


def _outside(messages: Messages) -> Found:
    """Polled by a process whose rebalances were recorded, and that did not own it then."""
    steps = [step for step in messages.steps if step.name in ("assigned", "revoked")]
    told = [
        (step.row, step.place, key, step.name == "assigned") for step in steps for key in step.content
    ]
    table = np.array(told, dtype=np.int64).reshape(-1, 4)
    process, runs = messages.operations.process, messages.runs
    said = Moments(process[table[:, 0]], table[:, 0], table[:, 1], table[:, 2])
    asked = Moments(process[runs.row], runs.row, runs.place, runs.key)
    last = last_said(said, np.ones(len(said), np.bool_), asked)
    members = np.isin(asked.process, process[np.array([step.row for step in steps], np.int64)])
    owned = (last >= 0) & (np.append(table[:, 3], 0)[last] == 1)
    at = np.flatnonzero(members & ~owned & ~messages.full_readings()[runs.row])
    examples = []
    for one in at[:SHOWN].tolist():
        poll, key = messages.op(int(runs.row[one])), messages.keys[int(runs.key[one])]
        why = "was never its own"
        ops: tuple[int, ...] = (poll,)
        if last[one] >= 0:
            lost = messages.op(int(said.row[last[one]]))
            why, ops = f"had been revoked (op {lost})", tuple(dict.fromkeys((lost, poll)))
        text = f"process {asked.process[one]} polled {key} (op {poll}), which {why}"
        examples.append(Anomaly(name="poll-outside-assignment", message=text, ops=ops))
    return Found("poll-outside-assignment", len(at), examples)


def _who(claim: Claim) -> str:
    return f"process {claim.process} (op {claim.index})"


def _anomaly(name: str, text: str, *both: Claim) -> Anomaly:
    details = {"members": [one.member for one in both], "group": both[0].group}
    return Anomaly(name=name, message=text, ops=tuple(one.index for one in both), details=details)
