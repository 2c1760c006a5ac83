from __future__ import annotations

from reports.faults import family, faults
from tests.reports.samples import fault, history, row


def test_a_fault_is_what_its_last_measurement_says() -> None:
    (one,) = faults(history(fault(0, 1.0, 3.0, "partition", "n1", "n2")))
    assert (one.kind, one.family, one.nodes, one.arguments) == (
        "partition",
        "network",
        ("n1", "n2"),
        "a 1",
    )
    assert (one.begin_ns, one.end_ns) == (1_000_000_000, 3_000_000_000)
    assert (one.landed, one.evidence) == (True, "7 packets dropped")
    assert one.measured == ["start: dropped packets 0, unchanged", "end: dropped packets 0 → 7"]
    assert one.ops == [0, 1, 2, 3]


def test_a_fault_without_an_end_lasts_until_the_healing() -> None:
    rows = [
        *fault(0, 1.0, None, "kill", "n1"),
        row(5.0, "nemesis", "info", "heal"),
        row(5.1, "nemesis", "info", "heal"),
    ]
    (one,) = faults(history(rows))
    assert one.end_ns == 5_000_000_000


def test_a_fault_that_nobody_ended_has_no_end() -> None:
    (one,) = faults(history(fault(0, 1.0, None, "kill", "n1")))
    assert one.end_ns is None
    assert not one.landed


def test_clock_readings_and_processes_are_told_before_and_after() -> None:
    running = {"running": True, "paused": False, "incarnation": 1}
    effect = {
        "clock": {"n1": {"read_s": [0.0, 4.2]}, "n2": {"read_s": None}},
        "process": {"n3": [running, {**running, "running": False}], "n4": [running, None]},
        "unread": ["process of n4: TimeoutError: "],
    }
    value = {
        "fault": 0,
        "phase": "start",
        "nodes": ["n1"],
        "effect": effect,
        "landed": True,
        "evidence": "e",
    }
    (one,) = faults(history([row(1, "nemesis", "info", "clock-bump", value)]))
    assert one.measured == [
        "start: clock of n1 read back 0.0 → 4.2 s",
        "start: clock of n2 read back could not be read",
        "start: process of n3 running (start 1) → gone",
        "start: process of n4 could not be read",
        "start: process of n4: TimeoutError: ",
    ]


def test_events_of_the_nemesis_that_are_no_faults_are_passed_over() -> None:
    assert faults(history([row(1, "nemesis", "info", "note", "hello")])) == ()


def test_every_kind_has_a_family() -> None:
    kinds = ("partition", "lose", "clock-reset", "clock-bump", "kill", "rolling-restart", "meteor")
    assert [family(kind) for kind in kinds] == [
        "network", "network", "clock", "clock", "process", "process", "other",
    ]  # fmt: skip
