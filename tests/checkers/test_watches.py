"""Watches: lost, late, without a cause, twice."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.verdict import Verdict
from checkers.watches import watches
from tests.checkers.log import Log, names


def read(mark: int, connection: int = 1) -> dict[str, Any]:
    return {"mark": mark, "connection": connection}


def event(connection: int = 1) -> dict[str, Any]:
    return {"event": "data_changed", "connection": connection}


def judged(*logs: list[dict[str, Any]]) -> Verdict:
    log = Log()
    for entries in logs:
        log.done(1, "watch", key="data", kind="data", key_="x", log=entries)
    return watches()(_with_key(log).history(), {})


def _with_key(log: Log) -> Log:
    for op in log._ops:
        if op.value:
            op.value["key"] = op.value.pop("key_", None)
    return log


TOLD = [read(5), read(5), event(), read(6)]


def test_the_word_and_then_the_new_data_is_valid() -> None:
    verdict = judged(TOLD, [read(6), read(6)])
    assert verdict.valid is True
    assert verdict.counts["event-count"] == 1


def test_watches_that_were_never_called_test_nothing() -> None:
    assert judged([read(5), read(5)]).valid == "unknown"


@pytest.mark.parametrize(
    ("entries", "name"),
    [
        ([read(5), read(6)], "lost-event"),
        ([read(5), read(6), event(), read(6)], "event-after-data"),
        ([read(5), event(), read(5)], "event-without-cause"),
        ([read(5), event(), event(), read(6)], "event-twice"),
        ([read(5), read(5, 2), read(6, 2)], "lost-event"),
    ],
)
def test_each_way_to_fail(entries: list[dict[str, Any]], name: str) -> None:
    verdict = judged(TOLD, entries)
    assert names(verdict) == [name]
    assert len(verdict.anomalies[0].ops) == 1


def test_after_the_word_another_server_may_be_behind() -> None:
    assert judged([read(5), event(1), read(5, 2)]).valid is True


def test_a_znode_that_came_and_went_again_may_be_missing_as_before() -> None:
    assert judged([read(0), event(), read(0)]).valid is True
