"""Two runs side by side, over histories whose every number is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from checkers.verdict import Anomaly
from reports.comparison import Line, compare
from reports.material import Material
from tests.reports.samples import fault, history, material, row


def run(*anomalies: Anomaly, slow_s: float = 0.01, lost: bool = False, **spec: Any) -> Material:
    """Two operations before a partition from 2 s to 4 s, two within it, one after it."""
    rows = fault(0, 2, 4, "partition", "n1", landed=not lost)
    for number, at_s in enumerate((0.5, 1.0, 2.5, 3.0, 5.0)):
        hurt = lost and 2 <= at_s <= 4
        rows += [
            row(at_s, number, "invoke", "acquire"),
            row(at_s + slow_s, number, "info", "acquire", error=f"n{number}: timed-out")
            if hurt
            else row(at_s + slow_s, number, "ok", "acquire", 1),
        ]
    made = material(history(rows), *anomalies)
    return replace(made, test={"spec": {"workload": "lock", "backend": "local", **spec}})


def lines(a: Material, b: Material, title: str) -> dict[str, Line]:
    return {
        line.what: line
        for section in compare(a, b)
        if section.title.startswith(title)
        for line in section.lines
    }


def test_two_equal_runs_do_not_differ() -> None:
    sections = compare(run(), run())
    assert sections
    assert not [line for section in sections for line in section.lines if line.differs]


def test_what_was_run_is_said_where_it_differs() -> None:
    found = lines(run(seed=3), run(seed=3, system="zookeeper"), "what was run")
    assert (found["system"].a, found["system"].b) == ("–", "zookeeper")
    assert "seed" not in found


def test_other_faults_are_said_to_be_others() -> None:
    other = history([*fault(0, 2, 4, "kill", "n1"), row(1, 0, "invoke", "acquire")])
    assert lines(run(), replace(run(), history=other), "what was run")["faults"].b == "1, others"


def test_verdicts_and_anomalies_stand_side_by_side() -> None:
    two = Anomaly(name="two-holders", message="both", ops=(), details={})
    bad = run(two, two)
    assert (lines(run(), bad, "verdicts")["all"].a, lines(run(), bad, "verdicts")["all"].b) == (
        "valid",
        "invalid",
    )
    assert lines(run(), bad, "anomalies")["two-holders"] == Line("two-holders", "0", "2")


def test_outcomes_reasons_and_latencies_are_those_of_the_operations() -> None:
    a, b = run(), run(lost=True, slow_s=0.02)
    assert lines(a, b, "operations")["acquire"] == Line("acquire", "5 / 0 / 0", "3 / 0 / 2")
    assert lines(a, b, "why")["n#: timed-out"] == Line("n#: timed-out", "0", "2")
    took = lines(a, b, "latency")["acquire"]
    assert (took.a, took.b) == ("10.0 / 10.0 / 10.0 ms", "20.0 / 20.0 / 20.0 ms")


def test_availability_is_told_apart_by_whether_a_fault_was_active() -> None:
    a, b = run(), run(lost=True)
    found = lines(a, b, "availability")
    assert found["while no fault was active"].b == "100 % of 3"
    assert (found["while one was"].a, found["while one was"].b) == ("100 % of 2", "0 % of 2")
    assert (found["longest time without an ok"].a, found["longest time without an ok"].b) == (
        "2.0 s",
        "4.0 s",
    )
    each = lines(a, b, "faults")["0: partition n1"]
    assert (each.a, each.b) == ("landed, 100 % of 2", "did not land, 0 % of 2")
