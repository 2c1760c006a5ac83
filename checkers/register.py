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
from checkers.contradiction import HOLDS, UNDECIDED, Contradiction, Finding
from checkers.factorize import factorize
from checkers.model import MISMATCH, Call, State, refused
from checkers.models import CAS_REGISTER
from checkers.rows import called, text
from history.history import FAIL, OK, PENDING, Operations

Ints: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = NDArray[np.intp]

BEGINNING = -1
"""The stamp at which the initial value was written: before the first event."""


def decide(operations: Operations, initial: State = None) -> Finding:
    """Whether one register that starts with ``initial`` is linearizable; it may be undecided.

    Operations are read, write and cas [expected, new]; a cas that failed with the error ``mismatch``
    observed another value than it expected. O(n log n), numpy throughout.
    """
    acts = _actions(operations, initial)
    written = np.bincount(acts.written, minlength=acts.values)
    if (written > 1).any() or written[acts.initial]:
        return UNDECIDED
    acts = _that_happened(acts)
    clusters = _clusters(acts)
    found = _unwritten(acts) or _taken_over_twice(acts) or _circular(clusters)
    found = found or _out_of_order_inside(clusters)
    if found is None:
        blocks = _blocks(clusters)
        pair = zones.conflict(blocks.first_return, blocks.last_call)
        if pair is None:
            return HOLDS if not acts.failed.size or _fits(clusters, blocks) else UNDECIDED
        found = _entangled(clusters, blocks, pair)
    return found


@dataclass(frozen=True, slots=True)
class _Actions:
    """Rows by what they do; values are numbers below ``values``. ``expected`` is -1 for a write."""

    operations: Operations
    values: int
    initial: int
    reads: Rows
    read: Ints
    writers: Rows
    written: Ints
    expected: Ints
    failed: Rows
    refuted: Ints


def _actions(operations: Operations, initial: State) -> _Actions:
    outcome, argument, value = operations.outcome, operations.argument, operations.value
    is_read, is_write, is_cas = (called(operations, f) for f in ("read", "write", "cas"))
    reads = np.flatnonzero(is_read & (outcome == OK))
    writes = np.flatnonzero(is_write & (outcome != FAIL))
    cas = np.flatnonzero(is_cas & (outcome != FAIL))
    failed = _refusals(operations, np.flatnonzero(is_cas & (outcome == FAIL)))
    pairs = [argument[row] for row in cas.tolist()]
    flat = [initial]
    flat += [value[row] for row in reads.tolist()]
    flat += [argument[row] for row in writes.tolist()]
    flat += [new for _, new in pairs]
    flat += [expected for expected, _ in pairs]
    flat += [argument[row][0] for row in failed.tolist()]
    if initial is not None and None in flat:
        flat = [initial if value is None else value for value in flat]
    numbers, values = factorize(flat)
    sizes = (1, len(reads), len(writes) + len(cas), len(cas), len(failed))
    start, read, written, expected, refuted = np.split(numbers, np.cumsum(sizes)[:-1])
    return _Actions(
        operations=operations,
        values=values,
        initial=int(start[0]),
        reads=reads,
        read=read,
        writers=np.concatenate((writes, cas)),
        written=written,
        expected=np.concatenate((np.full(len(writes), -1, dtype=np.int64), expected)),
        failed=failed,
        refuted=refuted,
    )


def _refusals(operations: Operations, rows: Rows) -> Rows:
    """Those of ``rows``, failed operations, that the register answered."""
    errors = [operations.error[row] for row in rows.tolist()]
    kept = [
        error is not None and refused(Call("cas", 0, None, None, FAIL, error), error=MISMATCH)
        for error in errors
    ]
    return rows[np.array(kept, dtype=np.bool_)]


def _that_happened(acts: _Actions) -> _Actions:
    """Without the pending writers whose value nobody saw: those may as well never have happened."""
    seen = np.zeros(acts.values, dtype=np.bool_)
    seen[acts.read] = True
    happened = acts.operations.ret[acts.writers] != PENDING
    seen[acts.expected[happened & (acts.expected >= 0)]] = True
    pending = np.flatnonzero(~happened)
    while (now := pending[seen[acts.written[pending]]]).size:
        happened[now] = True
        pending = pending[~seen[acts.written[pending]]]
        seen[acts.expected[now[acts.expected[now] >= 0]]] = True
    return _Actions(
        operations=acts.operations,
        values=acts.values,
        initial=acts.initial,
        reads=acts.reads,
        read=acts.read,
        writers=acts.writers[happened],
        written=acts.written[happened],
        expected=acts.expected[happened],
        failed=acts.failed,
        refuted=acts.refuted,
    )


@dataclass(frozen=True, slots=True)
class _Clusters:
    """Per value: its writer's row (-1: none), stamps of writer and reads, and its place in a chain.

    A chain of cas begins at ``root`` and reaches the value after ``depth`` of them; ``parent`` is the
    value taken over, the value itself at the root.
    """

    acts: _Actions
    writer: Ints
    write_call: Ints
    write_ret: Ints
    read_call: Ints
    read_ret: Ints
    parent: Ints
    root: Ints
    depth: Ints


def _clusters(acts: _Actions) -> _Clusters:
    call, ret = acts.operations.call, acts.operations.ret
    writer = np.full(acts.values, -1, dtype=np.int64)
    writer[acts.written] = acts.writers
    write_call, write_ret, read_call = np.full((3, acts.values), BEGINNING, dtype=np.int64)
    write_call[acts.written], write_ret[acts.written] = call[acts.writers], ret[acts.writers]
    read_call[acts.read] = call[acts.reads]  # rows ascend by call: the last one stays
    read_ret = np.full(acts.values, PENDING, dtype=np.int64)
    np.minimum.at(read_ret, acts.read, ret[acts.reads])
    parent = np.arange(acts.values)
    cas = acts.expected >= 0
    parent[acts.written[cas]] = acts.expected[cas]
    root, depth = _chains(parent)
    return _Clusters(acts, writer, write_call, write_ret, read_call, read_ret, parent, root, depth)


def _chains(parent: Ints) -> tuple[Ints, Ints]:
    """Root and depth of every value by pointer doubling; what is on a cycle has no root that is one."""
    root, depth = parent, (parent != np.arange(len(parent))).astype(np.int64)
    for _ in range(len(parent).bit_length()):
        if not depth[root].any():
            break
        depth = depth + depth[root]
        root = root[root]
    return root, depth


def _unwritten(acts: _Actions) -> Contradiction | None:
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


def _taken_over_twice(acts: _Actions) -> Contradiction | None:
    """Two successful cas from one value: whichever came second found another."""
    cas = np.flatnonzero(acts.expected >= 0)
    often = np.flatnonzero(np.bincount(acts.expected[cas], minlength=1) > 1)
    if not often.size:
        return None
    rows = sorted(acts.writers[cas[acts.expected[cas] == often[0]]].tolist())[:2]
    first, second = (_text(acts, row) for row in rows)
    return Contradiction(f"{first} and {second} both succeeded on a value written once", tuple(rows))


def _circular(clusters: _Clusters) -> Contradiction | None:
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


def _out_of_order_inside(clusters: _Clusters) -> Contradiction | None:
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


def _taken_over(clusters: _Clusters) -> NDArray[np.bool_]:
    taken = np.zeros(len(clusters.parent), dtype=np.bool_)
    taken[clusters.parent[clusters.depth > 0]] = True
    return taken


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Units: root value, first return and last call of each, on one time axis."""

    root: Rows
    first_return: Ints
    last_call: Ints


def _blocks(clusters: _Clusters) -> _Blocks:
    first = np.minimum(clusters.write_ret, clusters.read_ret)
    last = np.maximum(clusters.write_call, clusters.read_call)
    exists = clusters.writer >= 0
    exists[clusters.acts.initial] = True
    chained = clusters.depth > 0
    np.minimum.at(first, clusters.root[chained], first[chained])
    np.maximum.at(last, clusters.root[chained], last[chained])
    roots = np.flatnonzero(exists & ~chained)
    return _Blocks(roots, first[roots], last[roots])


def _fits(clusters: _Clusters, blocks: _Blocks) -> bool:
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


def _entangled(clusters: _Clusters, blocks: _Blocks, pair: tuple[int, int]) -> Contradiction:
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


def _bound(clusters: _Clusters, blocks: _Blocks, block: int, *, returns: bool) -> int:
    """Row of the block's first return or last call; -1 for the initial value's imagined writer."""
    acts, operations = clusters.acts, clusters.acts.operations
    stamp = (blocks.first_return if returns else blocks.last_call)[block]
    stamps = operations.ret if returns else operations.call
    rows = np.concatenate((acts.writers, acts.reads))
    values = np.concatenate((acts.written, acts.read))
    mine = rows[(clusters.root[values] == blocks.root[block]) & (stamps[rows] == stamp)]
    return int(mine[0]) if mine.size else -1


def _member(clusters: _Clusters, value: int, reads: int, stamps: Ints) -> int:
    return _read(clusters, value, stamps) if reads else int(clusters.writer[value])


def _read(clusters: _Clusters, value: int, stamps: Ints) -> int:
    """Row of the read of ``value`` whose call or return ``stamps`` holds."""
    acts, operations = clusters.acts, clusters.acts.operations
    rows = acts.reads[acts.read == value]
    own = operations.ret if stamps is clusters.read_ret else operations.call
    return int(rows[own[rows] == stamps[value]][0])


def _follows(clusters: _Clusters, earlier: int, later: int) -> Contradiction:
    first, second = _text(clusters.acts, earlier), _text(clusters.acts, later)
    return Contradiction(
        f"{second} returned before {first} was called, but depends on it", (later, earlier)
    )


def _text(acts: _Actions, row: int) -> str:
    return text(CAS_REGISTER, acts.operations, row)
