"""Both searches and their race, against brute force."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.model import Model
from checkers.models import CAS_REGISTER, FIFO_QUEUE, KV, MUTEX, OWNER_MUTEX
from checkers.rows import actions
from checkers.search import search
from checkers.sweep import sweep
from checkers.transitions import Outcome, Problem
from checkers.wgl import wgl
from tests.checkers import oracle
from tests.checkers.oracle import Done

ENGINES = [sweep, wgl]
OBJECTS = [
    pytest.param(CAS_REGISTER, 0, oracle.random_register, oracle.register, id="cas-register"),
    pytest.param(KV, "", oracle.random_kv, oracle.append, id="kv"),
    pytest.param(FIFO_QUEUE, (), oracle.random_fifo, oracle.fifo, id="fifo-queue"),
    pytest.param(OWNER_MUTEX, None, oracle.random_lock, oracle.owned, id="owner-mutex"),
    pytest.param(MUTEX, False, oracle.random_mutex, oracle.mutex, id="mutex"),
]


def problem_of(model: Model, ops: list[Done], initial) -> Problem:
    return Problem(model, initial, actions(model, oracle.history(ops).operations(), initial))


def outcome_of(engine, problem: Problem) -> Outcome:
    return next(report for report in engine(problem) if isinstance(report, Outcome))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("model", "initial", "generate", "spec"), OBJECTS)
def test_a_search_agrees_with_brute_force(model, initial, generate, spec, engine):
    rng = random.Random(1)
    refuted = 0
    for _ in range(1000):
        ops = generate(rng, rng.randint(1, 8))
        expected = oracle.linearizable(spec, oracle.start(initial), oracle.that_happened(ops))
        assert outcome_of(engine, problem_of(model, ops, initial)).legal is expected, ops
        refuted += not expected
    assert 30 < refuted < 970


@settings(max_examples=200, derandomize=True, deadline=None)
@given(rng=st.randoms(use_true_random=False), count=st.integers(1, 8))
def test_every_search_agrees_with_brute_force_on_any_register_history(rng, count):
    ops = oracle.random_register(rng, count)
    expected = oracle.linearizable(oracle.register, 0, ops)
    for engine in ENGINES:
        assert outcome_of(engine, problem_of(CAS_REGISTER, ops, 0)).legal is expected


@pytest.mark.parametrize("engine", ENGINES)
def test_a_positive_answer_comes_with_a_linearization(engine):
    rng = random.Random(2)
    for _ in range(500):
        ops = oracle.random_register(rng, rng.randint(1, 8))
        outcome = outcome_of(engine, problem_of(CAS_REGISTER, ops, 0))
        state = 0
        for row in outcome.order:
            allowed, state = oracle.register(state, ops[row].f, ops[row].argument, ops[row].result)
            assert allowed
        if outcome.legal:
            kept = {row for row, op in enumerate(ops) if op.ret is not None}
            assert kept <= set(outcome.order)
            assert oracle.respects_real_time([ops[row] for row in outcome.order])


def test_both_searches_blame_the_operation_at_which_the_shortest_bad_prefix_ends():
    rng = random.Random(3)
    blamed = 0
    for _ in range(1500):
        ops = oracle.random_register(rng, rng.randint(2, 7))
        outcomes = [outcome_of(engine, problem_of(CAS_REGISTER, ops, 0)) for engine in ENGINES]
        if outcomes[0].legal:
            continue
        blamed += 1
        assert outcomes[0].culprit == outcomes[1].culprit
        culprit = ops[outcomes[0].culprit]
        assert not oracle.linearizable(oracle.register, 0, oracle.until(ops, culprit.ret))
        assert oracle.linearizable(oracle.register, 0, oracle.until(ops, culprit.ret - 1))
    assert blamed > 100


def test_a_refutation_says_which_states_it_met():
    ops = [Done("write", 1, None, 0, 1), Done("read", None, 0, 2, 3)]
    outcome = outcome_of(sweep, problem_of(CAS_REGISTER, ops, 0))
    assert outcome.culprit == 1
    assert [(end.state, end.order) for end in outcome.configurations] == [(1, (0,))]


def test_a_crashed_write_may_take_effect_at_any_later_time():
    ops = [Done("write", 1, oracle.NOT_KNOWN, 0, None)]
    ops += [Done("read", None, value, 2 * i + 1, 2 * i + 2, 1) for i, value in enumerate([0, 0, 1])]
    assert outcome_of(sweep, problem_of(CAS_REGISTER, ops, 0)).legal
    again = [*ops, Done("read", None, 0, 9, 10, 1)]
    assert not outcome_of(sweep, problem_of(CAS_REGISTER, again, 0)).legal


def test_a_thousand_identical_crashed_writes_cost_little():
    ops = [Done("write", i % 3, oracle.NOT_KNOWN, i, None, i + 1) for i in range(1000)]
    ops += [Done("read", None, i % 3, 1000 + 2 * i, 1001 + 2 * i) for i in range(100)]
    found = search({None: problem_of(CAS_REGISTER, ops, 0)}, max_steps=200_000)
    assert found.legal is True


def hard() -> Problem:
    """Many concurrent writers and readers of few values: no verdict within few steps."""
    rng = random.Random(4)
    ops = [Done("write", rng.randrange(5), oracle.NOT_KNOWN, i, 1000 + i, i) for i in range(40)]
    ops += [Done("read", None, 7, 500, 600, 99)]
    return problem_of(CAS_REGISTER, ops, 0)


def test_a_search_without_budget_left_gives_no_verdict():
    found = search({"x": hard()}, max_steps=5000)
    assert found.legal is None
    assert found.key == "x"
    assert 5000 <= found.steps < 7000


def test_the_same_budget_gives_the_same_steps():
    assert search({"x": hard()}, max_steps=9000).steps == search({"x": hard()}, max_steps=9000).steps


def test_one_refuted_object_settles_a_run_in_which_another_would_never_end():
    stale = problem_of(CAS_REGISTER, [Done("read", None, 5, 0, 1)], 0)
    found = search({"hard": hard(), "stale": stale}, max_steps=1_000_000)
    assert found.legal is False
    assert found.key == "stale"


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(replace(CAS_REGISTER, observation=lambda a: a.f == "write"), id="write"),
        pytest.param(replace(CAS_REGISTER, collapse=lambda actions: lambda state: 0), id="collapse"),
        pytest.param(
            replace(CAS_REGISTER, interpret=lambda c, i: oracle.as_if_it_succeeded(c, i)),
            id="failed-cas",
        ),
    ],
)
def test_the_comparison_catches_a_model_with_a_bug(broken):
    rng = random.Random(5)
    for _ in range(2000):
        ops = oracle.random_register(rng, 6)
        expected = oracle.linearizable(oracle.register, 0, ops)
        if outcome_of(sweep, problem_of(broken, ops, 0)).legal is not expected:
            return
    pytest.fail("2000 histories did not show the bug")
