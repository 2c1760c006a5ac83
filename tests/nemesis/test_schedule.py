from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemesis.errors import ScheduleError
from nemesis.fault import Fault
from nemesis.kinds import KINDS, named
from nemesis.schedule import check, draw

ALL = tuple(KINDS)
NODES = ("n1", "n2", "n3", "n4", "n5")
TARGETS = ("one", "minority", "majority", "all", "primaries")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**63),
    count=st.integers(1, 9),
    time_limit_s=st.floats(0.1, 300),
    interval_s=st.floats(0.5, 60),
    primaries=st.booleans(),
)
def test_what_is_drawn_is_valid_and_ends_in_time(
    seed: int, count: int, time_limit_s: float, interval_s: float, primaries: bool
) -> None:
    nodes = [f"n{number}" for number in range(1, count + 1)]
    targets = TARGETS if primaries else TARGETS[:-1]
    schedule = draw(
        seed,
        kinds=ALL,
        nodes=nodes,
        time_limit_s=time_limit_s,
        interval_s=interval_s,
        targets=targets,
        clients=0.5,
    )
    check(schedule, nodes=nodes)
    assert len(schedule) == max(time_limit_s // interval_s, 1)
    assert all(fault.end_s < time_limit_s for fault in schedule)
    assert all(round(fault.at_s, 3) == fault.at_s for fault in schedule)


def test_the_same_seed_draws_the_same_schedule() -> None:
    first, again = (draw(5, kinds=ALL, nodes=NODES, time_limit_s=60) for _ in range(2))
    assert first == again
    assert first != draw(6, kinds=ALL, nodes=NODES, time_limit_s=60)


def test_a_longer_run_only_adds_faults() -> None:
    short = draw(5, kinds=ALL, nodes=NODES, time_limit_s=60)
    longer = draw(5, kinds=ALL, nodes=NODES, time_limit_s=120)
    assert longer[:8] == short[:8]


def test_the_order_in_which_kinds_are_asked_for_does_not_matter() -> None:
    schedules = (draw(5, kinds=k, nodes=NODES, time_limit_s=60) for k in (ALL, ALL[::-1], set(ALL)))
    assert len({str(schedule) for schedule in schedules}) == 1


def test_all_kinds_are_drawn_and_faults_overlap() -> None:
    schedule = draw(1, kinds=ALL, nodes=NODES, time_limit_s=1000)
    assert {fault.kind for fault in schedule} == set(ALL)
    overlaps = [a for a, b in pairwise(schedule) if b.at_s < a.end_s]
    assert len(overlaps) > len(schedule) / 4


def test_primaries_are_left_alone_unless_they_are_asked_for() -> None:
    schedule = draw(1, kinds=ALL, nodes=NODES, time_limit_s=1000)
    assert not any(fault.symbolic for fault in schedule)
    kinds, targets = ["kill", "partition"], ["one", "primaries"]
    hunted = draw(1, kinds=kinds, nodes=NODES, time_limit_s=1000, targets=targets)
    assert {fault.kind for fault in hunted if fault.symbolic} == {"kill", "partition"}


def test_clients_are_hit_as_often_as_was_asked_for() -> None:
    for share in (0.0, 1.0):
        faults = draw(1, kinds=["partition"], nodes=NODES, time_limit_s=200, clients=share)
        assert {bool(fault.args.get("clients")) for fault in faults} == {bool(share)}


def test_no_kinds_make_no_faults() -> None:
    assert draw(1, kinds=named(["none"]), nodes=NODES, time_limit_s=60) == ()


def test_kinds_that_need_more_nodes_are_passed_over() -> None:
    assert {f.kind for f in draw(1, kinds=["kill", "partition"], nodes=["n1"], time_limit_s=60)} == {
        "kill"
    }
    with pytest.raises(ScheduleError, match="1 nodes are too few for partition"):
        draw(1, kinds=["partition"], nodes=["n1"], time_limit_s=60)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": ["kil"]}, "unknown kind 'kil'; did you mean 'kill'?"),
        ({"targets": ["xyz"]}, "unknown target 'xyz'; known are all, majority"),
        ({"grudges": ["ring"]}, "unknown grudge 'ring'"),
        ({"time_limit_s": 0.0}, "time_limit_s is 0; it must be at least 0.1"),
        ({"interval_s": float("nan")}, "interval_s is nan"),
    ],
)
def test_what_cannot_be_drawn_is_said(options: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"kinds": ALL, "nodes": NODES, "time_limit_s": 60.0, **options}
    with pytest.raises(ScheduleError, match=message.replace("?", r"\?")):
        draw(1, **arguments)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(0, "kil", ("n1",), 1), "unknown kind 'kil'; did you mean 'kill'?"),
        (Fault(0, "kill", ("n6",), 1), "unknown node 'n6'; did you mean"),
        (Fault(0, "kill", (), 1), "kill names no node; name one of n1, n2"),
        (Fault(0, "kill", ("n1", "n1"), 1), "kill names a node twice: n1, n1"),
        (Fault(0, "kill", ("majority",), 1), "'majority' is a target to draw from"),
        (Fault(-1, "kill", ("n1",), 1), "at_s is -1; it must be a number from 0 seconds on"),
        (Fault(0, "kill", ("n1",), 0), "duration_s of kill is 0; it must be above 0"),
        (Fault(0, "kill", ("n1",), float("inf")), "duration_s is inf"),
        (Fault(0, "kill", ("n1",), 1, {"signal": 9}), "unknown argument of kill 'signal'"),
        (Fault(0, "lose", ("n1",), 1), "lose lacks its argument 'probability'"),
        (Fault(0, "lose", ("n1",), 1, {"probability": 2}), "it must be a number from 0.001 to 1"),
        (Fault(0, "lose", ("n1",), 1, {"probability": True}), "it must be a number from 0.001 to 1"),
        (Fault(0, "clock-bump", ("n1",), 1, {"offset_s": 0}), "and not 0"),
        (Fault(0, "clock-drift", ("n1",), 1, {"rate": 1}), "and not 1"),
        (
            Fault(0, "clock-strobe", ("n1",), 60, {"offset_s": 1, "period_s": 0.001}),
            "that is 59999 swings in 60 s; at most 1000 are possible",
        ),
        (
            Fault(0, "rolling-restart", ("n1", "n2"), 4, {"down_s": 3}),
            "down_s of rolling-restart is 3, more than the 2 s that each of its 2 nodes has",
        ),
        (Fault(0, "partition", ("n1",), 1), "partition needs an argument 'grudge'"),
        (
            Fault(0, "partition", ("n1",), 1, {"grudge": "halfs"}),
            "is 'halfs'; it is unknown; did you mean 'halves'?",
        ),
        (Fault(0, "partition", ("n1",), 1, {"grudge": ["n1"]}), "it is unknown; known are bridge"),
        (Fault(0, "partition", NODES, 1, {"grudge": "halves"}), "cuts no link"),
        (Fault(0, "partition", ("n1",), 1, {"grudge": "majorities-ring"}), "names all of n1, n2"),
        (Fault(0, "partition", ("n1",), 1, {"links": [["n1"]]}), "must be a list of links"),
        (Fault(0, "partition", ("n1",), 1, {"links": [["n1", "n7"]]}), "unknown node 'n7'"),
        (
            Fault(0, "partition", ("n1",), 1, {"links": [["n2", "n3"]]}),
            "link n2 to n3 touches none of the partition's nodes; name one of them",
        ),
    ],
)
def test_a_fault_that_makes_no_sense_is_named_with_the_reason(fault: Fault, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        check((fault,), nodes=NODES)
    assert str(caught.value).startswith("fault 0: ")
    assert message in str(caught.value)


def test_links_can_be_given_one_by_one() -> None:
    links = [["n1", "client"], ["n2", "n1"]]
    fault = Fault(0, "partition", ("n1",), 1, {"links": links})
    check((fault,), nodes=NODES)
    assert KINDS["partition"].links(fault, NODES) == {("n1", "client"), ("n2", "n1")}


def test_a_grudge_needs_its_nodes() -> None:
    fault = Fault(0, "partition", ("n1", "n2", "n3"), 1, {"grudge": "majorities-ring"})
    with pytest.raises(
        ScheduleError, match="grudge 'majorities-ring' needs 4 nodes, this cluster has 3"
    ):
        check((fault,), nodes=NODES[:3])


def test_families_of_kinds_have_names() -> None:
    assert named(["clock", "kill"]) == ("kill", "clock-bump", "clock-strobe", "clock-drift")
    assert set(ALL) - set(named(["all"])) == {"clock-reset", "kill-container", "freeze"}
    with pytest.raises(ScheduleError, match="unknown fault 'clocks'; did you mean 'clock'"):
        named(["clocks"])


def test_clocks_jump_no_further_than_they_may() -> None:
    kinds = ("clock-bump", "clock-strobe")
    schedule = draw(1, kinds=kinds, nodes=NODES, time_limit_s=1000, jump_s=5.0)
    jumps = [abs(fault.args["offset_s"]) for fault in schedule]
    assert 1 < max(jumps) <= 5
