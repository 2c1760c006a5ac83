from __future__ import annotations

import random

import pytest

from nemesis.errors import ScheduleError
from nemesis.targets import DEFAULT_TARGETS, pick, possible

NODES = ["n1", "n2", "n3", "n4", "n5"]


@pytest.mark.parametrize(
    ("target", "sizes"),
    [
        ("one", [1, 1, 1, 1, 1, 1, 1]),
        ("minority", [0, 1, 1, 2, 2, 3, 3]),
        ("minority-third", [0, 0, 0, 1, 1, 1, 2]),
        ("majority", [1, 2, 2, 3, 3, 4, 4]),
        ("all", [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_sizes_of_targets_in_one_to_seven_nodes_are_those_of_jepsen(
    target: str, sizes: list[int]
) -> None:
    stream = random.Random(1)
    names = [f"n{number}" for number in range(1, 8)]
    assert [len(pick(stream, target, names[:count])) for count in range(1, 8)] == sizes


def test_every_node_can_be_the_target() -> None:
    assert {pick(random.Random(seed), "one", NODES)[0] for seed in range(100)} == set(NODES)


def test_nodes_come_in_the_order_of_the_cluster() -> None:
    for seed in range(20):
        picked = pick(random.Random(seed), "majority", NODES)
        assert list(picked) == sorted(picked)


def test_a_list_means_itself() -> None:
    assert pick(random.Random(1), ["n4", "n2"], NODES) == ("n2", "n4")


def test_primaries_stay_a_word() -> None:
    assert pick(random.Random(1), "primaries", NODES) == ("primaries",)


def test_targets_that_hit_nobody_are_not_possible() -> None:
    assert possible(DEFAULT_TARGETS, NODES[:3]) == ("one", "minority", "majority", "all")
    assert possible(DEFAULT_TARGETS, NODES[:1]) == ("one", "majority", "all")
    with pytest.raises(ScheduleError, match="none of the targets minority-third"):
        possible(["minority-third"], NODES[:3])


def test_an_unknown_target_or_node_is_named_with_the_nearest() -> None:
    with pytest.raises(ScheduleError, match="unknown target 'majorty'; did you mean 'majority'"):
        pick(random.Random(1), "majorty", NODES)
    with pytest.raises(ScheduleError, match="unknown node 'n11'; did you mean 'n1'"):
        pick(random.Random(1), ["n11"], NODES)
