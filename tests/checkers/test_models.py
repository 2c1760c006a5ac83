"""What a failure says, what a pending operation may do, and how operations are worded."""

import pytest

from checkers.model import ILLEGAL, UNKNOWN, UNSEEN, Action, Call
from checkers.models import CAS_REGISTER, FIFO_QUEUE, KV, MODELS, OWNER_MUTEX
from history.history import FAIL, INFO, OK


def call(f, *, argument=None, value=None, outcome=OK, error=None):
    return Call(f, 7, argument, value, outcome, error)


@pytest.mark.parametrize("error", ["mismatch", ":mismatch", ["mismatch", 3]])
def test_a_cas_that_failed_on_a_mismatch_observed_another_value(error):
    action = CAS_REGISTER.interpret(call("cas", argument=[1, 2], outcome=FAIL, error=error), 0)
    assert action == Action("cas", (1, 2), False)
    assert CAS_REGISTER.step(1, action) is ILLEGAL
    assert CAS_REGISTER.step(3, action) == 3


@pytest.mark.parametrize("error", [None, "timed-out", ["no-leader"]])
def test_any_other_failure_did_nothing_and_saw_nothing(error):
    assert CAS_REGISTER.interpret(call("cas", argument=[1, 2], outcome=FAIL, error=error), 0) is None
    for model, f in [(KV, "append"), (FIFO_QUEUE, "dequeue"), (OWNER_MUTEX, "try-acquire")]:
        assert model.interpret(call(f, argument="x", outcome=FAIL, error=error), None) is None


def test_a_pending_cas_does_what_the_state_allows():
    action = CAS_REGISTER.interpret(call("cas", argument=[1, 2], outcome=INFO), 0)
    assert action == Action("cas", (1, 2), UNKNOWN)
    assert [CAS_REGISTER.step(state, action) for state in (1, 3)] == [2, 3]


def test_a_cas_with_one_value_is_refused():
    with pytest.raises(ValueError, match=r"a cas takes \[expected, new\], not 5"):
        CAS_REGISTER.interpret(call("cas", argument=5), 0)


def test_a_pending_dequeue_takes_the_oldest_or_nothing():
    action = FIFO_QUEUE.interpret(call("dequeue", outcome=INFO), ())
    assert [FIFO_QUEUE.step(state, action) for state in ((1, 2), ())] == [(2,), ()]


def test_a_dequeue_that_failed_on_empty_saw_an_empty_queue():
    action = FIFO_QUEUE.interpret(call("dequeue", outcome=FAIL, error="empty"), ())
    assert FIFO_QUEUE.step((1,), action) is ILLEGAL


def test_a_value_that_no_later_read_can_begin_with_is_forgotten():
    collapse = KV.collapse([Action("get", None, "abc"), Action("append", "x")])
    assert [collapse(state) for state in ("", "ab", "abc")] == ["", "ab", "abc"]
    assert collapse("abcd") is collapse("b") is UNSEEN
    assert KV.step(UNSEEN, Action("append", "x")) is UNSEEN
    assert KV.step(UNSEEN, Action("put", "ab")) == "ab"
    assert KV.step(UNSEEN, Action("get", None, "ab")) is ILLEGAL


@pytest.mark.parametrize(
    ("model", "action", "text"),
    [
        ("cas-register", Action("read", None, 3), "read of 3"),
        ("cas-register", Action("cas", (1, 2), True), "cas from 1 to 2"),
        ("cas-register", Action("cas", (1, 2), False), "failed cas from 1 to 2"),
        ("cas-register", Action("cas", (1, 2), UNKNOWN), "cas of unknown outcome from 1 to 2"),
        ("kv", Action("append", "x"), "append of 'x'"),
        ("kv", Action("get", None, "y" * 100), f"get of '{'y' * 19}...{'y' * 19}'"),
        ("mutex", Action("release"), "release"),
        ("owner-mutex", Action("denied", 4), "try-acquire that found it held by 4"),
        ("fifo-queue", Action("dequeue", None, None), "dequeue that found it empty"),
    ],
)
def test_an_operation_is_told_in_the_words_of_the_field(model, action, text):
    assert MODELS[model].describe(action) == text


@pytest.mark.parametrize(
    ("model", "state", "text"),
    [
        ("register", 3, "the register holds 3"),
        ("mutex", True, "the mutex is held"),
        ("owner-mutex", None, "the mutex is free"),
        ("owner-mutex", 4, "the mutex is held by 4"),
        ("fifo-queue", (1,), "the queue holds (1,)"),
    ],
)
def test_a_state_is_told_in_the_words_of_the_field(model, state, text):
    assert MODELS[model].show(state) == text
