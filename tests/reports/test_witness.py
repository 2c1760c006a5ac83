from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from checkers.linearizable import linearizable
from checkers.models import MODELS
from checkers.verdict import Anomaly
from history.history import History
from reports.events import shown_ops
from reports.faults import faults
from reports.reasons import closed, edges
from reports.rules import RULES
from reports.shapes import Box, Curve, Figure, Text
from reports.witness import Witness, witness
from tests.reports.samples import Row, fault, history, lock_rows, row, two_holders


def told(anomaly: Anomaly, events: History) -> Witness:
    return witness(1, "checker", anomaly, events, faults(events))


def texts(figure: Figure) -> list[str]:
    written = [shape.text for shape in figure.shapes if isinstance(shape, Text)]
    return written + [line for shape in figure.shapes if isinstance(shape, Box) for line in shape.lines]


def ids(faults: Sequence[Row] = tuple(fault(0, 1.2, 1.4, "clock-bump", "n3"))) -> History:
    return history(
        [
            row(1.0, 0, "invoke", "next"),
            row(1.1, 0, "ok", "next", [9], node="n3"),
            row(1.5, 1, "invoke", "next"),
            row(1.6, 1, "ok", "next", [4], node="n3"),
            *faults,
        ]
    )


INVERTED = Anomaly(
    name="non-monotonic", message="n3 gave 9, then 4", ops=(1, 7), details={"ids": [9, 4]}
)


def test_two_ids_in_the_wrong_order_are_a_ring_of_two_with_both_reasons() -> None:
    found = told(INVERTED, ids())
    ring, bars = found.figures
    assert "real time" in texts(ring)
    assert "its ID 4 is smaller than 9" in texts(ring)
    assert sum(isinstance(shape, Curve) and shape.arrow for shape in ring.shapes) == 2
    assert "op 1  process 0 on n3" in texts(bars)


def test_the_reasons_are_sentences_that_stand_for_themselves() -> None:
    first, second, weather = told(INVERTED, ids()).sentences
    assert first == (
        "op 1 (next by process 0 on n3) returned at 1.100 s, before op 7 (next by process 1 on n3) was"
        " called at 1.500 s: it comes first in real time."
    )
    assert second.startswith("op 7 (next by process 1 on n3) must come before op 1")
    assert weather == "Meanwhile: clock-bump of n3 from 1.200 s to 1.400 s (7 packets dropped)."


def test_a_fault_that_found_nobody_is_not_told() -> None:
    events = ids(fault(0, 1.3, 1.4, "kill", landed=False))
    assert told(INVERTED, events).sentences[-1] == "No fault was active meanwhile."


def test_a_cycle_is_a_ring_with_the_reasons_that_the_checker_gave() -> None:
    events = history(
        [event for n in range(4) for event in (row(n, n, "invoke", "txn"), row(n + 0.5, n, "ok", "txn"))]
    )
    reasons = ["wr on x", "ww on y", "rw on z", "real time"]
    cycle = Anomaly(name="G2", message="m", ops=(1, 3, 5, 7), details={"reasons": reasons})
    ring = told(cycle, events).figures[0]
    assert {"wr on x", "ww on y", "rw on z"} <= set(texts(ring))
    assert sum(isinstance(shape, Curve) for shape in ring.shapes) == 4


def test_edges_given_by_the_checker_are_taken_as_they_are() -> None:
    given_edges = replace(
        INVERTED, details={"edges": [[7, 1, "because"], [1, 7, "likewise"], [7, 99, "gone"]]}
    )
    found = edges(given_edges, shown_ops(ids(), (1, 7)))
    assert [(one.source, one.target, one.reason) for one in found] == [
        (7, 1, "because"),
        (1, 7, "likewise"),
    ]
    assert closed(found)


def test_two_tenures_that_overlap_are_drawn_and_the_overlap_is_measured() -> None:
    events = history(lock_rows())
    (bars,) = told(two_holders(events), events).figures
    assert "both hold it for 900 ms" in texts(bars)
    assert any(isinstance(shape, Box) and shape.style == "overlap" for shape in bars.shapes)


def test_a_lock_that_is_never_given_back_is_held_to_the_end() -> None:
    kept = [one for one in lock_rows() if not (one[3] == "release" and one[0] > 13)]
    events = history(kept)
    (bars,) = told(two_holders(events), events).figures
    assert "both hold it, and neither gives it back" in texts(bars)


def test_a_register_whose_values_interlock_is_a_ring_through_the_values() -> None:
    rows = []
    for n, (f, value) in enumerate([("write", 1), ("write", 2), ("read", 2), ("read", 1)]):
        rows += [
            row(n, n, "invoke", f, value if f == "write" else None, key="x"),
            row(n + 0.5, n, "ok", f, value, key="x"),
        ]
    events = history(rows)
    (anomaly,) = linearizable(model=MODELS["cas-register"])(events, {}).anomalies
    found = told(anomaly, events)
    assert any("value 1" in text for text in texts(found.figures[0]))


def test_what_could_not_come_next_stands_behind_the_longest_prefix() -> None:
    details = {"linearizable_prefix": [1], "configurations": [{"state": "9", "last": [1]}]}
    anomaly = Anomaly(name="nonlinearizable", message="m", ops=(1, 7), details=details)
    found = told(anomaly, ids())
    assert "cannot come next" in texts(found.figures[0])
    assert "by then it is 9" in texts(found.figures[0])
    assert any("1 operations can be put in an order" in sentence for sentence in found.sentences)


def test_offsets_around_a_loss_are_cells() -> None:
    log = [[12, "read", "a"], [13, "lost", "b"], [14, "read", "c"]]
    found = told(replace(INVERTED, name="lost-write", details={"log": log}), ids())
    cells = [shape for shape in found.figures[0].shapes if isinstance(shape, Box)]
    assert [cell.style for cell in cells] == ["cell read", "cell lost", "cell read"]
    assert found.details == ()


def test_messages_at_one_offset_stand_in_lines_of_one_cell() -> None:
    log = [[0, "conflicting", [36, 41]], [1, "read", [7, 8]]]
    found = told(replace(INVERTED, name="inconsistent-offsets", details={"log": log}), ids())
    cells = [shape for shape in found.figures[0].shapes if isinstance(shape, Box)]
    assert [cell.lines for cell in cells] == [("36", "41", "conflicting"), ("7", "8", "read")]
    assert cells[0].style == "cell conflicting"


def test_a_witness_begins_with_the_rule_that_is_broken() -> None:
    assert told(INVERTED, ids()).rule == RULES["non-monotonic"]
    assert told(replace(INVERTED, name="own-anomaly"), ids()).rule == ""


@pytest.mark.parametrize(
    "details", [{"edges": 5}, {"log": "x"}, {"reasons": [1]}, {"linearizable_prefix": None}]
)
def test_details_of_another_shape_do_no_harm(details: dict[str, object]) -> None:
    assert told(replace(INVERTED, details=details), ids()).ops


def test_operations_that_the_history_does_not_have_are_counted_as_left_out() -> None:
    found = told(replace(INVERTED, ops=(1, 7, 4242)), ids())
    assert found.left_out == 1
    assert told(replace(INVERTED, ops=()), ids()).figures == ()
