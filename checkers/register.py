"""A register with compare-and-set whose written values are all different.

Gibbons & Korach, "Testing shared memories" (1997), section 4: a value's writer and its readers must
be contiguous, and a successful cas must directly follow the values it took over. The chains that
this makes ("blocks") are units for ``checkers.zones``. Exact for reads, writes, successful cas and
pending operations. A failed cas(a) says only that the value was not a: that is tried on the order of
``zones.order`` and near it (``checkers.reseat``), and otherwise left undecided. Repeated values are
left undecided too: there the problem is NP-complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from checkers import reseat, zones
from checkers.clusters import Actions, Clusters, actions_of, clusters_of, that_happened
from checkers.contradiction import HOLDS, UNDECIDED, Contradiction, Finding
from checkers.model import State
from checkers.models import CAS_REGISTER
from checkers.rows import text
from history.history import Operations

Ints: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = NDArray[np.intp]


def decide(operations: Operations, initial: State = None) -> Finding:
    """Whether one register that starts with ``initial`` is linearizable; it may be undecided.

    Operations are read, write and cas [expected, new]; a cas that failed with the error ``mismatch``
    observed another value than it expected. O(n log n), numpy throughout.
    """
    acts = actions_of(operations, initial)
    written = np.bincount(acts.written, minlength=acts.values)
    if (written > 1).any() or written[acts.initial]:
        return UNDECIDED
    acts = that_happened(acts)
    clusters = clusters_of(acts)
    found = _unwritten(acts) or _taken_over_twice(acts) or _circular(clusters)
    found = found or _out_of_order_inside(clusters)
    if found is None:
        blocks = _blocks(clusters)
        pair = zones.conflict(blocks.first_return, blocks.last_call)
        if pair is None:
            return HOLDS if not acts.failed.size or _fits(clusters, blocks) else UNDECIDED
        found = _entangled(clusters, blocks, pair)
    return found


def _unwritten(acts: Actions) -> Contradiction | None:
    """A value read, or taken over by a cas, that no writer can have written."""
    exists = np.zeros(acts.values, dtype=np.bool_)
    exists[acts.initial] = True
    exists[acts.written] = True
    cas = np.flatnonzero(acts.expected >= 0)
    rows = np.concatenate(
        (acts.reads[~exists[acts.read]], acts.writers[cas[~exists[acts.expected[cas]]]])
    )
    if not rows.size:
        return None
    row = int(rows.min())
    return Contradiction(
        f"{_text(acts, row)} observed a value that is neither the initial one nor written by anyone",
        (row,),
    )


def _taken_over_twice(acts: Actions) -> Contradiction | None:
    """Two successful cas from one value: whichever came second found another."""
    cas = np.flatnonzero(acts.expected >= 0)
    often = np.flatnonzero(np.bincount(acts.expected[cas], minlength=1) > 1)
    if not often.size:
        return None
    rows = sorted(acts.writers[cas[acts.expected[cas] == often[0]]].tolist())[:2]
    first, second = (_text(acts, row) for row in rows)
    return Contradiction(f"{first} and {second} both succeeded on a value written once", tuple(rows))


def _circular(clusters: Clusters) -> Contradiction | None:
    """A chain of cas that returns to its own beginning, with no write to start it."""
    alone = clusters.acts.written[clusters.acts.written == clusters.acts.expected]
    bad = np.append(np.flatnonzero(clusters.parent[clusters.root] != clusters.root), alone)
    if not bad.size:
        return None
    value, rows = int(clusters.root[bad[0]]), list[int]()
    while clusters.writer[value] not in rows:
        rows.append(int(clusters.writer[value]))
        value = int(clusters.parent[value])
    texts = " needs ".join(_text(clusters.acts, row) for row in rows)
    return Contradiction(f"{texts} needs the first of them: no write begins the chain", tuple(rows))


def _out_of_order_inside(clusters: Clusters) -> Contradiction | None:
    """An operation of a block that returned before one was called that it must follow."""
    early = np.flatnonzero(clusters.read_ret < clusters.write_call)
    if early.size:
        value = int(early[0])
        return _follows(clusters, int(clusters.writer[value]), _read(clusters, value, clusters.read_ret))
    chained = np.flatnonzero((clusters.depth > 0) | _taken_over(clusters))
    chained = chained[np.lexsort((clusters.depth[chained], clusters.root[chained]))]
    calls = np.column_stack((clusters.write_call[chained], clusters.read_call[chained])).ravel()
    rets = np.column_stack((clusters.write_ret[chained], clusters.read_ret[chained])).ravel()
    block = np.cumsum(np.diff(clusters.root[chained], prepend=-1) != 0).repeat(2)
    shift = block * (int(calls.max(initial=0)) + 2)
    latest = np.maximum.accumulate(np.concatenate(([-1], calls + 1 + shift)))[:-1] - shift - 1
    wrong = np.flatnonzero(latest > rets)
    if not wrong.size:
        return None
    later = int(wrong[0])
    earlier = int(np.flatnonzero((block[:later] == block[later]) & (calls[:later] == latest[later]))[0])
    return _follows(
        clusters,
        _member(clusters, int(chained[earlier // 2]), earlier % 2, clusters.read_call),
        _member(clusters, int(chained[later // 2]), later % 2, clusters.read_ret),
    )


def _taken_over(clusters: Clusters) -> NDArray[np.bool_]:
    taken = np.zeros(len(clusters.parent), dtype=np.bool_)
    taken[clusters.parent[clusters.depth > 0]] = True
    return taken


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Units: root value, first return and last call of each, on one time axis."""

    root: Rows
    first_return: Ints
    last_call: Ints


def _blocks(clusters: Clusters) -> _Blocks:
    first = np.minimum(clusters.write_ret, clusters.read_ret)
    last = np.maximum(clusters.write_call, clusters.read_call)
    exists = clusters.writer >= 0
    exists[clusters.acts.initial] = True
    chained = clusters.depth > 0
    np.minimum.at(first, clusters.root[chained], first[chained])
    np.maximum.at(last, clusters.root[chained], last[chained])
    roots = np.flatnonzero(exists & ~chained)
    return _Blocks(roots, first[roots], last[roots])


def _fits(clusters: Clusters, blocks: _Blocks) -> bool:
    """Whether the failed cas have a place in the canonical order of the blocks, or near it."""
    acts, operations = clusters.acts, clusters.acts.operations
    rank = np.zeros(acts.values, dtype=np.int64)
    rank[blocks.root[zones.order(blocks.first_return, blocks.last_call)]] = np.arange(len(blocks.root))
    values = np.append(acts.written, acts.initial)
    values = values[np.lexsort((clusters.depth[values], rank[clusters.root[values]]))]
    position = np.full(acts.values, -1, dtype=np.int64)
    position[values] = np.arange(1, len(values) + 1)
    observers = np.concatenate((acts.reads, acts.failed))
    return reseat.fits(
        reseat.Mutators(
            call=clusters.write_call[values],
            ret=clusters.write_ret[values],
            value=values,
            expected=np.where(clusters.depth[values] > 0, clusters.parent[values], -1),
        ),
        reseat.Observers(
            call=operations.call[observers],
            ret=operations.ret[observers],
            value=np.concatenate((acts.read, acts.refuted)),
            reads=np.arange(len(observers)) < len(acts.reads),
        ),
        position,
    )


def _entangled(clusters: Clusters, blocks: _Blocks, pair: tuple[int, int]) -> Contradiction:
    """The two blocks' operations that put each block before the other."""
    rows: list[int] = []
    sentences = []
    for one, other in (pair, pair[::-1]):
        first = _bound(clusters, blocks, one, returns=True)
        last = _bound(clusters, blocks, other, returns=False)
        rows += [row for row in (first, last) if row >= 0]
        start = "the initial value was there" if first < 0 else _text(clusters.acts, first) + " returned"
        sentences.append(f"{start} before {_text(clusters.acts, last)} was called")
    return Contradiction(
        f"{sentences[0]}, yet {sentences[1]}: each value must come wholly before the other",
        tuple(dict.fromkeys(rows)),
    )


def _bound(clusters: Clusters, blocks: _Blocks, block: int, *, returns: bool) -> int:
    """Row of the block's first return or last call; -1 for the initial value's imagined writer."""
    acts, operations = clusters.acts, clusters.acts.operations
    stamp = (blocks.first_return if returns else blocks.last_call)[block]
    stamps = operations.ret if returns else operations.call
    rows = np.concatenate((acts.writers, acts.reads))
    values = np.concatenate((acts.written, acts.read))
    mine = rows[(clusters.root[values] == blocks.root[block]) & (stamps[rows] == stamp)]
    return int(mine[0]) if mine.size else -1


def _member(clusters: Clusters, value: int, reads: int, stamps: Ints) -> int:
    return _read(clusters, value, stamps) if reads else int(clusters.writer[value])


def _read(clusters: Clusters, value: int, stamps: Ints) -> int:
    """Row of the read of ``value`` whose call or return ``stamps`` holds."""
    acts, operations = clusters.acts, clusters.acts.operations
    rows = acts.reads[acts.read == value]
    own = operations.ret if stamps is clusters.read_ret else operations.call
    return int(rows[own[rows] == stamps[value]][0])


def _follows(clusters: Clusters, earlier: int, later: int) -> Contradiction:
    first, second = _text(clusters.acts, earlier), _text(clusters.acts, later)
    return Contradiction(
        f"{second} returned before {first} was called, but depends on it", (later, earlier)
    )


def _text(acts: Actions, row: int) -> str:
    return text(CAS_REGISTER, acts.operations, row)
