"""Watches that stay: each change told once, in time, and nothing after they are removed."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.followed import followed
from checkers.verdict import Verdict
from tests.checkers.log import Log, names

LEAF = "/tree/leaf"


def read(version: int, cversion: int = 0, connection: int = 1) -> dict[str, Any]:
    return {"version": version, "cversion": cversion, "connection": connection}


def event(name: str, path: str = LEAF, connection: int = 1) -> dict[str, Any]:
    return {"event": name, "path": path, "connection": connection}


DATA, CHILDREN = event("data_changed"), event("children_changed")
MADE, GONE = event("created", f"{LEAF}/c-1"), event("deleted", f"{LEAF}/c-1")
DATA_2, DEEP = {**DATA, "connection": 2}, event("created", f"{LEAF}/c-1/deep")
REMOVED = {"removed": True, "connection": 1}
UNKNOWN = {"removed": False, "connection": 1}


def judged(*logs: tuple[str, list[dict[str, Any]]]) -> Verdict:
    log = Log()
    for kind, entries in logs:
        log.done(1, "follow", kind=kind, log=entries)
    for op in log._ops:
        if op.value:
            op.value["key"] = LEAF
    return followed()(log.history(), {})


TOLD = ("persistent", [read(1), DATA, CHILDREN, read(2, 1), DATA, DATA, read(4, 1), REMOVED, read(5, 2)])


@pytest.mark.parametrize(
    ("kind", "entries"),
    [
        TOLD,
        ("persistent", [DATA, read(1), read(1), REMOVED, read(9, 9)]),
        (
            "persistent",
            [read(1), DATA, read(2), read(7, 3, 2), DATA_2, read(8, 3, 2)],
        ),
        ("persistent", [read(1), DATA]),
        ("recursive", [read(1), MADE, DATA, GONE, read(2, 2), REMOVED]),
        (
            "recursive",
            [read(1), event("created", f"{LEAF}/c/deep"), event("data_changed", MADE["path"]), read(1)],
        ),
    ],
)
def test_one_event_for_each_change_before_it_is_read_is_valid(kind, entries) -> None:
    verdict = judged(TOLD, (kind, entries))
    assert verdict.valid is True, verdict.anomalies
    assert verdict.counts["removed-count"] >= 1


def test_watches_that_were_never_called_test_nothing() -> None:
    assert judged(("persistent", [read(5), read(6)])).valid == "unknown"


@pytest.mark.parametrize(
    ("kind", "entries", "name"),
    [
        ("persistent", [read(1), read(2)], "lost-event"),
        ("persistent", [read(1), DATA, read(3)], "lost-event"),
        ("persistent", [read(1), read(1, 1)], "lost-event"),
        ("persistent", [read(1), CHILDREN, read(2)], "lost-event"),
        ("recursive", [read(1), MADE, read(1, 2)], "lost-event"),
        ("recursive", [read(1), event("data_changed", f"{LEAF}/c-1"), read(2)], "lost-event"),
        ("persistent", [read(1, 0, 2), read(2, 0, 2)], "lost-event"),
        ("persistent", [read(1), read(2), DATA, read(2)], "event-after-data"),
        ("persistent", [read(1), DATA, read(1), read(2)], "event-without-cause"),
        ("persistent", [read(1), DATA, DATA, read(2)], "event-without-cause"),
        ("recursive", [read(1), GONE, read(1)], "event-without-cause"),
        ("recursive", [read(1), MADE, CHILDREN, read(1, 1)], "children-told"),
        ("persistent", [read(1), DATA, read(2), REMOVED, DATA], "event-after-removal"),
        ("persistent", [read(1), DATA, read(2), UNKNOWN], "watch-gone"),
    ],
)
def test_each_way_to_fail(kind: str, entries: list[dict[str, Any]], name: str) -> None:
    verdict = judged(TOLD, (kind, entries))
    assert verdict.valid is False
    assert name in names(verdict)
