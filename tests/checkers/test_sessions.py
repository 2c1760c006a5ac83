"""One session: zxids that never go back, changes in the order sent, one's own writes."""

from __future__ import annotations

from typing import Any

from checkers.sessions import sessions
from checkers.verdict import Verdict
from tests.checkers.log import Log, names


def judged(log: Log) -> Verdict:
    return sessions()(log.history(), {})


def seen(zxid: int, mzxid: int = 1, **more: Any) -> dict[str, Any]:
    return {"session": "0x1", "zxid": zxid, "mzxid": mzxid, "version": mzxid, **more}


def test_growing_zxids_across_servers_are_valid_and_moves_are_counted() -> None:
    log = Log()
    log.done(1, "read", key="a", node="n1", **seen(5))
    log.done(1, "read", key="a", node="n2", **seen(5))
    log.done(1, "write", 7, key="a", node="n3", **seen(8, 8))
    verdict = judged(log)
    assert verdict.valid is True
    assert verdict.counts["move-count"] == 2


def test_a_session_that_is_answered_once_tests_nothing() -> None:
    log = Log()
    log.done(1, "read", key="a", **seen(5))
    log.done(2, "read", key="a", **{**seen(4), "session": "0x2"})
    assert judged(log).valid == "unknown"


def test_an_older_state_on_another_server_is_going_back() -> None:
    log = Log()
    first = log.done(1, "read", key="a", node="n1", **seen(5))
    second = log.done(1, "read", key="b", node="n2", **seen(4))
    verdict = judged(log)
    assert names(verdict) == ["zxid-went-back"]
    assert verdict.anomalies[0].ops == (first, second)
    assert "first on n1, then on n2" in verdict.anomalies[0].message


def test_other_sessions_may_be_behind() -> None:
    log = Log()
    log.done(1, "read", key="a", **seen(5))
    log.done(1, "read", key="a", **seen(6))
    log.done(1, "read", key="a", **{**seen(4), "session": "0x2"})
    assert judged(log).valid is True


def test_a_missed_write_of_ones_own_is_told_from_an_older_read() -> None:
    for f, name in (("write", "own-write-missed"), ("read", "nonmonotonic-read")):
        log = Log()
        log.done(1, f, 7, key="a", **seen(8, 8))
        log.done(1, "read", key="a", **seen(9, 5))
        assert names(judged(log)) == [name]


def test_a_pipeline_is_in_the_order_sent() -> None:
    def result(f: str, mzxid: int, zxid: int) -> dict[str, Any]:
        return {"f": f, "key": "a", "mzxid": mzxid, "zxid": zxid, "version": mzxid}

    log = Log()
    results = [result("write", 5, 5), result("read", 5, 6), result("write", 7, 7)]
    log.done(1, "pipeline", [], session="0x1", results=results)
    assert judged(log).valid is True
    log.done(2, "pipeline", [], session="0x2", results=[result("write", 9, 9), result("write", 8, 9)])
    assert "fifo-violation" in names(judged(log))


def test_a_session_that_never_moved_does_not_test_moves() -> None:
    log = Log()
    log.done(1, "read", key="a", node="n1", **seen(5))
    log.done(1, "read", key="a", node="n1", **seen(6))
    assert judged(log).valid is True
    verdict = sessions(moved=True)(log.history(), {})
    assert (verdict.valid, verdict.reason) == (
        "unknown",
        "no session was answered by two servers, so nothing can be out of order",
    )


def hop(
    log: Log, later_mzxid: int, seen_: dict[str, Any] | None = None, *, told: int | None = None
) -> int:
    """Two writes, the first unanswered unless it was ``told`` its zxid, and a read behind them."""
    first = {"f": "write", "key": "a", "value": 1}
    if told is not None:
        first |= {"zxid": told, "mzxid": told, "version": told}
    second = {"f": "write", "key": "a", "value": 2, "zxid": later_mzxid, "mzxid": later_mzxid}
    results = [first, second, *([] if seen_ is None else [{"f": "read", "key": "a", **seen_}])]
    return log.done(1, "hop", [], session="0x1", results=results)


def test_a_write_that_was_not_answered_and_comes_after_a_later_one_is_a_stray() -> None:
    log = Log()
    stray = hop(log, 8, {"value": 1, "mzxid": 9, "zxid": 9})
    verdict = judged(log)
    assert names(verdict) == ["fifo-violation"]
    assert verdict.anomalies[0].ops == (stray,)
    assert "came after it, as 0x9" in verdict.anomalies[0].message


def test_it_is_a_stray_whoever_saw_it() -> None:
    log = Log()
    stray = hop(log, 8)
    witness = log.done(2, "read", key="a", **seen(9, 9, value=1), node="n2")
    assert names(judged(log)) == ["fifo-violation"]
    assert judged(log).anomalies[0].ops == (stray, witness)


def test_a_write_that_was_not_answered_may_have_come_before_the_later_one_or_never() -> None:
    log = Log()
    log.done(2, "read", key="a", **{**seen(7, 7, value=1), "session": "0x2"})
    hop(log, 8, {"value": 2, "mzxid": 8, "zxid": 8})
    assert judged(log).valid is True
    log = Log()
    hop(log, 8, {"value": 2, "mzxid": 8, "zxid": 8})
    assert judged(log).valid is True


def test_other_sessions_writes_are_no_strays() -> None:
    log = Log()
    hop(log, 8)
    log.done(2, "write", 3, key="a", **{**seen(9, 9, value=3), "session": "0x2"})
    log.done(2, "read", key="a", **{**seen(9, 9, value=3), "session": "0x2"})
    assert judged(log).valid is True


def test_an_answered_write_is_judged_by_its_answer() -> None:
    log = Log()
    hop(log, 8, told=7)
    assert judged(log).valid is True
    hop(log, 8, told=9)
    assert "fifo-violation" in names(judged(log))


def other(log: Log, f: str, mzxid: int, value: int, argument: int | None = None) -> int:
    """Another session's access to the same znode."""
    return log.done(2, f, argument, key="a", **{**seen(mzxid, mzxid, value=value), "session": "0x2"})


def test_what_its_session_did_before_it_or_read_and_what_others_did_is_not_later() -> None:
    log = Log()
    log.done(1, "write", 7, key="a", **seen(5, 5, value=7))
    hop(log, 10)
    log.done(1, "read", key="b", **seen(11, 3))
    other(log, "write", 8, 3, 3)
    other(log, "read", 9, 1)
    assert judged(log).valid is True


def test_a_write_of_the_same_value_that_was_answered_is_no_witness_against_itself() -> None:
    log = Log()
    first = {"f": "write", "key": "a", "value": 1}
    log.done(1, "hop", [], session="0x1", results=[first, {**first, "zxid": 8, "mzxid": 8}])
    log.done(1, "read", key="a", **seen(9, 8, value=1))
    assert judged(log).valid is True


def test_a_read_that_does_not_say_when_its_value_was_written_hides_no_witness() -> None:
    log = Log()
    hop(log, 8)
    log.done(1, "read", key="a", **seen(9, 9, value=1))
    log.done(3, "read", key="a", session="0x3", zxid=10, value=1)
    assert names(judged(log)) == ["fifo-violation"]
