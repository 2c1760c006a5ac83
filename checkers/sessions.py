"""What ZooKeeper promises to one session, on whatever servers it is: FIFO and a single system image.

In the order in which a session sent its requests, the zxids of its answers never go back; its changes
have growing zxids; and it sees what it wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from checkers.accesses import Access, accesses, hexed, sent
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import History, hashable

_SHOWN = 8


def sessions(*, moved: bool = False) -> Checker:
    """Accesses are those of ``checkers.accesses``; a session does one operation at a time.

    Anomalies: ``zxid-went-back``, ``fifo-violation`` (a later change got the smaller zxid, also where
    the earlier was not answered and somebody saw it), ``own-write-missed``, ``nonmonotonic-read`` (an
    older version of a znode after a newer one). ``move-count`` says how often a session was answered
    by another server than before. Unknown when no session was answered twice or, with ``moved``, by
    two servers.
    """

    def check(history: History, options: Options) -> Verdict:
        seen, operations = accesses(history)
        by_session: dict[str, list[Access]] = {}
        for one in seen:
            by_session.setdefault(one.session, []).append(one)
        several = [line for line in by_session.values() if len(line) > 1]
        counts = {
            "session-count": len(by_session),
            "answer-count": len(seen),
            "move-count": sum(map(_moves, several)),
        }
        if not several or (moved and not counts["move-count"]):
            by = "by two servers" if several else "twice"
            reason = f"no session was answered {by}, so nothing can be out of order"
            return Verdict(checker="sessions", valid="unknown", counts=counts, reason=reason)
        found = [anomaly for line in several for anomaly in _judge(line)]
        found += _strays(sent(operations), seen)
        return Verdict(
            checker="sessions", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _judge(line: Sequence[Access]) -> list[Anomaly]:
    """The accesses of one session, in order; the first contradiction of each kind."""
    return [*_first(_fifo(line)), *_first(_znodes(line)), *_first(_back(line))]


def _first(found: Iterable[Anomaly]) -> list[Anomaly]:
    return [anomaly for anomaly, _ in zip(found, range(1), strict=False)]


def _back(line: Sequence[Access]) -> Iterable[Anomaly]:
    for before, after in pairwise(line):
        if after.zxid < before.zxid:
            text = f"was in state {hexed(before.zxid)} at {before} and in {hexed(after.zxid)} at {after}"
            yield _anomaly(
                "zxid-went-back", f"{_who(after)} {text}{_servers(before, after)}", before, after
            )


def _fifo(line: Sequence[Access]) -> Iterable[Anomaly]:
    for before, after in pairwise([one for one in line if one.changes]):
        if after.mzxid <= before.mzxid:
            text = f"sent {before} first, which became {hexed(before.mzxid)}, and then {after}, which"
            yield _anomaly(
                "fifo-violation", f"{_who(after)} {text} became {hexed(after.mzxid)}", before, after
            )


def _strays(line: Sequence[Access], seen: Iterable[Access]) -> list[Anomaly]:
    """The first change that its session was not told of, and that was seen behind a later one."""
    shown = {(hashable(one.key), hashable(one.value)): one for one in seen if one.mzxid >= 0}
    for place, stray in enumerate(line):
        witness = shown.get((hashable(stray.key), hashable(stray.value)))
        if stray.zxid >= 0 or witness is None:
            continue
        later = (one for one in line[place:] if one.session == stray.session and one.changes)
        for after in later:
            if 0 <= after.mzxid < witness.mzxid:
                text = (
                    f"{_who(stray)} sent {stray} first, and then {after}, which became"
                    f" {hexed(after.mzxid)}; but {witness} shows that the first came after it, as"
                    f" {hexed(witness.mzxid)}"
                )
                return [_anomaly("fifo-violation", text, stray, after, witness)]
    return []


def _znodes(line: Sequence[Access]) -> Iterable[Anomaly]:
    last: dict[object, Access] = {}
    for one in line:
        before = last.get(hashable(one.key))
        if before is not None and one.mzxid < before.mzxid:
            name = "own-write-missed" if before.changes else "nonmonotonic-read"
            text = f"{one} gave version {one.version} after {before} with version {before.version}"
            yield _anomaly(name, f"{_who(one)}: {text}{_servers(before, one)}", before, one)
        elif one.mzxid >= 0:
            last[hashable(one.key)] = one


def _who(one: Access) -> str:
    return f"session {one.session}"


def _servers(before: Access, after: Access) -> str:
    return f", first on {before.node}, then on {after.node}" if before.node != after.node else ""


def _moves(line: Sequence[Access]) -> int:
    return sum(
        before.node != after.node
        for before, after in pairwise(line)
        if before.node is not None and after.node is not None
    )


def _anomaly(name: str, message: str, *ops: Access) -> Anomaly:
    return Anomaly(name=name, message=message, ops=tuple(dict.fromkeys(one.index for one in ops)))
