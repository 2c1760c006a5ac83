from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.api import CLIENT
from nemesis.partitions import (
    GRUDGES,
    Grudge,
    Links,
    bridge,
    isolate,
    majorities_ring,
    one_way,
    seen_by,
    split,
)
from nemesis.targets import majority, minority_third

SYMMETRIC = [name for name in GRUDGES if name not in ("one-way", "isolate-primaries")]
fixed = settings(max_examples=200, deadline=None, derandomize=True)


def names(count: int) -> list[str]:
    return [f"n{number}" for number in range(1, count + 1)]


def drawn(grudge: Grudge, count: int, seed: int) -> tuple[tuple[str, ...], Links]:
    nodes = names(max(count, grudge.least_nodes))
    named = grudge.draw(random.Random(seed), nodes)
    return named, grudge.links(named, nodes)


@fixed
@given(st.sampled_from(SYMMETRIC), st.integers(2, 11), st.integers())
def test_all_grudges_but_one_way_cut_both_directions(name: str, count: int, seed: int) -> None:
    _, cut = drawn(GRUDGES[name], count, seed)
    assert cut == {(destination, source) for source, destination in cut}


@fixed
@given(
    st.sampled_from([name for name in GRUDGES if name != "isolate-primaries"]),
    st.integers(2, 11),
    st.integers(),
)
def test_every_grudge_cuts_something_from_its_least_number_of_nodes_on(
    name: str, count: int, seed: int
) -> None:
    _, cut = drawn(GRUDGES[name], count, seed)
    assert cut
    assert all(source != destination for source, destination in cut)


@fixed
@given(st.integers(4, 15), st.integers())
def test_in_a_ring_of_majorities_each_node_sees_its_own_majority(count: int, seed: int) -> None:
    nodes = names(count)
    ring, cut = drawn(GRUDGES["majorities-ring"], count, seed)
    seen = [seen_by(node, nodes, cut) for node in nodes]
    assert sorted(ring) == sorted(nodes)
    assert len(set(seen)) == count
    assert all(majority(count) <= len(view) <= majority(count) + 1 for view in seen)


def test_in_a_ring_of_five_each_node_sees_its_two_neighbours() -> None:
    ring = ["a", "b", "c", "d", "e"]
    cut = majorities_ring(ring, ring)
    assert seen_by("a", ring, cut) == {"e", "a", "b"}
    assert seen_by("c", ring, cut) == {"b", "c", "d"}


@fixed
@given(st.integers(3, 11), st.integers())
def test_the_bridge_sees_all_and_the_two_sides_see_the_bridge_only(count: int, seed: int) -> None:
    nodes = names(count)
    (middle, *side), cut = drawn(GRUDGES["bridge"], count, seed)
    assert seen_by(middle, nodes, cut) == set(nodes)
    for node in side:
        assert seen_by(node, nodes, cut) == {middle, *side}
    for node in set(nodes) - {middle, *side}:
        assert seen_by(node, nodes, cut) == set(nodes) - set(side)


def test_the_sides_of_a_bridge_of_five_have_two_nodes_each() -> None:
    named, _ = drawn(GRUDGES["bridge"], 5, 1)
    assert len(named) == 3


@fixed
@given(st.integers(2, 11), st.integers())
def test_one_way_leaves_the_other_direction_alone(count: int, seed: int) -> None:
    named, cut = drawn(GRUDGES["one-way"], count, seed)
    assert cut == {(a, b) for a in named for b in names(count) if b not in named}


@fixed
@given(st.integers(2, 11), st.integers())
def test_halves_and_random_halves_split_off_the_smaller_half(count: int, seed: int) -> None:
    for name in ("halves", "random-halves"):
        named, cut = drawn(GRUDGES[name], count, seed)
        assert len(named) == count // 2
        assert seen_by(named[0], names(count), cut) == set(named)


def test_halves_are_the_same_whatever_the_seed() -> None:
    assert {drawn(GRUDGES["halves"], 5, seed)[0] for seed in range(20)} == {("n1", "n2")}


@fixed
@given(st.integers(4, 11), st.integers())
def test_a_minority_third_is_less_than_a_third(count: int, seed: int) -> None:
    named, _ = drawn(GRUDGES["minority-third"], count, seed)
    assert len(named) == minority_third(count)
    assert 3 * len(named) < count <= 3 * (len(named) + 1)


def test_isolated_nodes_do_not_hear_each_other_either() -> None:
    cut = isolate(["n1", "n2"], names(4))
    assert seen_by("n1", names(4), cut) == {"n1"}
    assert seen_by("n3", names(4), cut) == {"n3", "n4"}


def test_clients_stand_on_the_far_side_from_the_named_nodes() -> None:
    members = [*names(3), CLIENT]
    assert (CLIENT, "n1") in split(["n1"], members)
    assert (CLIENT, "n2") not in split(["n1"], members)
    assert ("n1", CLIENT) in one_way(["n1"], members)
    assert (CLIENT, "n1") not in one_way(["n1"], members)
    assert ("n2", CLIENT) in bridge(["n1", "n2"], members)
    assert CLIENT not in {end for link in majorities_ring(names(3), members) for end in link}
