"""What a witness shows of the partition around the offsets that are wrong."""

from __future__ import annotations

from checkers.verdict import Verdict
from reports.sequences import offsets
from tests.checkers.queue.script import Script, judged, part


def log_of(verdict: Verdict, name: str) -> list[list[object]]:
    (anomaly,) = [one for one in part(verdict, "log").anomalies if one.name == name]
    assert offsets(anomaly.details) is not None
    return anomaly.details["log"]


def test_a_lost_message_stands_between_those_that_were_read() -> None:
    script = Script().send(10, 0).send(11, 4).send(12, 7).send(99, 3, key="other").poll([0, 10], [7, 12])
    assert log_of(judged(script), "lost-write") == [[0, "read", 10], [4, "lost", 11], [7, "read", 12]]


def test_only_neighbours_are_shown() -> None:
    script = Script()
    for n in range(40):
        script = script.send(n, n)
    script = script.poll(*([n, n] for n in range(40) if n != 20))
    shown = log_of(judged(script), "lost-write")
    assert [cell[0] for cell in shown] == list(range(15, 26))
    assert [cell[1] for cell in shown].count("lost") == 1


def test_an_offset_with_two_messages_names_both() -> None:
    script = Script().send(10, 0).send(11, 1).poll([0, 10]).poll([1, 11]).poll([1, 99], process=3)
    assert log_of(judged(script), "inconsistent-offsets")[1] == [1, "conflicting", [11, 99]]


def test_a_duplicate_is_shown_at_both_places_and_what_nobody_read_as_such() -> None:
    script = Script().send(10, 0).poll([0, 10]).poll([3, 10], process=3).send(12, 5)
    assert log_of(judged(script), "duplicate") == [
        [0, "duplicated", 10],
        [3, "duplicated", 10],
        [5, "unread", 12],
    ]
