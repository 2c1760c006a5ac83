"""A configuration: one value for each version, nothing that was refused, nothing lost."""

from __future__ import annotations

from checkers.settings import settings
from checkers.verdict import Verdict
from tests.checkers.log import Log, names


def judged(log: Log, *, final_index: int = 0) -> Verdict:
    return settings()(log.history(), {"final_index": final_index})


def put(log: Log, process: int, value: int, version: int) -> int:
    return log.done(
        process, "set", value, session=f"0x{process}", value=value, version=version, zxid=100 + version
    )


def saw(log: Log, process: int, value: int | None, version: int) -> int:
    view = {"value": value, "version": version}
    return log.done(process, "view", session=f"0x{process}", zxid=100 + version, view=view)


def test_each_version_is_the_value_of_its_change() -> None:
    log = Log()
    saw(log, 2, None, 0)
    put(log, 1, 7, 1)
    log.call(3, "set", 8)
    log.ret(3, "info", error="lost")
    saw(log, 2, 7, 1)
    saw(log, 2, 8, 2)
    verdict = judged(log)
    assert verdict.valid is True
    assert verdict.counts == {"change-count": 1, "view-count": 3}


def test_without_a_change_or_a_view_nothing_is_known() -> None:
    log = Log()
    saw(log, 2, None, 0)
    assert judged(log).reason == "nothing was changed"
    log = Log()
    put(log, 1, 7, 1)
    assert judged(log).reason == "nothing was seen"


def test_two_values_of_one_version_disagree() -> None:
    log = Log()
    first = put(log, 1, 7, 1)
    put(log, 1, 8, 2)
    second = saw(log, 2, 8, 1)
    saw(log, 2, 8, 2)
    verdict = judged(log)
    assert names(verdict) == ["views-disagree"]
    assert verdict.anomalies[0].ops == (first, second)


def test_one_version_is_made_once() -> None:
    log = Log()
    first, second = put(log, 1, 7, 1), put(log, 2, 8, 1)
    saw(log, 3, 7, 1)
    assert names(judged(log)) == ["duplicate-version", "views-disagree"]
    assert judged(log).anomalies[0].ops == (first, second)


def test_what_was_refused_or_never_set_is_not_seen() -> None:
    log = Log()
    put(log, 1, 7, 1)
    refused = log.done(3, "set", 8, type_="fail", error="bad-version")
    ghost, phantom = saw(log, 2, 8, 2), saw(log, 2, 99, 3)
    verdict = judged(log)
    assert names(verdict) == ["G1a", "phantom-view"]
    assert [anomaly.ops for anomaly in verdict.anomalies] == [(refused, ghost), (phantom,)]


def test_a_last_view_that_is_older_than_an_acknowledged_change_lost_it() -> None:
    log = Log()
    put(log, 1, 7, 1)
    changed = put(log, 1, 8, 2)
    last = saw(log, 2, 7, 1)
    verdict = judged(log)
    assert names(verdict) == ["lost-update"]
    assert verdict.anomalies[0].ops == (changed, last)
    assert judged(log, final_index=last + 1).valid is True
