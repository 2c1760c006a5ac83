"""A part of a history in which several systems were tested at once."""

from __future__ import annotations

from checkers.part import of_part, only
from checkers.unique_ids import unique_ids
from checkers.verdict import all_of
from history.history import History
from history.op import NEMESIS, Op


def history(*events: tuple[int | str, str, str, object]) -> History:
    return History.from_ops(
        Op(index, index * 1000, process, kind, f, value=value)  # type: ignore[arg-type]
        for index, (process, kind, f, value) in enumerate(events)
    )


TWO = history(
    (0, "invoke", "a/next", 1),
    (1, "invoke", "b/next", 1),
    (0, "ok", "a/next", [7]),
    (NEMESIS, "info", "kill", None),
    (1, "ok", "b/next", [7]),
    (1, "invoke", "b/next", 1),
    (1, "ok", "b/next", [7]),
)


def test_a_part_has_its_own_operations_under_plain_names_and_all_faults() -> None:
    part = only("b", TWO)
    assert [(op.index, op.f) for op in part] == [
        (1, "next"),
        (3, "kill"),
        (4, "next"),
        (5, "next"),
        (6, "next"),
    ]
    assert len(part.operations()) == 2
    assert len(only("c", TWO).operations()) == 0


def test_what_one_part_does_is_not_held_against_another() -> None:
    checker = all_of(unique_ids=unique_ids("next"))
    assert of_part("a", checker)(TWO, {}).valid is True
    verdict = of_part("b", checker)(TWO, {})
    assert verdict.valid is False
    assert [part.checker for part in verdict.parts] == ["b-unique-ids"]
    assert verdict.anomalies[0].ops == (4, 6)
