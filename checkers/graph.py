"""The order constraints of a history as one graph: valid means acyclic, a shortest cycle is the proof.

Nodes are operations. Edges say that one must come before another and why: real time, session, version,
offset, epoch. Arrays decide: strong components by scipy. networkx carries only the cycle that was
found, for reports. Real time needs O(n) edges, not O(n^2): every return is a link of a chain, an
operation leads to the link of its own return, and the last link before a call leads to that operation;
A reaches B through the chain exactly if A returned before B was called.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from history.history import PENDING

Ints: TypeAlias = NDArray[np.int64]

REAL_TIME = "real-time"
MAX_WORK = 2_000_000
"""Edges looked at, at most, for a cycle shorter than the first one found."""


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """``source[i]`` must come before ``target[i]``, for the one ``reason`` of all of them."""

    source: Ints
    target: Ints
    reason: str


@dataclass(frozen=True, slots=True)
class Cycle:
    """Operations that must each come before the next, and the last before the first; and why."""

    operations: tuple[int, ...]
    reasons: tuple[str, ...]


def sessions(process: Ints, call: Ints) -> Edges:
    """Each operation before the next one of its process."""
    order = np.lexsort((call, process))
    same = process[order[1:]] == process[order[:-1]]
    return Edges(order[:-1][same], order[1:][same], "session")


def along(version: Ints, reason: str) -> Edges:
    """Each operation before the one with the next larger version; versions are distinct, -1 is none."""
    known = np.flatnonzero(version >= 0)
    order = known[np.argsort(version[known], kind="stable")]
    rising = version[order[1:]] > version[order[:-1]]
    return Edges(order[:-1][rising], order[1:][rising], reason)


def shortest_cycle(
    count: int, edges: Iterable[Edges], *, real_time: tuple[Ints, Ints] | None = None
) -> Cycle | None:
    """A shortest cycle among ``count`` operations, or None if the constraints have an order.

    ``real_time`` are call and return of every operation, PENDING where it never returned; then a step
    of the cycle may be that one returned before the next was called. The cycle is searched in the
    smallest strong component, from every operation of it while ``MAX_WORK`` lasts.
    """
    groups = list(edges)
    chain = _chain(count, *real_time) if real_time is not None else (_none(), _none())
    groups.append(Edges(*chain, REAL_TIME))
    source = np.concatenate([group.source for group in groups])
    target = np.concatenate([group.target for group in groups])
    reason = np.repeat(np.arange(len(groups)), [len(group.source) for group in groups])
    nodes = max(count, int(source.max(initial=-1)) + 1, int(target.max(initial=-1)) + 1)
    inside = _smallest_component(nodes, source, target)
    if inside is None:
        return None
    kept = np.flatnonzero(inside[source] & inside[target])
    adjacent: dict[int, list[tuple[int, str]]] = {}
    for one, other, why in zip(
        source[kept].tolist(), target[kept].tolist(), reason[kept].tolist(), strict=True
    ):
        adjacent.setdefault(one, []).append((other, groups[why].reason))
    return _shortest(count, adjacent)


def as_networkx(cycle: Cycle, labels: Sequence[str]) -> nx.DiGraph[int]:
    """The cycle alone, as reports draw it: ``labels[i]`` names its i-th operation."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    for operation, label in zip(cycle.operations, labels, strict=True):
        graph.add_node(operation, label=label)
    following = (*cycle.operations[1:], cycle.operations[0])
    for one, other, reason in zip(cycle.operations, following, cycle.reasons, strict=True):
        graph.add_edge(one, other, reason=reason)
    return graph


def _none() -> Ints:
    return np.empty(0, dtype=np.int64)


def _chain(count: int, call: Ints, ret: Ints) -> tuple[Ints, Ints]:
    """Edges through one node per return, numbered from ``count`` on in order of time."""
    returned = np.flatnonzero(ret < PENDING)
    returned = returned[np.argsort(ret[returned], kind="stable")]
    links = count + np.arange(len(returned))
    last = np.searchsorted(ret[returned], call, side="left") - 1
    after = np.flatnonzero(last >= 0)
    source = np.concatenate((returned, links[:-1], links[last[after]]))
    target = np.concatenate((links, links[1:], after))
    return source, target


def _smallest_component(count: int, source: Ints, target: Ints) -> NDArray[np.bool_] | None:
    """Mask of the nodes of the smallest strong component that has a cycle, None if there is none."""
    if not len(source):
        return None
    ones = np.ones(len(source), dtype=np.int8)
    matrix = csr_array((ones, (source, target)), shape=(count, count))
    _, label = connected_components(matrix, directed=True, connection="strong")
    sizes = np.bincount(label)
    looped = label[source[source == target]]
    sizes[(sizes < 2) & ~np.isin(np.arange(len(sizes)), looped)] = count + 1
    smallest = int(np.argmin(sizes))
    return label == smallest if sizes[smallest] <= count else None


def _shortest(count: int, adjacent: dict[int, list[tuple[int, str]]]) -> Cycle:
    """The shortest of the shortest cycles through each operation; nodes from ``count`` on are links."""
    work = 0
    size = sum(map(len, adjacent.values()))
    best: list[tuple[int, str]] | None = None
    for start in sorted(node for node in adjacent if node < count):
        found = _through(start, count, adjacent)
        if found is not None and (best is None or len(found) < len(best)):
            best = found
        work += size
        if best is not None and (len(best) <= 2 or work > MAX_WORK):
            break
    assert best is not None, "a strong component has a cycle through every node"
    return Cycle(tuple(node for node, _ in best), tuple(reason for _, reason in best))


def _through(
    start: int, count: int, adjacent: dict[int, list[tuple[int, str]]]
) -> list[tuple[int, str]] | None:
    """A shortest cycle through ``start`` as (operation, reason of the edge to the next).

    Breadth first, where a step into the chain or along it is free: only operations count.
    """
    parent: dict[int, tuple[int, str]] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for other, reason in adjacent.get(node, ()):
            if other == start:
                return _back(node, reason, start, count, parent)
            if other not in parent:
                parent[other] = (node, reason)
                (queue.appendleft if other >= count else queue.append)(other)
    return None


def _back(
    node: int, reason: str, start: int, count: int, parent: dict[int, tuple[int, str]]
) -> list[tuple[int, str]]:
    """The path from ``start`` to ``node`` and on to ``start``, links of the chain left out."""
    steps = [(node, reason)]
    while node != start:
        node, reason = parent[node]
        steps.append((node, reason))
    return [step for step in reversed(steps) if step[0] < count]
