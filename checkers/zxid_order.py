"""Registers against the order of their zxids: what ZooKeeper promises of writes, and of reads.

All znodes are one object: its state after the change with zxid z is known by z alone. So every
read, which says in which state it was answered, has exactly one value that it may have seen, and
exactly one place in the order of all changes. What is left to decide is whether that order agrees
with real time, which is ``checkers.known_order``: writes are linearizable, and so are reads that
came after a ``sync``; any other read may be late, but never sees what was written after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from checkers import known_order
from checkers.accesses import Access, accesses, hexed, refused, unanswered
from checkers.known_order import NEVER_CALLED
from checkers.verdict import Anomaly, Checker, Options, Verdict
from history.history import PENDING, History, Operations, hashable

_SHOWN = 8
_FROM_THE_START = "what the znode was made with"


def zxid_order() -> Checker:
    """Functions are ``write``, ``cas``, ``read`` and ``sync-read``; see ``checkers.accesses``.

    Values must be written once only. Unknown when nothing was written, or nothing read.

    Anomalies: ``duplicate-zxid`` (two changes with one zxid), ``duplicate-version``,
    ``lost-update`` (a cas that did not follow the version it asked for), ``phantom-read`` and
    ``G1a`` (a value that nobody wrote, or that was refused), ``misplaced-write`` (a value with
    another zxid than its writer was told), ``stale-state`` (an answer that lacks a change of its
    own state), ``nonlinearizable-write``, ``stale-read`` (after a sync), ``future-read``.
    """

    def check(history: History, options: Options) -> Verdict:
        seen, operations = accesses(history)
        writes = [one for one in seen if one.changes]
        reads = [one for one in seen if not one.changes and one.mzxid >= 0]
        counts = {"write-count": len(writes), "read-count": len(reads)}
        if not writes or not reads:
            missing = "write" if not writes else "read"
            reason = f"no {missing} succeeded, so there is no order to test"
            return Verdict(checker="zxid-order", valid="unknown", counts=counts, reason=reason)
        anomalies = _judge(operations, writes, reads)
        return Verdict(
            checker="zxid-order", valid=not anomalies, anomalies=tuple(anomalies[:_SHOWN]), counts=counts
        )

    return check


def _judge(operations: Operations, writes: list[Access], reads: list[Access]) -> list[Anomaly]:
    known, found = _known(writes)
    adopted, wrong = _adopted(operations, known, reads)
    changes = sorted([*known.values(), *adopted], key=lambda one: one.mzxid)
    chains = _by_key(changes)
    found += wrong
    for chain in chains.values():
        found += _versions(chain)
    found += _states(chains, reads)
    return found or _real_time(changes, reads)


# --- which changes there were, and in which order -----------------------------------------------------


def _known(writes: Iterable[Access]) -> tuple[dict[int, Access], list[Anomaly]]:
    known: dict[int, Access] = {}
    found = []
    for one in writes:
        other = known.setdefault(one.mzxid, one)
        if other is not one:
            text = f"{other} and {one} were both told that they are the change {hexed(one.mzxid)}"
            found.append(_anomaly("duplicate-zxid", text, other, one))
    return known, found


def _adopted(
    operations: Operations, known: dict[int, Access], reads: Iterable[Access]
) -> tuple[list[Access], list[Anomaly]]:
    """Changes that nobody was told of but somebody saw, and reads of what cannot be."""
    told = {_identity(one): one for one in known.values()}
    maybe = {_identity(one): one for one in unanswered(operations)}
    never = {_identity(one): one for one in refused(operations)}
    adopted: dict[tuple[Any, int], Access] = {}
    found = []
    for read in reads:
        place = (hashable(read.key), read.mzxid)
        writer = known.get(read.mzxid)
        if place in adopted or (writer is not None and _identity(writer) == _identity(read)):
            first = adopted.get(place, read)
            if first.value != read.value:
                text = f"{read} saw {read.value!r} in version {hexed(read.mzxid)}, {first} another value"
                found.append(_anomaly("phantom-read", text, first, read))
            continue
        identity = _identity(read)
        if read.version == 0 or identity in maybe:
            source = read if read.version == 0 else maybe[identity]
            adopted[place] = replace(
                source,
                f="write",
                value=read.value,
                key=read.key,
                version=read.version,
                mzxid=read.mzxid,
                zxid=read.mzxid,
                call=NEVER_CALLED if read.version == 0 else source.call,
                ret=PENDING if read.version else NEVER_CALLED,
            )
        else:
            found.append(_unwritten(read, told.get(identity), never.get(identity)))
    return list(adopted.values()), found


def _unwritten(read: Access, told: Access | None, refused: Access | None) -> Anomaly:
    saw = f"{read} saw {read.value!r} of zxid {hexed(read.mzxid)}"
    if told is not None:
        text = f"{saw}, but {told} was told zxid {hexed(told.mzxid)}"
        return _anomaly("misplaced-write", text, told, read)
    if refused is not None:
        return _anomaly("G1a", f"{saw}, which {refused} was told did not happen", refused, read)
    return _anomaly("phantom-read", f"{saw}, which nobody wrote", read)


def _identity(one: Access) -> tuple[Any, Any]:
    return hashable(one.key), hashable(one.value)


def _by_key(changes: Iterable[Access]) -> dict[Any, list[Access]]:
    chains: dict[Any, list[Access]] = {}
    for one in changes:
        chains.setdefault(hashable(one.key), []).append(one)
    return chains


def _versions(chain: Sequence[Access]) -> list[Anomaly]:
    """Versions of one znode grow with its zxids, and a cas makes the next one of what it asked for."""
    found = []
    for before, after in pairwise(chain):
        if after.version <= before.version:
            text = (
                f"{before} made version {before.version} at {hexed(before.mzxid)},"
                f" {after} version {after.version} at {hexed(after.mzxid)}"
            )
            found.append(_anomaly("duplicate-version", text, before, after))
    for one in chain:
        if one.expected is not None and one.expected + 1 != one.version:
            text = f"{one} asked for version {one.expected} and made version {one.version}"
            found.append(_anomaly("lost-update", text, one))
    return found


def _states(chains: dict[Any, list[Access]], reads: Iterable[Access]) -> list[Anomaly]:
    """A read in state z sees the last change of its znode that is not after z."""
    orders = {key: [one.mzxid for one in chain] for key, chain in chains.items()}
    found = []
    for read in reads:
        key = hashable(read.key)
        place = bisect_right(orders.get(key, []), read.zxid) - 1
        if place < 0 or orders[key][place] <= read.mzxid:
            continue
        missed = chains[key][place]
        text = (
            f"{read} was answered in state {hexed(read.zxid)} with version {read.version}"
            f" ({hexed(read.mzxid)}), but {missed} had made version {missed.version} at"
            f" {hexed(missed.mzxid)}"
        )
        found.append(_anomaly("stale-state", text, missed, read))
    return found


# --- real time ----------------------------------------------------------------------------------------


def _real_time(changes: Sequence[Access], reads: Sequence[Access]) -> list[Anomaly]:
    zxids = np.array([one.mzxid for one in changes], dtype=np.int64)
    states = np.array([one.zxid for one in reads], dtype=np.int64)
    calls = [one.call if one.f == "sync-read" else NEVER_CALLED for one in reads]
    misfit = known_order.misfit(
        np.array([one.call for one in changes], dtype=np.int64),
        np.array([one.ret for one in changes], dtype=np.int64),
        np.array(calls, dtype=np.int64),
        np.array([one.ret for one in reads], dtype=np.int64),
        known_order.exactly(np.searchsorted(zxids, states, side="right").astype(np.int64)),
    )
    if misfit is None:
        return []
    after, before = (changes[at] if at >= 0 else None for at in (misfit.after, misfit.before))
    if misfit.observer < 0:
        assert after is not None
        assert before is not None
        text = (
            f"{after} returned before {before} was called, but is the later change:"
            f" {hexed(after.mzxid)} after {hexed(before.mzxid)}"
        )
        return [_anomaly("nonlinearizable-write", text, after, before)]
    read = reads[misfit.observer]
    place = int(np.searchsorted(zxids, read.zxid, side="right"))
    if place > misfit.high and before is not None:
        text = f"{read} saw state {hexed(read.zxid)}, with {before}, which was called after it returned"
        return [_anomaly("future-read", text, before, read)]
    if misfit.previous >= 0:
        other = reads[misfit.previous]
        text = f"{read} saw state {hexed(read.zxid)} after {other} had seen {hexed(other.zxid)}"
        return [_anomaly("stale-read", text, other, read)]
    assert after is not None
    text = (
        f"{read} came after a sync and saw state {hexed(read.zxid)}, but {after} had returned before it"
        f" was called, with zxid {hexed(after.mzxid)}"
    )
    return [_anomaly("stale-read", text, after, read)]


def _anomaly(name: str, message: str, *ops: Access) -> Anomaly:
    return Anomaly(name=name, message=message, ops=tuple(dict.fromkeys(one.index for one in ops)))
