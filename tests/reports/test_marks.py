from __future__ import annotations

from reports.logs import logs
from reports.marks import LEADER, SESSION, log_marks, marks
from tests.reports.samples import history, row

TEXT = "12.5 INFO leading epoch 3\n  still that\n13.0 INFO session 0x1 has expired\n14.0 WARNING disk\n"


def test_named_processes_of_the_history_leave_marks() -> None:
    (mark,) = marks(history([row(1.0, "ensemble", "info", "leader", {"node": "n4"}, node="n4")]))
    assert (mark.kind, mark.node, mark.time_us) == (LEADER, "n4", 1_000_000)


def test_lines_of_logs_that_a_pattern_finds_leave_marks_where_they_were_written() -> None:
    patterns = {SESSION: "expired", LEADER: "leading epoch"}
    found = log_marks(logs({"n1": TEXT}, start_wall_ns=None), patterns)
    assert [(mark.kind, mark.node, mark.time_us) for mark in found] == [
        (LEADER, "n1", 12_500_000),
        (SESSION, "n1", 13_000_000),
    ]


def test_a_pattern_that_is_none_and_a_kind_that_nobody_knows_find_nothing() -> None:
    lines = logs({"n1": TEXT}, start_wall_ns=None)
    assert log_marks(lines, {LEADER: "(", SESSION: 3, "colour": "INFO"}) == ()  # type: ignore[dict-item]
