"""Who believed to hold a lock, or an office, and from when until when.

Times are on the clock that all clients of a run have in common, in nanoseconds; the option
``start_loop_ns`` is what it said when the history began. A belief begins with an operation that
carries ``token`` and ``from_ns``; further ones carry these and ``believed_ns``, when the client last
looked and believed; its end carries them and ``until_ns``. Without an end, as after a crash of the
client, it is known up to the last time that the client said so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from checkers.verdict import Options
from history.history import Operations


@dataclass(frozen=True, slots=True)
class Belief:
    """One tenure as its holder saw it; ``last`` is the index of the event that proves ``until_ns``.

    ``path`` is the znode that it stands on, where that was told; ``paused_s`` how long the holder was
    paused within it, between looking and acting.
    """

    process: int
    token: int
    from_ns: int
    until_ns: int
    first: int
    last: int
    path: str = ""
    ended: bool = False
    paused_s: float = 0.0

    @property
    def ops(self) -> tuple[int, ...]:
        """The events that prove it."""
        return tuple(dict.fromkeys((self.first, self.last)))


def beliefs(operations: Operations) -> list[Belief]:
    """Every belief, by the time of its beginning."""
    found: dict[tuple[int, int, int], Belief] = {}
    for row in range(len(operations)):
        value = operations.value[row]
        if not isinstance(value, Mapping) or "token" not in value or "from_ns" not in value:
            continue
        index, process = int(operations.ret_index[row]), int(operations.process[row])
        token, from_ns = int(value["token"]), int(value["from_ns"])
        begun = Belief(process, token, from_ns, from_ns, index, index, str(value.get("path", "")))
        key = (process, token, from_ns)
        found[key] = _extended(found.get(key, begun), value, index)
    return sorted(found.values(), key=lambda one: (one.from_ns, one.token))


def held(line: Sequence[Belief], options: Options) -> list[list[Any]]:
    """For a witness: ``[op, from, until]`` each, in nanoseconds since the history began."""
    start_ns = int(options.get("start_loop_ns", 0))
    return [[one.first, one.from_ns - start_ns, one.until_ns - start_ns] for one in line]


def _extended(belief: Belief, value: Mapping[str, Any], index: int) -> Belief:
    paused_s = max(belief.paused_s, float(value.get("paused_s", 0.0)))
    if "until_ns" in value:
        until_ns = max(belief.until_ns, int(value["until_ns"])) if paused_s else int(value["until_ns"])
        return replace(belief, until_ns=until_ns, last=index, ended=True, paused_s=paused_s)
    believed_ns = int(value.get("believed_ns", belief.until_ns))
    if believed_ns <= belief.until_ns:
        return replace(belief, paused_s=paused_s)
    return replace(belief, until_ns=believed_ns, last=index, paused_s=paused_s)


def overlaps(line: Sequence[Belief]) -> list[tuple[Belief, Belief]]:
    """Pairs that were held at once; for each belief that of the earlier ones that lasted longest."""
    found = []
    longest: Belief | None = None
    for one in line:
        if longest is not None and one.from_ns < longest.until_ns:
            found.append((longest, one))
        if longest is None or one.until_ns > longest.until_ns:
            longest = one
    return found
