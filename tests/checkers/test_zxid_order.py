"""Registers against the order of zxids: what holds, and each way in which it can fail."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.verdict import Verdict
from checkers.zxid_order import zxid_order
from tests.checkers.log import Log, names


def judged(log: Log) -> Verdict:
    return zxid_order()(log.history(), {})


def write(log: Log, process: int, value: int, zxid: int, version: int, **more: Any) -> int:
    key = more.pop("key", "a")
    f = "cas" if "expected" in more else "write"
    return log.done(
        process, f, value, key=key, value=value, zxid=zxid, mzxid=zxid, version=version, **more
    )


def read(log: Log, value: Any, mzxid: int, version: int, *, zxid: int, **more: Any) -> int:
    f, process, key = more.get("f", "read"), more.get("process", 9), more.get("key", "a")
    return log.done(process, f, key=key, value=value, mzxid=mzxid, version=version, zxid=zxid)


def test_reads_of_the_state_that_they_name_are_valid() -> None:
    log = Log()
    read(log, None, 3, 0, zxid=5)
    write(log, 1, 10, 6, 1)
    write(log, 1, 11, 7, 2, expected=1)
    read(log, 10, 6, 1, zxid=6)
    read(log, 11, 7, 2, zxid=9, f="sync-read")
    assert judged(log).valid is True


def test_nothing_written_or_nothing_read_is_unknown() -> None:
    log = Log()
    assert judged(log).valid == "unknown"
    write(log, 1, 10, 6, 1)
    verdict = judged(log)
    assert verdict.valid == "unknown"
    assert verdict.reason == "no read succeeded, so there is no order to test"


def test_an_answer_that_lacks_a_change_of_its_own_state_is_stale() -> None:
    log = Log()
    first = write(log, 1, 10, 6, 1)
    second = write(log, 1, 11, 7, 2)
    last = read(log, 10, 6, 1, zxid=8)
    verdict = judged(log)
    assert names(verdict) == ["stale-state"]
    assert verdict.anomalies[0].ops == (second, last)
    assert first not in verdict.anomalies[0].ops


def test_a_late_read_is_valid_but_not_after_a_sync() -> None:
    for f, expected in (("read", []), ("sync-read", ["stale-read"])):
        log = Log()
        write(log, 1, 10, 6, 1)
        write(log, 1, 11, 7, 2)
        read(log, 10, 6, 1, zxid=6, f=f)
        assert names(judged(log)) == expected


def test_a_synced_read_may_not_be_behind_an_earlier_read_of_another() -> None:
    log = Log()
    log.call(1, "write", 10, key="a")
    read(log, 10, 6, 1, zxid=6)
    read(log, None, 3, 0, zxid=5, f="sync-read", process=8)
    log.ret(1, value=10, zxid=6, mzxid=6, version=1)
    assert names(judged(log)) == ["stale-read"]


def test_writes_against_real_time_are_not_linearizable() -> None:
    log = Log()
    after = write(log, 1, 10, 7, 2)
    before = write(log, 2, 11, 6, 1)
    read(log, 10, 7, 2, zxid=7)
    verdict = judged(log)
    assert names(verdict) == ["nonlinearizable-write"]
    assert verdict.anomalies[0].ops == (after, before)


def test_a_read_of_what_is_written_later_is_from_the_future() -> None:
    log = Log()
    write(log, 1, 9, 5, 1)
    read(log, 9, 5, 1, zxid=8)
    write(log, 1, 10, 7, 2, key="b")
    assert names(judged(log)) == ["future-read"]


def test_a_crashed_write_may_be_seen_or_not() -> None:
    log = Log()
    log.done(1, "write", 10, key="a", type_="info", error="lost")
    write(log, 2, 11, 8, 2)
    read(log, 10, 7, 1, zxid=7)
    assert judged(log).valid is True


def test_a_refused_write_that_is_seen_is_an_aborted_read() -> None:
    log = Log()
    write(log, 2, 11, 6, 1)
    log.done(1, "cas", 10, key="a", type_="fail", error="bad-version")
    read(log, 10, 7, 2, zxid=7)
    assert names(judged(log)) == ["G1a"]


def test_a_value_that_nobody_wrote_is_a_phantom() -> None:
    log = Log()
    write(log, 2, 11, 6, 1)
    read(log, 99, 7, 2, zxid=7)
    assert names(judged(log)) == ["phantom-read"]


def test_a_value_with_another_zxid_than_its_writer_was_told_is_misplaced() -> None:
    log = Log()
    write(log, 2, 11, 6, 1)
    read(log, 11, 8, 2, zxid=8)
    assert "misplaced-write" in names(judged(log))


def test_a_cas_that_ignores_the_version_loses_an_update() -> None:
    log = Log()
    write(log, 2, 11, 6, 1)
    write(log, 1, 12, 7, 2, expected=0)
    read(log, 12, 7, 2, zxid=7)
    assert names(judged(log)) == ["lost-update"]


def test_two_changes_of_one_zxid_or_version_contradict() -> None:
    log = Log()
    write(log, 2, 11, 6, 1)
    write(log, 1, 12, 6, 1, key="b")
    read(log, 11, 6, 1, zxid=6)
    assert "duplicate-zxid" in names(judged(log))
    log = Log()
    write(log, 2, 11, 6, 1)
    write(log, 1, 12, 7, 1)
    read(log, 12, 7, 1, zxid=7)
    assert "duplicate-version" in names(judged(log))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ws"), st.sampled_from("ab")), min_size=2, max_size=12))
def test_an_atomic_object_is_always_valid_and_one_synced_step_back_never(
    steps: list[tuple[str, str]],
) -> None:
    log, held, version, zxid, number = Log(), {"a": None, "b": None}, {"a": 0, "b": 0}, 10, 0
    made = {"a": 1, "b": 2}
    for step, key in [("w", "a"), *steps, ("s", "a")]:
        if step == "w":
            number, zxid = number + 1, zxid + 1
            held[key], version[key], made[key] = number, version[key] + 1, zxid
            write(log, number % 3, number, zxid, version[key], key=key)
        else:
            read(log, held[key], made[key], version[key], zxid=zxid, f="sync-read", key=key)
    assert judged(log).valid is True
    read(log, None, made["b"] if held["b"] is None else 2, 0, zxid=10, f="sync-read", key="b")
    assert judged(log).valid is False
