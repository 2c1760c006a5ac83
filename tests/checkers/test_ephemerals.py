"""Ephemerals: as long as their session, and not longer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checkers.ephemerals import ephemerals
from checkers.verdict import Verdict
from tests.checkers.log import Log, names


def judged(
    log: Log, *, final_index: int | None = None, session_timeout_s: float | None = None
) -> Verdict:
    options = {"final_index": final_index, "session_timeout_s": session_timeout_s}
    return ephemerals()(log.history(), {name: n for name, n in options.items() if n is not None})


def made(log: Log, process: int, name: str, zxid: int, *, session: str | None = None) -> int:
    return log.done(
        process, "create", session=session or f"0x{process}", name=name, czxid=zxid, zxid=zxid
    )


def look(log: Log, process: int, zxid: int, *there: str) -> int:
    return log.done(process, "look", session=f"0x{process}", zxid=zxid, names=list(there))


def ended(log: Log, process: int, *, closed: bool = True) -> int:
    if closed:
        return log.done(process, "close", session=f"0x{process}", confirmed=True)
    return log.done(process, "crash", session=f"0x{process}")


def test_there_while_the_session_lives_and_gone_after_its_end_is_valid() -> None:
    log = Log()
    made(log, 1, "e1", 10)
    look(log, 2, 11, "e1")
    ended(log, 1)
    look(log, 2, 13)
    verdict = judged(log)
    assert verdict.valid is True
    assert verdict.counts["closed-count"] == 1


def test_nothing_made_seen_or_ended_tests_nothing() -> None:
    log = Log()
    assert judged(log).reason == "no ephemeral was made"
    made(log, 1, "e1", 10)
    assert judged(log).reason == "no look succeeded"
    look(log, 2, 11, "e1")
    assert judged(log).reason == "no session ended"


def test_gone_in_a_state_in_which_the_session_was_still_answered_is_too_early() -> None:
    log = Log()
    znode = made(log, 1, "e1", 10)
    empty = look(log, 2, 12)
    alive = look(log, 1, 13)
    ended(log, 2)
    verdict = judged(log)
    assert names(verdict)[0] == "ephemeral-gone-early"
    assert verdict.anomalies[0].ops == (znode, empty, alive)


def test_gone_after_the_last_answer_may_be_an_expiry() -> None:
    log = Log()
    made(log, 1, "e1", 10)
    look(log, 2, 12)
    ended(log, 1, closed=False)
    assert judged(log).valid is True


def test_there_after_a_confirmed_end_outlived_it_and_after_a_crash_not_yet() -> None:
    for closed, expected in ((True, ["ephemeral-outlived"]), (False, [])):
        log = Log()
        made(log, 1, "e1", 10)
        ended(log, 1, closed=closed)
        look(log, 2, 13, "e1")
        assert names(judged(log)) == expected


def test_a_look_that_was_called_before_the_end_was_confirmed_may_show_it() -> None:
    log = Log()
    made(log, 1, "e1", 10)
    log.call(2, "look")
    ended(log, 1)
    log.ret(2, session="0x2", zxid=11, names=["e1"])
    assert judged(log).valid is True


def test_what_is_there_in_the_end_of_a_session_that_died_before_outlived_it() -> None:
    log = Log()
    made(log, 1, "e1", 10)
    ended(log, 1, closed=False)
    final_index = look(log, 2, 12, "e1") + 1
    assert judged(log, final_index=final_index).valid is True
    look(log, 2, 13, "e1")
    assert names(judged(log, final_index=final_index)) == ["ephemeral-outlived"]


def test_ephemerals_of_one_session_go_together() -> None:
    log = Log()
    gone, there = made(log, 1, "e1", 10), made(log, 1, "e2", 11)
    seen = look(log, 2, 12, "e2")
    ended(log, 2)
    verdict = judged(log)
    assert names(verdict) == ["session-half-gone"]
    assert verdict.anomalies[0].ops == (gone, there, seen)


def test_what_is_gone_does_not_come_back() -> None:
    log = Log()
    made(log, 1, "e1", 10)
    look(log, 2, 12)
    look(log, 2, 13, "e1")
    ended(log, 2)
    assert "ephemeral-came-back" in names(judged(log))


LONG_S, SHORT_S = 1.0, 0.004
"""Events are a millisecond apart, and three quarters of a timeout are promised."""


def test_gone_within_the_timeout_of_a_session_that_nobody_ended_is_too_early() -> None:
    log = Log()
    made(log, 3, "e0", 9)
    ended(log, 3)
    znode = made(log, 1, "e1", 10)
    empty = look(log, 2, 12)
    assert judged(log).valid is True
    assert judged(log, session_timeout_s=SHORT_S).valid is True
    verdict = judged(log, session_timeout_s=LONG_S)
    assert names(verdict) == ["ephemeral-gone-early"]
    assert verdict.anomalies[0].ops == (znode, empty)
    assert "less than the session timeout of 1 s" in verdict.anomalies[0].message


def test_the_timeout_counts_from_the_last_request_that_the_leader_dealt_with() -> None:
    log = Log()
    made(log, 1, "e1", 10)
    for zxid in (11, 12, 13):
        look(log, 1, zxid, "e1")
    alive = log.call(1, "look")
    log.ret(1, session="0x1", zxid=14, names=["e1"])
    look(log, 2, 15)
    ended(log, 2)
    assert judged(log, session_timeout_s=SHORT_S).valid is True
    verdict = judged(log, session_timeout_s=2 * SHORT_S)
    assert names(verdict) == ["ephemeral-gone-early"]
    assert alive + 1 in verdict.anomalies[0].ops


def test_a_session_that_its_client_ended_may_be_gone_at_once() -> None:
    for end in ("close", "create-close"):
        log = Log()
        made(log, 1, "e1", 10)
        log.call(1, end)
        look(log, 2, 12)
        more = {"name": "e2", "czxid": 11, "zxid": 11} if end == "create-close" else {}
        log.ret(1, session="0x1", confirmed=True, **more)
        assert judged(log, session_timeout_s=LONG_S).valid is True


def test_a_crash_ends_no_session_before_its_timeout() -> None:
    log = Log()
    made(log, 1, "e1", 10)
    ended(log, 1, closed=False)
    look(log, 2, 12)
    assert names(judged(log, session_timeout_s=LONG_S)) == ["ephemeral-gone-early"]


def test_a_process_that_gave_up_and_the_end_of_the_main_phase_end_sessions() -> None:
    log = Log()
    made(log, 1, "e1", 10)
    log.done(1, "create", type_="info", error="no answer")
    look(log, 2, 12)
    ended(log, 2)
    assert judged(log, session_timeout_s=LONG_S).valid is True
    log = Log()
    made(log, 1, "e1", 10)
    ended(log, 2)
    final_index = look(log, 3, 12) - 1
    assert judged(log, session_timeout_s=LONG_S, final_index=final_index).valid is True


def test_what_is_made_and_closed_in_one_go_outlives_its_session_if_it_is_there_afterwards() -> None:
    log = Log()
    log.done(1, "create-close", session="0x1", name="e1", czxid=10, zxid=10, confirmed=True)
    look(log, 2, 12)
    assert judged(log).valid is True
    look(log, 2, 13, "e1")
    assert "ephemeral-outlived" in names(judged(log))


STEPS = st.lists(st.tuples(st.sampled_from(["create", "look", "end"]), st.integers(1, 3)), max_size=25)


def played(steps: list[tuple[str, int]]) -> tuple[Log, list[tuple[int, int, set[str]]]]:
    """What a right server answers; its looks as (process, zxid, names)."""
    log, zxid = Log(), 10
    there: dict[str, str] = {}
    session = {process: f"0x{process}" for process in (1, 2, 3)}
    looks: list[tuple[int, int, set[str]]] = []
    for step, process in steps:
        zxid += 1
        mine = session[process]
        if step == "create":
            there[f"e{zxid}"] = mine
            log.done(process, "create", session=mine, name=f"e{zxid}", czxid=zxid, zxid=zxid)
        elif step == "look":
            looks.append((process, zxid, set(there)))
            log.done(process, "look", session=mine, zxid=zxid, names=sorted(there))
        else:
            there = {name: owner for name, owner in there.items() if owner != mine}
            log.done(process, "close", session=mine, confirmed=True)
            session[process] = f"0x{process}{zxid}"
    return log, looks


@given(STEPS)
def test_a_right_server_is_never_accused(steps: list[tuple[str, int]]) -> None:
    assert judged(played(steps)[0]).valid in (True, "unknown")


@given(STEPS, st.data())
def test_a_look_that_loses_or_keeps_one_is_found_by_whoever_looks_next(
    steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    """A fourth client is wrong about a state in which both live sessions were answered."""
    log, looks = played([*steps, ("create", 1), ("create", 2), ("end", 3), ("look", 1), ("look", 2)])
    _, zxid, there = looks[-2]
    dead = {name for _, _, names_ in looks for name in names_} - there
    wrong = set(there)
    if dead and data.draw(st.booleans()):
        wrong.add(data.draw(st.sampled_from(sorted(dead))))
    else:
        wrong.remove(data.draw(st.sampled_from(sorted(there))))
    log.done(4, "look", session="0x4", zxid=zxid, names=sorted(wrong))
    assert judged(log).valid is False
