"""The checker as workloads and the command line use it."""

import random

import pytest

from checkers.linearizable import linearizable
from checkers.models import CAS_REGISTER, KV, MODELS
from history.history import History
from history.op import Op
from tests.checkers import oracle
from tests.checkers.oracle import Done


def history(*events):
    """Events as (process, type, f, value) or (process, type, f, value, key)."""
    return History.from_ops(
        Op(-1, i, process, type, f, rest[0] if rest else None, value)
        for i, (process, type, f, value, *rest) in enumerate(events)
    )


def check(model, events, **options):
    return linearizable(model=model, **options)(events, {})


def test_a_history_without_operations_is_unknown():
    verdict = check(CAS_REGISTER, history())
    assert verdict.valid == "unknown"
    assert verdict.reason == "the history has no operation of a client"


def test_a_history_in_which_nothing_was_observed_is_unknown():
    verdict = check(CAS_REGISTER, history((0, "invoke", "write", 1), (0, "ok", "write", 1)))
    assert verdict.valid == "unknown"
    assert verdict.reason == "no cas or read returned ok: nothing was observed"


def test_a_search_without_budget_left_is_unknown():
    ops = [Done("write", i % 3, oracle.NOT_KNOWN, i, 1000 + i, i) for i in range(30)]
    ops += [Done("read", None, 7, 500, 600, 99)]
    verdict = check(CAS_REGISTER, oracle.history(ops), max_steps=1000)
    assert verdict.valid == "unknown"
    assert verdict.reason == "the search used up its 1000 steps without a verdict: raise max_steps"


def test_a_stale_read_is_told_with_the_events_behind_it():
    verdict = check(
        CAS_REGISTER,
        history(
            (0, "invoke", "write", 1),
            (0, "ok", "write", 1),
            (0, "invoke", "write", 1),
            (0, "ok", "write", 1),
            (1, "invoke", "read", None),
            (1, "ok", "read", 0),
        ),
        initial=0,
    )
    assert verdict.valid is False
    (anomaly,) = verdict.anomalies
    assert anomaly.name == "nonlinearizable"
    assert anomaly.message == "read of 0 (process 1) cannot be linearized: the register holds 1"
    assert anomaly.ops == (3, 5)
    assert anomaly.details["linearizable_prefix"] == (1, 3)


def test_each_key_is_an_object_of_its_own_and_the_bad_one_is_named():
    events = history(
        (0, "invoke", "put", "a", "x"),
        (0, "ok", "put", "a", "x"),
        (1, "invoke", "get", None, "y"),
        (1, "ok", "get", "", "y"),
        (1, "invoke", "get", None, "x"),
        (1, "ok", "get", "", "x"),
    )
    verdict = check(KV, events)
    assert verdict.valid is False
    assert verdict.anomalies[0].message.startswith("key 'x': get of '' (process 1) cannot be linearized")
    assert verdict.anomalies[0].details["key"] == "x"
    assert verdict.anomalies[0].ops == (1, 5)


def test_a_decider_on_arrays_names_the_events_too():
    verdict = check(
        CAS_REGISTER,
        history(
            (0, "invoke", "write", 1, "k"),
            (0, "ok", "write", 1, "k"),
            (1, "invoke", "read", None, "k"),
            (1, "ok", "read", 0, "k"),
        ),
        initial=0,
    )
    assert verdict.valid is False
    assert verdict.anomalies[0].ops == (1, 3)


def test_a_function_that_the_model_does_not_have_is_refused():
    with pytest.raises(ValueError, match="model kv has append, get, put, but event 2 is a cas"):
        check(
            KV,
            history(
                (0, "invoke", "get", None),
                (0, "ok", "get", ""),
                (0, "invoke", "cas", [1, 2]),
            ),
        )


def test_faults_in_the_history_are_passed_over():
    events = history(
        ("nemesis", "info", "kill", "n1"),
        (0, "invoke", "read", None),
        (0, "ok", "read", None),
        ("nemesis", "info", "kill", "n1"),
    )
    assert check(CAS_REGISTER, events).valid is True


GENERATED = {
    "cas-register": (oracle.random_register, oracle.register, 0),
    "kv": (oracle.random_kv, oracle.append, ""),
    "mutex": (oracle.random_mutex, oracle.mutex, None),
    "owner-mutex": (oracle.random_lock, oracle.owned, None),
    "fifo-queue": (oracle.random_fifo, oracle.fifo, ()),
}


@pytest.mark.parametrize("name", GENERATED)
def test_every_model_agrees_with_brute_force(name):
    generate, spec, initial = GENERATED[name]
    rng = random.Random(1)
    verdicts = []
    for _ in range(600):
        ops = generate(rng, rng.randint(1, 8))
        verdict = check(MODELS[name], oracle.history(ops), initial=initial)
        if verdict.valid != "unknown":
            assert verdict.valid is oracle.linearizable(spec, initial, oracle.that_happened(ops)), ops
        verdicts.append(verdict.valid)
    assert verdicts.count(False) > 20
    assert verdicts.count(True) > 100


def test_two_objects_are_linearizable_exactly_if_each_is():
    rng = random.Random(2)
    for _ in range(300):
        parts = [oracle.random_register(rng, rng.randint(1, 5), unique=True) for _ in range(2)]
        expected = all(oracle.linearizable(oracle.register, 0, ops) for ops in parts)
        verdict = check(CAS_REGISTER, oracle.keyed_history(parts), initial=0)
        assert verdict.valid in (expected, "unknown")


def test_the_models_have_the_names_that_the_command_line_shows():
    assert set(MODELS) == {"cas-register", "register", "kv", "mutex", "owner-mutex", "fifo-queue"}
