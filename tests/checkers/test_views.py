"""Views: never back within a session, the same for all in the end."""

from __future__ import annotations

from typing import Any

from checkers.verdict import Verdict
from checkers.views import views
from tests.checkers.log import Log, names


def judged(log: Log, *, final_index: int | None = None) -> Verdict:
    return views()(log.history(), {} if final_index is None else {"final_index": final_index})


def saw(log: Log, process: int, zxid: int, view: Any, *, session: str | None = None) -> int:
    return log.done(process, "view", session=session or f"0x{process}", zxid=zxid, view=view)


def test_views_that_grow_and_agree_in_the_end_are_valid() -> None:
    log = Log()
    saw(log, 1, 5, "a")
    final_index = saw(log, 2, 4, "b") + 1
    saw(log, 1, 7, "c")
    saw(log, 2, 8, "c")
    verdict = judged(log, final_index=final_index)
    assert verdict.valid is True
    assert verdict.counts == {"view-count": 4, "different-count": 3, "final-count": 2}


def test_a_single_view_at_the_end_cannot_differ() -> None:
    log = Log()
    saw(log, 1, 5, "a")
    assert judged(log, final_index=0).valid == "unknown"
    saw(log, 2, 5, "a")
    assert judged(log).valid == "unknown"
    assert judged(log, final_index=0).valid is True


def test_a_view_that_went_back_in_its_session_is_named_and_in_another_is_not() -> None:
    log = Log()
    first = saw(log, 1, 5, "a")
    second = saw(log, 1, 4, "a")
    verdict = judged(log)
    assert names(verdict) == ["view-went-back"]
    assert verdict.anomalies[0].ops == (first, second)
    log = Log()
    saw(log, 1, 5, "a")
    saw(log, 1, 4, "a", session="0x9")
    saw(log, 2, 4, "a")
    assert judged(log, final_index=0).valid is True


def test_views_that_differ_in_the_end_are_named_and_before_it_are_not() -> None:
    log = Log()
    saw(log, 1, 5, "a")
    final_index = saw(log, 2, 5, "b") + 1
    first, second = saw(log, 1, 6, "c"), saw(log, 2, 6, "d")
    verdict = judged(log, final_index=final_index)
    assert names(verdict) == ["views-differ"]
    assert verdict.anomalies[0].ops == (first, second)
