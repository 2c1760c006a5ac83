"""One leader per Zab epoch, as the servers themselves report it, and no commit outside of its epoch.

Zab lets a leader that was deposed believe in itself until it misses its quorum; what must not be is two
in one epoch, a change of an older epoch that is committed after a leader of a newer one was seen at
work, and a deposed leader that never notices (Junqueira et al., "Zab: high-performance broadcast for
primary-backup systems", DSN 2011).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from checkers.accesses import hexed
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import OK, History, Operations

LEADING = ("leader", "standalone")
_EPOCH_BITS = 32
_SHOWN = 8
_NS_PER_S = 1_000_000_000
_PATIENCE = 4
"""How many sync limits a deposed leader may go on: one for its own clock, which may run at half the
speed, and one more after a pause in which it heard what had come in meanwhile."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """A server said that it leads this epoch, or a change was committed in it (``node`` is None)."""

    index: int
    node: str | None
    epoch: int
    zxid: int
    call: int
    ret: int
    call_ns: int
    ret_ns: int


def leaders(status: str = "status", write: str = "write") -> Checker:
    """``status`` gives ``mode`` and ``zxid`` of the op's ``node``; ``write`` gives ``zxid``.

    Anomalies: ``two-leaders`` of one epoch; ``epoch-went-back`` (a server that led a newer epoch
    leads an older one); ``commit-outside-epoch`` (a write that was called after a leader of a newer
    epoch was seen, or after a change of a newer epoch, is of an older one); ``leader-goes-on`` (after
    a newer leader was seen, one of an older epoch says for more than four times ``sync_limit_s``, an
    option, that it leads, and is never silent for longer than that limit once). Unknown when no
    server said that it leads, or nothing was written.
    """

    def check(history: History, options: Options) -> Verdict:
        operations = history.clients().operations()
        claims, commits = _claims(operations, status), _commits(operations, write)
        counts = {
            "epoch-count": len({one.epoch for one in claims}),
            "leader-count": len({one.node for one in claims}),
            "write-count": len(commits),
        }
        if not claims or not commits:
            missing = "no server said that it leads" if not claims else "nothing was written"
            return Verdict(checker="leaders", valid="unknown", counts=counts, reason=missing)
        limit_ns = round(float(options.get("sync_limit_s", 0.0)) * _NS_PER_S)
        found = [
            *_two(claims),
            *_back(claims),
            *_outside(claims, commits),
            *(_going_on(claims, limit_ns) if limit_ns else ()),
        ]
        return Verdict(
            checker="leaders", valid=not found, anomalies=tuple(found[:_SHOWN]), counts=counts
        )

    return check


def _claims(operations: Operations, status: str) -> list[_Claim]:
    rows = operations.where(status, outcome=OK).tolist()
    return [_claim(operations, row) for row in rows if operations.value[row]["mode"] in LEADING]


def _commits(operations: Operations, write: str) -> list[_Claim]:
    rows = operations.where(write, outcome=OK).tolist()
    return [_claim(operations, row, node=False) for row in rows]


def _claim(operations: Operations, row: int, *, node: bool = True) -> _Claim:
    zxid = int(operations.value[row]["zxid"])
    return _Claim(
        index=int(operations.ret_index[row]),
        node=operations.node[row] if node else None,
        epoch=zxid >> _EPOCH_BITS,
        zxid=zxid,
        call=int(operations.call[row]),
        ret=int(operations.ret[row]),
        call_ns=int(operations.call_time[row]),
        ret_ns=int(operations.ret_time[row]),
    )


def _two(claims: Sequence[_Claim]) -> Iterable[Anomaly]:
    first: dict[int, _Claim] = {}
    told: set[int] = set()
    for one in claims:
        other = first.setdefault(one.epoch, one)
        if other.node != one.node and one.epoch not in told:
            told.add(one.epoch)
            both = f"{other.node} (op {other.index}) and {one.node} (op {one.index})"
            yield _anomaly("two-leaders", f"epoch {one.epoch} has {both}", other, one)


def _back(claims: Sequence[_Claim]) -> Iterable[Anomaly]:
    for node in sorted({str(one.node) for one in claims}):
        of_node = [one for one in claims if one.node == node]
        for before, after in _inversions(of_node, of_node):
            text = f"{node} led epoch {before.epoch} (op {before.index}) and after that"
            message = f"{text} epoch {after.epoch} (op {after.index})"
            yield _anomaly("epoch-went-back", message, before, after)
            break


def _outside(claims: Sequence[_Claim], commits: Sequence[_Claim]) -> Iterable[Anomaly]:
    for before, after in _inversions([*claims, *commits], commits):
        seen = (
            f"{before.node} led epoch {before.epoch} (op {before.index})"
            if before.node is not None
            else f"{hexed(before.zxid)} was committed (op {before.index})"
        )
        text = f"after {seen}, a write was called and committed as {hexed(after.zxid)}"
        yield _anomaly("commit-outside-epoch", f"{text} (op {after.index})", before, after)
        break


def _going_on(claims: Sequence[_Claim], limit_ns: int) -> Iterable[Anomaly]:
    """Runs of claims without a gap, all of them called after a leader of a newer epoch was seen."""
    runs: dict[str | None, tuple[_Claim, _Claim, _Claim]] = {}
    told: set[str | None] = set()
    for newer, one in _inversions(claims, claims):
        first, last, _ = runs.get(one.node, (one, one, newer))
        if one.epoch != last.epoch or one.call_ns - last.ret_ns > limit_ns:
            first = one
        runs[one.node] = (first, one, newer)
        gone_on_ns = one.call_ns - first.ret_ns
        if gone_on_ns > _PATIENCE * limit_ns and one.node not in told:
            told.add(one.node)
            text = (
                f"{newer.node} led epoch {newer.epoch} (op {newer.index}), and {one.node} went on"
                f" leading epoch {one.epoch} for {gone_on_ns / _NS_PER_S:.1f} s (op {first.index} to op"
                f" {one.index}); a leader without a quorum gives up within {limit_ns / _NS_PER_S:g} s"
            )
            yield _anomaly("leader-goes-on", text, newer, first, one)


def _inversions(earlier: Sequence[_Claim], later: Sequence[_Claim]) -> Iterable[tuple[_Claim, _Claim]]:
    """Pairs of which the first returned before the second was called, but is of a newer epoch."""
    returned = sorted(earlier, key=lambda one: one.ret)
    newest: _Claim | None = None
    place = 0
    for one in sorted(later, key=lambda one: one.call):
        while place < len(returned) and returned[place].ret < one.call:
            if newest is None or returned[place].epoch > newest.epoch:
                newest = returned[place]
            place += 1
        if newest is not None and newest.epoch > one.epoch:
            yield newest, one


def _anomaly(name: str, message: str, *claims: _Claim) -> Anomaly:
    return Anomaly(
        name=name,
        message=message,
        ops=tuple(one.index for one in claims),
        details={"epochs": [one.epoch for one in claims], "nodes": [one.node for one in claims]},
    )
