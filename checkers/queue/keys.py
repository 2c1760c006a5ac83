"""Messages of one key: always in one partition. Their order there is the business of ``sends``.

The key of a message is that of its operation. Anomaly: ``key-moved``. It supposes that the number of
partitions stays as it is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from checkers.queue.messages import Messages
from checkers.queue.promises import found, verdict
from checkers.verdict import Anomaly, Verdict
from history.history import FAIL, hashable


def keys(messages: Messages) -> Verdict:
    """The verdict on all keys. Unknown when no key was sent twice."""
    seen: dict[Hashable, list[tuple[int, int]]] = {}
    sends, operations = messages.sends, messages.operations
    columns = zip(sends.row.tolist(), sends.key.tolist(), sends.outcome.tolist(), strict=True)
    for row, partition, outcome in columns:
        if outcome != FAIL and operations.key[row] is not None:
            seen.setdefault(hashable(operations.key[row]), []).append((row, partition))
    most = max(map(len, seen.values()), default=0)
    return verdict(
        "keys",
        [found("key-moved", _moved(messages, seen))],
        allowed=frozenset(),
        counts={"message-key-count": len(seen), "partition-count": len(messages.keys)},
        nothing=None if most > 1 else "no key was sent twice",
    )


def _moved(messages: Messages, seen: dict[Hashable, list[tuple[int, int]]]) -> Iterator[Anomaly]:
    for key, sent in seen.items():
        first, at = sent[0]
        for row, partition in sent[1:]:
            if partition != at:
                one, other = messages.op(first), messages.op(row)
                text = (
                    f"messages of key {key!r} went to {messages.keys[at]} (op {one}) and to"
                    f" {messages.keys[partition]} (op {other})"
                )
                yield Anomaly(name="key-moved", message=text, ops=(one, other))
                break
