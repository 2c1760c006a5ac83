"""Cycles found on arrays against those that networkx finds in the full graph."""

import random

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.graph import REAL_TIME, Cycle, Edges, along, as_networkx, sessions, shortest_cycle
from history.history import PENDING


def edges(pairs, reason):
    return Edges(
        np.array([a for a, _ in pairs], dtype=np.int64),
        np.array([b for _, b in pairs], dtype=np.int64),
        reason,
    )


def drawn(rng):
    count = rng.randint(1, 8)
    pairs = [(rng.randrange(count), rng.randrange(count)) for _ in range(rng.randint(0, 8))]
    stamps = rng.sample(range(2 * count), 2 * count)
    call = np.array([min(stamps[2 * i : 2 * i + 2]) for i in range(count)])
    ret = np.array([max(stamps[2 * i : 2 * i + 2]) for i in range(count)])
    ret[[i for i in range(count) if rng.random() < 0.2]] = PENDING
    return count, [pair for pair in pairs if pair[0] != pair[1]], call, ret


def agrees(rng):
    count, pairs, call, ret = drawn(rng)
    in_time = [(a, b) for a in range(count) for b in range(count) if ret[a] < call[b]]
    full = nx.DiGraph()
    full.add_nodes_from(range(count))
    full.add_edges_from(pairs + in_time)
    cycle = shortest_cycle(count, [edges(pairs, "version")], real_time=(call, ret))
    if cycle is None:
        return nx.is_directed_acyclic_graph(full)
    following = cycle.operations[1:] + cycle.operations[:1]
    for a, b, reason in zip(cycle.operations, following, cycle.reasons, strict=True):
        assert (a, b) in (in_time if reason == REAL_TIME else pairs)
    for component in nx.strongly_connected_components(full):
        if cycle.operations[0] in component:
            girth = min(map(len, nx.simple_cycles(full.subgraph(component))))
            return len(cycle.operations) == girth
    return False


def test_a_cycle_is_found_exactly_if_there_is_one_and_is_the_shortest_of_its_component():
    rng = random.Random(1)
    assert all(agrees(rng) for _ in range(1000))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.randoms(use_true_random=False))
def test_every_cycle_is_real(rng):
    assert agrees(rng)


def test_the_smallest_component_is_the_one_that_is_shown():
    ring = [(i, (i + 1) % 5) for i in range(5)]
    cycle = shortest_cycle(8, [edges([*ring, (5, 6), (6, 5)], "epoch")])
    assert cycle == Cycle((5, 6), ("epoch", "epoch"))


def test_an_operation_before_itself_is_a_cycle():
    assert shortest_cycle(2, [edges([(1, 1)], "offset")]) == Cycle((1,), ("offset",))


def test_no_constraint_is_no_contradiction():
    assert shortest_cycle(0, []) is None
    assert shortest_cycle(3, [edges([(0, 1), (1, 2)], "version")]) is None


def test_a_process_does_one_operation_after_the_other():
    found = sessions(np.array([1, 2, 1, 2, 1]), np.array([0, 1, 2, 3, 4]))
    assert set(zip(found.source.tolist(), found.target.tolist(), strict=True)) == {
        (0, 2),
        (2, 4),
        (1, 3),
    }


def test_versions_lead_from_each_to_the_next():
    found = along(np.array([3, -1, 1, 7]), "zxid")
    assert list(zip(found.source.tolist(), found.target.tolist(), strict=True)) == [(2, 0), (0, 3)]


def test_a_report_draws_the_cycle_and_nothing_else():
    graph = as_networkx(Cycle((4, 2), ("version", REAL_TIME)), ["write of 1", "read of 2"])
    assert dict(graph.nodes(data="label")) == {4: "write of 1", 2: "read of 2"}
    assert set(graph.edges(data="reason")) == {(4, 2, "version"), (2, 4, REAL_TIME)}


def test_a_ring_of_a_hundred_thousand_operations_is_found():
    count = 100_000
    ring = np.arange(count)
    cycle = shortest_cycle(count, [Edges(ring, (ring + 1) % count, "version")])
    assert cycle is not None
    assert len(cycle.operations) == count
