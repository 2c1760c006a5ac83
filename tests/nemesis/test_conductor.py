from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.api import VERBS
from history.jsonl import Recorder
from history.op import Op
from nemesis.conductor import refuse, run_schedule
from nemesis.errors import ScheduleError
from nemesis.fault import Fault
from nemesis.kinds import KINDS, named
from nemesis.schedule import draw
from tests.nemesis.fakes import NODES, FakeCluster, outcomes, play

ALL = (*named(["all"]), "clock-reset")


def kill(at_s: float, duration_s: float, *nodes: str) -> Fault:
    return Fault(at_s, "kill", nodes, duration_s)


def bump(at_s: float, duration_s: float, offset_s: float, node: str = "n1") -> Fault:
    return Fault(at_s, "clock-bump", (node,), duration_s, {"offset_s": offset_s})


def split(at_s: float, duration_s: float, *nodes: str) -> Fault:
    return Fault(at_s, "partition", nodes, duration_s, {"grudge": "random-halves"})


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), kinds=st.lists(st.sampled_from(ALL), min_size=1, unique=True))
def test_after_any_schedule_the_cluster_is_as_it_was(seed: int, kinds: list[str]) -> None:
    cluster = FakeCluster()
    schedule = draw(seed, kinds=kinds, nodes=NODES, time_limit_s=30.0, interval_s=2.0)
    play(schedule, cluster)
    assert cluster.weather() == {}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32),
    first_s=st.floats(0, 12),
    second_s=st.floats(0, 1),
    lag_s=st.sampled_from([0.0, 0.05, 0.5]),
)
def test_after_two_cancellations_at_any_time_the_cluster_is_as_it_was(
    seed: int, first_s: float, second_s: float, lag_s: float
) -> None:
    cluster = FakeCluster(lag_s=lag_s)
    schedule = draw(seed, kinds=ALL, nodes=NODES, time_limit_s=12.0, interval_s=1.0)

    async def main() -> None:
        recorder = Recorder(None, cluster.wall_clock_ns)
        running = asyncio.ensure_future(run_schedule(schedule, cluster, recorder))
        for wait_s in (first_s, second_s):
            await asyncio.sleep(wait_s)
            running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert len(recorder.history()) % 2 == 0

    cluster.run(main)
    assert cluster.weather() == {}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_the_events_of_the_nemesis_stand_in_pairs(seed: int) -> None:
    schedule = draw(seed, kinds=ALL, nodes=NODES, time_limit_s=30.0, interval_s=2.0)
    ops = list(play(schedule, FakeCluster()))
    for begun, done in zip(ops[::2], ops[1::2], strict=True):
        assert (begun.f, begun.type, done.f, done.type) == (begun.f, "info", begun.f, "info")
        assert begun.value["fault"] == done.value["fault"]
        assert begun.value["phase"] == done.value["phase"]
        assert "landed" not in begun.value
        assert "landed" in done.value


@pytest.mark.parametrize("kind", named(["all"]))
def test_every_kind_lands_on_a_healthy_cluster(kind: str) -> None:
    schedule = draw(3, kinds=[kind], nodes=NODES, time_limit_s=5.0)
    assert outcomes(play(schedule, FakeCluster()))[0]["landed"]


@pytest.mark.parametrize("kind", named(["all"]))
def test_no_kind_lands_when_its_verbs_do_nothing(kind: str) -> None:
    schedule = draw(3, kinds=[kind], nodes=NODES, time_limit_s=5.0)
    assert not outcomes(play(schedule, FakeCluster(idle=VERBS)))[0]["landed"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_calls_no_verb_beyond_those_it_declares(kind: str) -> None:
    cluster = FakeCluster(stubborn=NODES)
    play(draw(3, kinds=[kind], nodes=NODES, time_limit_s=20.0), cluster)
    assert {verb for _, verb, _ in cluster.calls if verb in VERBS} <= KINDS[kind].verbs


def test_a_node_is_restarted_when_the_last_fault_that_holds_it_down_ends() -> None:
    cluster = FakeCluster()
    play((kill(1, 4, "n1"), kill(3, 6, "n1", "n2")), cluster)
    assert cluster.verb_times("kill", "n1") == [1]
    assert cluster.verb_times("restart", "n1") == [9]


def test_power_goes_off_on_a_node_that_was_killed_before() -> None:
    cluster = FakeCluster()
    play((kill(1, 6, "n1"), Fault(2, "power", ("n1",), 2)), cluster)
    assert cluster.verb_times("power_off", "n1") == [2]
    assert cluster.verb_times("restart", "n1") == [7]


def test_a_kill_of_a_node_that_is_down_already_did_not_land() -> None:
    history = play((kill(1, 9, "n1"), kill(2, 3, "n1")), FakeCluster())
    assert [outcome["landed"] for outcome in outcomes(history).values()] == [True, False]


def test_what_was_terminated_while_paused_is_replaced_and_paused_again() -> None:
    cluster = FakeCluster()
    play((Fault(1, "pause", ("n1",), 9), Fault(2, "terminate", ("n1",), 3)), cluster)
    verbs = [(at, verb) for at, verb, _ in cluster.calls]
    assert verbs == [
        (1, "pause"),
        (2, "terminate"),
        (5, "kill"),
        (5, "restart"),
        (5, "pause"),
        (10, "resume"),
    ]


def test_a_node_without_power_is_not_killed() -> None:
    cluster = FakeCluster()
    play((Fault(1, "power", ("n1",), 6), kill(2, 2, "n1")), cluster)
    assert cluster.verb_times("kill") == []


def test_a_node_that_starts_again_within_a_pause_is_paused_again() -> None:
    cluster = FakeCluster()
    history = play((Fault(1, "pause", ("n1",), 9), kill(2, 3, "n1")), cluster)
    assert cluster.verb_times("pause", "n1") == [1, 5]
    assert cluster.verb_times("resume", "n1") == [10]
    assert all(outcome["landed"] for outcome in outcomes(history).values())


def test_what_ignores_sigterm_is_killed_when_the_fault_ends() -> None:
    cluster = FakeCluster(stubborn=["n1"])
    history = play((Fault(1, "terminate", ("n1",), 4),), cluster)
    assert cluster.verb_times("kill", "n1") == [5]
    assert cluster.incarnations["n1"] == 2
    assert outcomes(history)[0]["evidence"] == (
        "process gone: n1, started again: n1; killed in the end, as SIGTERM had not ended it: n1"
    )


def test_a_link_stays_cut_while_any_partition_holds_it() -> None:
    cluster = FakeCluster()
    play((split(1, 4, "n1"), split(2, 6, "n1", "n2")), cluster)
    healed = {link: at for at, verb, links in cluster.calls if verb == "heal" for link in links}
    assert healed["n1", "n2"] == 5
    assert healed["n1", "n3"] == 8


def test_offsets_on_one_clock_add_up_and_go_one_by_one() -> None:
    cluster = FakeCluster()
    history = play((bump(1, 4, 10.0), bump(2, 5, -3.0)), cluster)
    assert clock_readings(history) == [(0, [0, 10]), (1, [10, 7]), (0, [7, -3]), (1, [-3, 0])]


def test_a_bump_within_a_drift_keeps_what_the_drift_has_gathered() -> None:
    cluster = FakeCluster()
    drift = Fault(0, "clock-drift", ("n1",), 10, {"rate": 1.5})
    history = play((drift, bump(2, 4, 10.0)), cluster)
    assert clock_readings(history) == [(0, [0, 0]), (1, [1, 11]), (1, [13, 3]), (0, [5, 0])]
    assert all(outcome["landed"] for outcome in outcomes(history).values())


def test_rates_on_one_clock_multiply() -> None:
    cluster = FakeCluster()
    schedule = tuple(Fault(at_s, "clock-drift", ("n1",), 10, {"rate": 0.5}) for at_s in (0, 4))
    history = play(schedule, cluster)
    assert clock_readings(history) == [(0, [0, 0]), (1, [-2, -2]), (0, [-6.5, -6.5]), (1, [-8.5, 0])]


def test_a_reset_ends_the_clock_faults_that_are_active() -> None:
    cluster = FakeCluster()
    history = play((bump(1, 8, 10.0), Fault(3, "clock-reset", ("n1", "n2"), 0)), cluster)
    assert clock_readings(history)[1] == (1, [10, 0])
    assert outcomes(history)[1]["evidence"] == "n1 moved -10.000 s"


def test_of_two_delays_on_a_link_the_larger_holds() -> None:
    cluster = FakeCluster()
    schedule = (
        Fault(1, "slow", ("n1",), 8, {"delay_s": 0.1}),
        Fault(2, "slow", ("n1",), 3, {"delay_s": 0.5}),
        Fault(3, "slow", ("n1",), 3, {"delay_s": 0.2}),
    )
    seen: list[float] = []

    async def main() -> None:
        recorder = Recorder(None, cluster.wall_clock_ns)
        running = asyncio.ensure_future(run_schedule(schedule, cluster, recorder))
        for _ in range(10):
            await asyncio.sleep(1)
            await asyncio.sleep(0.01)
            seen.append(cluster.delays.get(("n1", "n2"), (0, 0))[0])
        await running

    cluster.run(main)
    assert seen == [0.1, 0.5, 0.5, 0.5, 0.2, 0.1, 0.1, 0.1, 0, 0]


def test_a_verb_that_raises_is_recorded_and_the_run_goes_on() -> None:
    cluster = FakeCluster(failing=["kill"])
    history = play((kill(1, 2, "n1"), bump(2, 2, 1.0)), cluster)
    errors = [op.error for op in history if op.error]
    assert errors == ["kill of n1: OSError: kill is broken"]
    assert [outcome["landed"] for outcome in outcomes(history).values()] == [False, True]


def test_a_verb_that_hangs_is_given_up() -> None:
    class Hanging(FakeCluster):
        async def kill(self, node: str) -> None:
            await asyncio.Event().wait()

    history = play((kill(1, 200, "n1"),), Hanging())
    assert "kill of n1: TimeoutError: not done within 60 s" in [op.error for op in history]


@pytest.mark.parametrize(
    ("kind", "verb"),
    [
        ("kill", "restart"),
        ("terminate", "restart"),
        ("power", "restart"),
        ("pause", "resume"),
        ("partition", "heal"),
        ("slow", "slow"),
        ("lose", "lose"),
        ("clock-bump", "skew"),
        ("clock-drift", "skew"),
    ],
)
def test_an_undoing_that_fails_three_times_is_tried_again(kind: str, verb: str) -> None:
    cluster = FakeCluster()
    schedule = draw(1, kinds=[kind], nodes=NODES, time_limit_s=9.0, interval_s=9.0, targets=["one"])

    async def main() -> None:
        recorder = Recorder(None, cluster.wall_clock_ns)
        running = asyncio.ensure_future(run_schedule(schedule, cluster, recorder))
        await asyncio.sleep(schedule[0].at_s + 0.001)
        assert cluster.weather()
        cluster.failing_calls = {verb: 3}
        await running
        assert [(op.f, bool(op.error)) for op in recorder.history()] == [
            (kind, False),
            (kind, False),
            (kind, False),
            (kind, True),
            ("heal", False),
            ("heal", False),
        ]

    cluster.run(main)
    assert cluster.weather() == {}


@pytest.mark.parametrize("kind", named(["all"]))
def test_a_verb_that_raises_after_it_took_effect_is_undone_and_proves_nothing(kind: str) -> None:
    cluster = FakeCluster(
        failing_late={"kill", "terminate", "power_off", "pause", "cut", "slow", "lose"}
    )
    cluster.failing_late |= {"skew"}
    history = play(draw(2, kinds=[kind], nodes=NODES, time_limit_s=5.0), cluster)
    assert cluster.weather() == {}
    assert not outcomes(history)[0]["landed"]
    assert "is broken" in outcomes(history)[0]["evidence"]


def test_what_cannot_be_undone_is_said() -> None:
    history = play((kill(1, 2, "n1"),), FakeCluster(failing=["restart"]))
    assert history[len(history) - 1].error == "restart of n1: OSError: restart is broken"


def test_nothing_is_undone_that_was_not_done() -> None:
    cluster = FakeCluster()

    async def main() -> None:
        recorder = Recorder(None, cluster.wall_clock_ns)
        running = asyncio.ensure_future(run_schedule((kill(5, 2, "n1"),), cluster, recorder))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert len(recorder) == 0

    cluster.run(main)
    assert cluster.calls == []


def test_a_recorder_that_fails_does_not_keep_faults_from_being_undone() -> None:
    class Full:
        def record(self, op: Op) -> Op:
            if cluster.down:
                raise OSError("no space left")
            return op

    cluster = FakeCluster()
    with pytest.raises(OSError, match="no space left"):
        cluster.run(lambda: run_schedule((kill(1, 2, "n1"),), cluster, Full()))
    assert cluster.weather() == {}


def test_primaries_are_asked_for_when_the_fault_begins() -> None:
    cluster = FakeCluster(leaders=["n4"])
    isolate = Fault(1, "partition", ("primaries",), 2, {"grudge": "isolate-primaries"})
    history = play((isolate,), cluster)
    assert history[0].value["nodes"] == ["n4"]
    assert ["n4", "n1"] in history[1].value["links"]
    assert len(history[1].value["links"]) == 8


def test_a_fault_on_primaries_that_are_not_there_does_nothing() -> None:
    cluster = FakeCluster()
    history = play((Fault(1, "kill", ("primaries",), 2),), cluster)
    assert cluster.calls == []
    assert outcomes(history)[0]["evidence"] == "there was no primary"


def test_nodes_of_a_rolling_restart_go_one_after_the_other() -> None:
    cluster = FakeCluster()
    play((Fault(1, "rolling-restart", ("n2", "n1", "n3"), 6, {"down_s": 0.5}),), cluster)
    assert cluster.verb_times("terminate") == [1, 3, 5]
    assert [what for _, verb, what in cluster.calls if verb == "restart"] == ["n2", "n1", "n3"]
    assert cluster.verb_times("restart") == [1.5, 3.5, 5.5]


def test_a_strobe_swings_there_and_back_and_is_one_fault_in_the_history() -> None:
    cluster = FakeCluster()
    strobe = Fault(1, "clock-strobe", ("n1",), 2, {"offset_s": 5.0, "period_s": 0.5})
    history = play((strobe,), cluster)
    assert cluster.verb_times("skew") == [1, 1.5, 2, 2.5]
    assert [op.value["phase"] for op in history] == ["start", "start", "end", "end"]


def test_at_one_time_ends_come_before_starts_and_then_the_number_counts() -> None:
    assert 1.1 + 2.2 > 3.3
    history = play((bump(3.3, 1, 1.0), bump(1.1, 2.2, 2.0), kill(3.3, 1, "n2")), FakeCluster())
    actions = [(op.value["fault"], op.value["phase"]) for op in history][::2]
    assert actions == [(1, "start"), (1, "end"), (0, "start"), (2, "start"), (0, "end"), (2, "end")]


def test_an_action_that_is_late_says_so() -> None:
    class Slow(FakeCluster):
        async def kill(self, node: str) -> None:
            await asyncio.sleep(3)
            await super().kill(node)

    history = play((kill(1, 9, "n1"), bump(2, 6, 1.0)), Slow())
    late = [op.value for op in history if "late_s" in op.value]
    assert {(value["fault"], value["phase"], value["late_s"]) for value in late} == {(1, "start", 2.0)}


def test_swings_of_a_strobe_are_left_out_when_the_nemesis_is_late() -> None:
    cluster = FakeCluster(lag_s=1.0)
    strobe = Fault(1, "clock-strobe", ("n1",), 6, {"offset_s": 5.0, "period_s": 0.1})
    history = play((strobe,), cluster)
    assert len(cluster.verb_times("skew")) < 10
    assert history[2].value.get("late_s", 0) <= 1


def test_a_fault_that_the_backend_cannot_do_is_refused() -> None:
    cluster = FakeCluster(verbs=frozenset(VERBS) - {"power_off"})
    with pytest.raises(
        ScheduleError, match="fault 1, power of n1 at 3 s, needs power_off, which backend"
    ):
        refuse((kill(1, 1, "n1"), Fault(3, "power", ("n1",), 1)), cluster)


def test_a_fault_of_a_node_that_the_cluster_has_not_is_refused() -> None:
    with pytest.raises(ScheduleError, match="fault 0: unknown node 'n9'"):
        refuse((kill(1, 1, "n9"),), FakeCluster())


def clock_readings(history: Any) -> list[tuple[int, list[float]]]:
    return [
        (op.value["fault"], [round(s, 3) for s in op.value["effect"]["clock"]["n1"]["read_s"]])
        for op in history
        if "effect" in op.value
    ]
