"""Every anomaly of ``jepsen.tests.kafka``: a small history that has it, and one that nearly does."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.queue.promises import Promises
from tests.checkers.queue.script import P, Script, allowed, judged, names, part

AT_MOST_ONCE = Promises(idempotent=False, ordered=False)
LEADER_ONLY = Promises(acks=1)


def good() -> Script:
    """Three messages, polled in two goes."""
    return Script().send(10, 0).send(11, 1).poll([0, 10]).poll([1, 11])


def sends(*steps: list[Any], type_: str = "ok", process: int = 0, f: str = "send") -> Script:
    return Script().done(process, f, list(steps), type_)


def txn(script: Script, process: int, *steps: list[Any], type_: str = "ok") -> Script:
    return script.done(process, "txn", list(steps), type_)


BAD = {
    "G1a": good().done(2, "send", [["send", P, 12]], "fail").poll([2, 12]),
    "lost-write": good().send(12, 2).send(13, 3).poll([3, 13], process=3),
    "unseen": good().send(12, 2),
    "inconsistent-offsets": good().poll([1, 99], process=3),
    "duplicate": good().poll([2, 11], process=3),
    "poll-skip": good().send(12, 2).send(13, 3).poll([3, 13]).poll([2, 12], process=3),
    "nonmonotonic-poll": good().poll([1, 11]),
    "int-poll-skip": good().send(12, 2).poll([0, 10], [2, 12], process=3),
    "int-nonmonotonic-poll": good().poll([1, 11], [0, 10], process=3),
    "nonmonotonic-send": good().send(12, 5).send(13, 4).poll([4, 13], [5, 12], process=3),
    "int-nonmonotonic-send": sends(["send", P, [5, 12]], ["send", P, [4, 13]]).poll([4, 13], [5, 12]),
    "precommitted-read": txn(good(), 3, ["send", P, [2, 12]], ["poll", {P: [[2, 12]]}]),
}

NEARLY = {
    "G1a, but nobody polled it": good().done(2, "send", [["send", P, 12]], "fail"),
    "G1a, but it may have happened": good().done(2, "send", [["send", P, 12]], "info").poll([2, 12]),
    "G1a, but it was sent again": good()
    .done(2, "send", [["send", P, 12]], "fail")
    .send(12, 2)
    .poll([2, 12]),
    "lost-write, but another consumer polled it": good()
    .send(12, 2)
    .send(13, 3)
    .poll([3, 13], process=3)
    .poll([2, 12], process=4),
    "lost-write, but nobody knows if it was written": good()
    .done(2, "send", [["send", P, 12]], "info")
    .send(13, 3)
    .poll([3, 13]),
    "unseen, but it may not have happened": good().done(2, "send", [["send", P, 12]], "info"),
    "inconsistent-offsets, but in two partitions": good().poll([1, 99], key="q", process=3),
    "duplicate, but of two partitions": good().poll([7, 11], key="q", process=3),
    "poll-skip, but of offsets that hold nothing": good().send(12, 9).poll([9, 12]),
    "poll-skip, but the position was set": good()
    .send(12, 2)
    .send(13, 3)
    .done(1, "assign", [["position", {P: 3}]])
    .poll([3, 13])
    .poll([2, 12], [3, 13], process=3),
    "poll-skip, but it was assigned something else between": good()
    .send(12, 2)
    .send(13, 3)
    .done(1, "assign", ["q"])
    .poll([3, 13])
    .poll([2, 12], process=3),
    "nonmonotonic-poll, but by a new process": good().poll([1, 11], process=11),
    "nonmonotonic-poll, but the poll before failed": good()
    .send(12, 2)
    .poll([2, 12], type_="fail")
    .poll([2, 12]),
    "nonmonotonic-poll, but it sought the beginning": good()
    .done(1, "assign", [["position", {P: 0}]])
    .poll([0, 10], [1, 11]),
    "nonmonotonic-poll, but it subscribes and was moved unseen": good()
    .done(1, "subscribe", [P])
    .poll([0, 10]),
    "int-nonmonotonic-poll, but of two partitions": good()
    .send(30, 0, "q")
    .done(3, "poll", [["poll", {P: [[1, 11]], "q": [[0, 30]]}]]),
    "nonmonotonic-send, but by two processes at a time": good()
    .call(0, "send")
    .call(5, "send")
    .ret(0, [["send", P, [5, 12]]])
    .ret(5, [["send", P, [4, 13]]])
    .poll([4, 13], [5, 12], process=3),
    "precommitted-read, but somebody else's": txn(good(), 3, ["poll", {P: [[1, 11]]}]),
}


def test_a_log_that_is_read_in_order_is_valid() -> None:
    verdict = judged(good())
    assert verdict.valid is True
    assert part(verdict, "log").counts["acknowledged-count"] == 2


@pytest.mark.parametrize("name", BAD)
def test_each_anomaly_is_found_under_its_name_with_its_witness(name: str) -> None:
    verdict = judged(BAD[name])
    assert names(verdict) == ([name, "send-inversion"] if name == "nonmonotonic-send" else [name])
    assert verdict.valid is False
    [anomaly, *_] = verdict.anomalies
    assert 1 <= len(anomaly.ops) <= 2
    assert all(f"(op {op})" in anomaly.message for op in anomaly.ops)


@pytest.mark.parametrize("name", NEARLY)
def test_what_only_looks_like_an_anomaly_is_valid(name: str) -> None:
    verdict = judged(NEARLY[name])
    assert (names(verdict), verdict.valid) == ([], True)


def test_messages_of_others_between_two_of_a_transaction_are_counted_only() -> None:
    script = good().call(5, "txn").send(12, 3).ret(5, [["send", P, [2, 20]], ["send", P, [4, 21]]])
    script.poll([2, 20], [3, 12], [4, 21], process=3)
    assert judged(script).valid is True
    assert allowed(judged(script)) == ["G0", "int-send-skip"]


def test_sends_that_overtake_each_other_in_two_partitions_are_counted_only() -> None:
    script = good().call(0, "send").call(1, "send")
    script.ret(0, [["send", P, [2, 1]], ["send", "q", [1, 2]]])
    script.ret(1, [["send", P, [3, 3]], ["send", "q", [0, 4]]])
    script.poll([2, 1], [3, 3], process=5).poll([0, 4], [1, 2], key="q", process=6)
    verdict = judged(script)
    assert (verdict.valid, allowed(verdict)) == (True, ["G0"])


def test_transactions_that_poll_from_each_other_are_counted_only() -> None:
    script = Script().call(0, "txn").call(1, "txn")
    script.ret(0, [["send", P, [0, 1]], ["poll", {"q": [[0, 2]]}]])
    script.ret(1, [["send", "q", [0, 2]], ["poll", {P: [[0, 1]]}]])
    verdict = judged(script)
    assert (names(verdict), allowed(verdict)) == ([], ["G1c"])


def test_a_producer_that_does_not_number_its_messages_may_write_one_twice() -> None:
    verdict = judged(BAD["duplicate"], promises=AT_MOST_ONCE)
    assert (verdict.valid, allowed(verdict)) == (True, ["duplicate"])


def test_retries_of_such_a_producer_may_overtake_each_other_unless_it_sends_one_at_a_time() -> None:
    assert judged(BAD["int-nonmonotonic-send"], promises=AT_MOST_ONCE).valid is True
    ordered = Promises(idempotent=False, ordered=True)
    assert judged(BAD["int-nonmonotonic-send"], promises=ordered).valid is False


@pytest.mark.parametrize("name", ["lost-write", "unseen"])
def test_what_only_the_leader_acknowledged_may_be_lost(name: str) -> None:
    verdict = judged(BAD[name], promises=LEADER_ONLY)
    assert (verdict.valid, allowed(verdict)) == (True, [name] if name == "unseen" else ["unseen"])


def test_with_acks_of_the_leader_only_two_polls_must_still_agree() -> None:
    lost = good().send(12, 2).poll([2, 13])
    assert judged(lost, promises=LEADER_ONLY).valid is True
    assert "inconsistent-offsets" in names(judged(lost))
    assert names(judged(BAD["inconsistent-offsets"], promises=LEADER_ONLY)) == ["inconsistent-offsets"]


def test_a_run_that_was_stopped_before_its_end_cannot_tell_lost_from_late() -> None:
    stopped = judged(BAD["unseen"], start_wall_ns=0)
    assert stopped.valid == "unknown"
    assert "stopped" in (stopped.reason or "")
    assert judged(BAD["unseen"], start_wall_ns=0, final_index=8).valid is False


def test_a_transaction_that_was_seen_in_part_must_be_seen_as_a_whole() -> None:
    script = good()
    txn(script, 5, ["send", P, 12], ["send", "q", 20], type_="info")
    script.send(21, 1, "q").poll([2, 12], process=3).poll([0, 20], [1, 21], key="q", process=3)
    assert judged(script).valid is True
    script = good()
    txn(script, 5, ["send", P, [2, 12]], ["send", "q", [0, 20]], type_="info")
    script.send(21, 1, "q").poll([2, 12], process=3).poll([1, 21], key="q", process=3)
    assert names(judged(script)) == ["lost-write"]


def test_a_history_without_messages_tests_nothing() -> None:
    verdict = judged(Script().done(1, "assign", [P]))
    assert verdict.valid == "unknown"


def test_offsets_with_gaps_as_large_as_they_get_cost_nothing() -> None:
    script = Script().send(1, 0).send(2, 2**61).poll([0, 1], [2**61, 2])
    assert judged(script).valid is True


def test_a_partition_that_was_only_polled_in_vain_is_no_trouble() -> None:
    assert judged(good().poll(key="q", process=3)).valid is True


def test_values_may_be_text_and_partitions_numbers() -> None:
    script = Script().send("a", 0, 7).send("b", 1, 7)
    script.done(1, "poll", [["poll", {"7": [[0, "a"], [1, "b"]]}]])
    assert judged(script).valid is True
    script.done(2, "poll", [["poll", {"7": [[0, "b"]]}]])
    assert names(judged(script)) == ["duplicate", "inconsistent-offsets"]


def test_steps_that_are_none_give_no_verdict_and_the_reason() -> None:
    verdict = judged(Script().done(0, "send", [["send"]]))
    assert verdict.valid == "unknown"
    assert "op 0 has steps that are none" in (verdict.reason or "")
