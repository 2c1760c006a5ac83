"""What the public strategies promise of the schedules and histories that they draw."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import windtunnel as wt
from history.op import Op
from nemesis.errors import ScheduleError
from nemesis.schedule import check
from nemesis.schedule_file import from_json
from windtunnel import strategies

NODES = ("n1", "n2", "n3")
CALLS = st.one_of(st.just(wt.invoke("read")), st.builds(wt.invoke, st.just("write"), st.integers(0, 3)))


def register(state: Any, call: Op) -> tuple[Op, Any]:
    if call.f == "read":
        return call.completed("ok", value=state), state
    return call.completed("ok"), call.value


@settings(derandomize=True, deadline=None)
@given(strategies.schedules(nodes=3, time_limit_s=20))
def test_every_schedule_can_be_thrown_at_its_cluster_and_is_in_order(schedule) -> None:
    faults = tuple(from_json(fault) for fault in schedule)
    check(faults, nodes=NODES)
    assert all(fault.end_s <= 20 for fault in faults)
    assert [fault.at_s for fault in faults] == sorted(fault.at_s for fault in faults)


@settings(derandomize=True, deadline=None, max_examples=5)
@given(strategies.schedules(nodes=3, time_limit_s=3, max_faults=2))
def test_a_schedule_is_what_a_spec_takes(schedule) -> None:
    run = wt.run(wt.TestSpec(workload="uuid", nodes=NODES, time_limit_s=3, schedule=schedule))
    assert run.verdict.valid is not False
    assert run.schedule == schedule


@pytest.mark.parametrize("kind", ["partition", "power", "clock-strobe", "rolling-restart"])
def test_each_kind_is_drawn_and_shrinks_to_one_fault_at_the_beginning(kind: str) -> None:
    smallest = find(
        strategies.schedules(nodes=3),
        lambda schedule: any(fault["kind"] == kind for fault in schedule),
        settings=settings(derandomize=True, max_examples=2000, database=None),
    )
    (fault,) = smallest
    assert fault["at_s"] == 0
    assert fault["duration_s"] <= strategies.SHORTEST_S + 0.01


def test_arguments_that_do_not_matter_shrink_away() -> None:
    smallest = find(
        strategies.schedules(),
        lambda schedule: any(fault["args"].get("delay_s", 0) > 0.2 for fault in schedule),
        settings=settings(derandomize=True, max_examples=2000, database=None),
    )
    (fault,) = smallest
    assert (fault["at_s"], fault["nodes"]) == (0, ["n1"])
    assert fault["args"].keys() == {"delay_s", "jitter_s"}
    assert fault["args"]["jitter_s"] == 0
    assert fault["args"]["delay_s"] < 0.21


def test_without_shrinking_arguments_are_drawn_from_their_whole_range() -> None:
    seen: list[float] = []

    @settings(derandomize=True, deadline=None, max_examples=300, database=None)
    @given(strategies.schedules(nemesis="clock-bump"))
    def collect(schedule) -> None:
        seen.extend(fault["args"]["offset_s"] for fault in schedule)

    collect()
    assert min(seen) < -100
    assert max(seen) > 100


@pytest.mark.parametrize("options", [{"nemesis": "kil"}, {"nemesis": "kill", "targets": ("two",)}])
def test_a_name_that_does_not_exist_is_said(options) -> None:
    with pytest.raises(ScheduleError):
        strategies.schedules(**options)


def test_no_faults_are_a_schedule_too() -> None:
    assert find(strategies.schedules(nemesis="none"), lambda schedule: True) == ()


@settings(derandomize=True, deadline=None)
@given(strategies.histories(CALLS, clients=2))
def test_histories_are_those_of_single_threaded_clients(history) -> None:
    """``History.from_ops`` is strict: it would have raised."""
    assert set(history.operations().outcome.tolist()) <= {1, 2, 3}
    assert len({op.process % 2 for op in history}) <= 2


@settings(derandomize=True, deadline=None, max_examples=300)
@given(strategies.linearizable_histories(CALLS, register))
def test_what_is_right_by_construction_is_never_refuted(history) -> None:
    assert wt.linearizable(model=wt.MODELS["register"])(history, {}).valid is not False


def test_a_register_that_reads_the_value_before_last_is_refuted() -> None:
    def stale(state: Any, call: Op) -> tuple[Op, Any]:
        if call.f == "read":
            return call.completed("ok", value=state and state[0]), state
        return call.completed("ok"), (state and state[1], call.value)

    checker = wt.linearizable(model=wt.MODELS["register"])
    smallest = find(
        strategies.linearizable_histories(CALLS, stale),
        lambda history: checker(history, {}).valid is False,
        settings=settings(derandomize=True, max_examples=2000, database=None),
    )
    assert len(smallest) <= 6


def test_clients_crash_and_go_on_as_another_process() -> None:
    history = find(
        strategies.linearizable_histories(CALLS, register, clients=1),
        lambda history: any(op.process == 1 and op.type == "ok" for op in history),
        settings=settings(derandomize=True, max_examples=2000, database=None),
    )
    assert [op.type for op in history] == ["invoke", "info", "invoke", "ok"]


def test_a_history_has_a_client() -> None:
    with pytest.raises(ValueError, match="clients is 0"):
        find(strategies.histories(CALLS, clients=0), lambda history: True)
