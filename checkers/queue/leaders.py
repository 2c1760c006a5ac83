"""One leader for each partition and leader epoch, as the brokers themselves say.

A deposed leader may believe in itself for a while, in its old epoch; two of one epoch would both be
believed by their followers. Anomaly: ``two-leaders``.
"""

from __future__ import annotations

from collections.abc import Iterator

from checkers.queue.messages import Messages, Step
from checkers.queue.promises import found, verdict
from checkers.verdict import Anomaly, Verdict


def leaders(messages: Messages) -> Verdict:
    """The verdict on all partitions. Unknown when no broker said that it leads."""
    claims = [step for step in messages.steps if step.name == "leads"]
    epochs = {(key, epoch) for step in claims for key, epoch in step.content.items()}
    counts = {"claim-count": sum(len(step.content) for step in claims), "epoch-count": len(epochs)}
    return verdict(
        "leaders",
        [found("two-leaders", _two(messages, claims))],
        allowed=frozenset(),
        counts=counts,
        nothing=None if epochs else "no broker said that it leads a partition",
    )


def _two(messages: Messages, claims: list[Step]) -> Iterator[Anomaly]:
    first: dict[tuple[int, int], Step] = {}
    nodes = messages.operations.node
    for step in claims:
        for key, epoch in step.content.items():
            other = first.setdefault((key, epoch), step)
            if nodes[other.row] != nodes[step.row]:
                one, two = messages.op(other.row), messages.op(step.row)
                text = (
                    f"epoch {epoch} of {messages.keys[key]} has {nodes[other.row]} (op {one}) and"
                    f" {nodes[step.row]} (op {two})"
                )
                yield Anomaly(name="two-leaders", message=text, ops=(one, two))
