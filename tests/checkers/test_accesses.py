"""Accesses: what a history says that clients did to znodes, one by one."""

from __future__ import annotations

from typing import Any

from checkers.accesses import answered, hexed, refused, unanswered
from tests.checkers.log import Log

SEEN: dict[str, Any] = {"session": "0x1", "zxid": 9, "mzxid": 7, "version": 3, "value": 5}


def test_an_answer_with_a_zxid_is_an_access_with_all_that_it_told() -> None:
    log = Log()
    index = log.done(1, "read", key="a", node="n2", **SEEN)
    log.done(1, "move", node="n2", session="0x1")
    (access,) = answered(log.history().operations())
    assert (access.key, access.value, access.version, access.mzxid, access.zxid) == ("a", 5, 3, 7, 9)
    assert (access.session, access.node, access.index, access.changes) == ("0x1", "n2", index, False)
    assert str(access) == f"read of a (op {index})"


def test_a_pipeline_is_several_in_the_order_sent_and_of_its_session() -> None:
    log = Log()
    results = [{"f": "write", "key": "b", **SEEN}, {"f": "read", "key": "a", **SEEN}]
    for each in results:
        del each["session"]
    log.done(1, "pipeline", [], session="0x7", results=results)
    accesses = answered(log.history().operations())
    assert [(one.f, one.key, one.session) for one in accesses] == [
        ("write", "b", "0x7"),
        ("read", "a", "0x7"),
    ]


def test_changes_without_an_answer_may_have_happened_those_that_failed_did_not() -> None:
    log = Log()
    steps = [{"f": "write", "key": "b", "value": 8}, {"f": "read", "key": "b"}]
    for process, type_ in ((1, "info"), (2, "fail")):
        log.call(process, "write", 5, key="a")
        log.ret(process, type_, error="x")
        log.call(process + 2, "pipeline", steps)
        log.ret(process + 2, type_, error="x")
        log.call(process + 4, "read", key="a")
        log.ret(process + 4, type_, error="x")
    log.call(9, "cas", 6, key="c")
    operations = log.history().operations()
    assert answered(operations) == []
    assert [(one.f, one.key, one.value) for one in unanswered(operations)] == [
        ("write", "a", 5),
        ("write", "b", 8),
        ("cas", "c", 6),
    ]
    assert [(one.key, one.value) for one in refused(operations)] == [("a", 5), ("b", 8)]


def test_a_change_whose_answer_never_came_has_no_zxid_and_no_end() -> None:
    log = Log()
    call = log.call(1, "write", 5, key="a")
    (access,) = unanswered(log.history().operations())
    assert (access.zxid, access.mzxid, access.index) == (-1, -1, call)
    assert access.ret > access.call


def test_a_zxid_is_shown_as_its_users_know_it() -> None:
    assert hexed((3 << 32) + 10) == "0x30000000a"
