from __future__ import annotations

from typing import Any

from checkers.fault_coverage import fault_coverage
from history.history import History
from history.op import Op


def history(*faults: tuple[str, bool | None]) -> History:
    """A start for each fault, and its end with its evidence unless that is None."""
    ops: list[Op] = []
    for number, (kind, landed) in enumerate(faults):
        value: dict[str, Any] = {"fault": number, "phase": "start", "nodes": ["n1"]}
        ops.append(event(len(ops), kind, value))
        if landed is not None:
            value = {**value, "landed": landed, "evidence": "3 packets" if landed else "no packets"}
            ops.append(event(len(ops), kind, value))
    return History.from_ops(ops)


def event(index: int, f: str, value: dict[str, Any] | None) -> Op:
    return Op(index, index * 10**9, "nemesis", "info", f, value=value)


def test_a_run_without_faults_is_valid() -> None:
    verdict = fault_coverage()(history(), {})
    assert verdict.valid is True
    assert verdict.counts["planned"] == 0


def test_one_fault_that_landed_is_enough() -> None:
    verdict = fault_coverage()(history(("kill", True), ("partition", False), ("kill", True)), {})
    assert verdict.valid is True
    assert verdict.counts["landed"] == 2
    assert verdict.counts["by-kind"] == {
        "kill": {"planned": 2, "landed": 2},
        "partition": {"planned": 1, "landed": 0},
    }
    assert verdict.counts["without-effect"] == ["fault 1, partition of n1 at 2.0 s: no packets"]


def test_no_fault_that_landed_is_unknown_and_each_is_named() -> None:
    verdict = fault_coverage()(history(("kill", False), ("pause", None)), {})
    assert verdict.valid == "unknown"
    assert verdict.reason == (
        "none of the 2 planned faults took effect: fault 0, kill of n1 at 0.0 s: no packets;"
        " fault 1, pause of n1 at 2.0 s: it was not measured"
    )


def test_a_schedule_of_which_nothing_began_is_unknown() -> None:
    verdict = fault_coverage()(history(), {"faults_planned": 3})
    assert verdict.valid == "unknown"
    assert verdict.reason == "none of the 3 planned faults took effect: none of them began"


def test_every_fault_can_be_demanded() -> None:
    strict = fault_coverage(every_fault_must_land=True)
    verdict = strict(history(("kill", True), ("partition", False)), {"faults_planned": 3})
    assert verdict.valid == "unknown"
    assert verdict.reason == (
        "2 of 3 planned faults took no effect: fault 1, partition of n1 at 2.0 s: no packets;"
        " 1 never began"
    )
    assert strict(history(("kill", True)), {"faults_planned": 1}).valid is True


def test_the_last_word_on_a_fault_counts() -> None:
    values = [
        {"fault": 0, "nodes": ["n1"], "landed": False, "evidence": "none yet"},
        {"fault": 0, "nodes": ["n1"], "landed": True, "evidence": "7 packets dropped"},
    ]
    ops = [event(index, "partition", value) for index, value in enumerate(values)]
    assert fault_coverage()(History.from_ops(ops), {}).counts["landed"] == 1


def test_other_operations_of_the_nemesis_are_no_faults() -> None:
    ops = [event(0, "heal", None), event(1, "heal", None)]
    assert fault_coverage()(History.from_ops(ops), {}).counts["planned"] == 0


def test_where_faults_are_proven_one_without_effect_is_enough_to_be_unknown() -> None:
    proven = {"faults_proven": True}
    landed, idle = ("kill", True), ("partition", False)
    verdict = fault_coverage()(history(landed, idle), proven)
    assert verdict.valid == "unknown"
    assert verdict.reason == "without effect: fault 1, partition of n1 at 2.0 s: no packets"
    assert fault_coverage()(history(landed, landed), proven).valid is True
    assert fault_coverage()(history(landed, idle), {"faults_proven": False}).valid is True


def test_a_fault_without_effect_is_excused_by_one_that_held_its_node_meanwhile() -> None:
    def spanning(second: str) -> History:
        values = [
            (0, {"fault": 0, "nodes": ["n1"], "landed": True}),
            (1, {"fault": 1, "nodes": [second], "landed": False}),
            (2, {"fault": 0, "nodes": ["n1"], "landed": True}),
            (3, {"fault": 1, "nodes": [second], "landed": False}),
        ]
        return History.from_ops([event(index, "kill", value) for index, value in values])

    assert fault_coverage()(spanning("n1"), {"faults_proven": True}).valid is True
    assert fault_coverage()(spanning("n2"), {"faults_proven": True}).valid == "unknown"
