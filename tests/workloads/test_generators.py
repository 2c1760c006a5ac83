"""Exact streams of operations for each combinator, in virtual time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from history.op import NEMESIS, Op, invoke
from workloads import generators as gen
from workloads.generators.simulate import (
    imperfect,
    invocations,
    perfect,
    perfect_info,
    quick,
    simulate,
)

S = gen.NS_PER_S


def stream(source: gen.Source, complete=perfect, **options):
    """(time, process, f, value) of each invocation."""
    ops = invocations(simulate(source, complete, **options))
    return [(op.time, op.process, op.f, op.value) for op in ops]


def fs(source: gen.Source, complete=perfect, **options):
    return [op.f for op in invocations(simulate(source, complete, **options))]


def writes():
    return gen.numbered(lambda n: invoke("write", n))


# What lifts


def test_an_op_is_done_once_by_the_thread_free_longest():
    assert stream(invoke("write", 3)) == [(0, 0, "write", 3)]


def test_a_string_a_mapping_and_a_list_lift():
    source = ["read", {"f": "write", "value": 1, "key": "x"}, [None, "cas"]]
    ops = invocations(simulate(source, quick))
    assert [(op.f, op.key, op.value) for op in ops] == [
        ("read", None, None),
        ("write", "x", 1),
        ("cas", None, None),
    ]


def test_nothing_does_nothing():
    assert simulate(None) == [] == simulate([]) == simulate([None, []])


def test_a_function_is_asked_until_it_returns_none():
    def before_25_ns(context):
        return invoke("at", context.time) if context.time < 25 else None

    assert stream(before_25_ns, nemesis=False) == [
        (0, 0, "at", 0),
        (0, 1, "at", 0),
        (10, 0, "at", 10),
        (10, 1, "at", 10),
        (20, 0, "at", 20),
        (20, 1, "at", 20),
    ]


def test_a_function_of_nothing_may_return_any_source():
    assert fs(gen.limit(5, lambda: ["a", {"f": "b"}])) == ["a", "b", "a", "b", "a"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (iter(["read"]), "list_iterator is no source of operations: an iterator can be read only once"),
        (3, "int is no source of operations: give an f"),
        ({"f": "read", "valeu": 1}, "has unknown 'valeu'"),
        ({"value": 1}, "has no 'f' that is a string"),
        (replace(invoke("read"), type="ok"), "'read' is of type 'ok': make it with history.op.invoke"),
        (lambda a, b: None, "takes a context or nothing"),
    ],
)
def test_what_does_not_lift_says_why(source, reason):
    with pytest.raises(gen.GeneratorError, match=reason):
        gen.lift(source)


# How often


def test_repeat_goes_on_for_ever_or_so_many_times():
    assert fs(gen.repeat("next"), most=7) == ["next"] * 7
    assert fs(gen.repeat("next", times=3)) == ["next"] * 3


def test_repeat_does_the_first_operation_only():
    assert fs(gen.repeat(["a", "b"], times=3)) == ["a", "a", "a"]


def test_cycle_starts_over_when_exhausted():
    assert fs(gen.cycle("a", "b"), most=5) == ["a", "b", "a", "b", "a"]
    assert fs([gen.cycle("a", "b", times=2), "end"]) == ["a", "b", "a", "b", "end"]


def test_cycle_of_nothing_ends():
    assert simulate(gen.cycle()) == []


def test_limit_ends_and_the_rest_goes_on():
    assert fs([gen.limit(2, gen.repeat("a")), gen.limit(0, "no"), "b"]) == ["a", "a", "b"]


def test_numbered_never_gives_a_number_twice():
    assert [value for *_, value in stream(gen.limit(50, writes()), imperfect)] == list(range(50))


def test_until_ok_stops_at_the_first_success_but_finishes_what_is_under_way():
    source = gen.clients(gen.until_ok(gen.repeat("read")))
    events = simulate(source, imperfect)
    assert [(e.time, e.process, e.type) for e in events] == [
        (0, 0, "invoke"),
        (0, 1, "invoke"),
        (10, 0, "fail"),
        (10, 0, "invoke"),
        (10, 1, "fail"),
        (10, 1, "invoke"),
        (20, 0, "info"),
        (20, 2, "invoke"),
        (20, 1, "info"),
        (20, 3, "invoke"),
        (30, 2, "ok"),
        (30, 3, "ok"),
    ]


def test_until_ok_is_not_ended_by_the_success_of_others():
    source = gen.reserve((1, gen.repeat("other", times=5)), rest=gen.until_ok(gen.repeat("mine")))

    def fourth_of_thread_1(thread, nth):
        return ("ok" if thread == 0 or nth == 3 else "fail"), 10

    assert fs(source, fourth_of_thread_1, nemesis=False).count("mine") == 4


def test_until_ok_tells_its_own_operations_from_others():
    mine = gen.until_ok(gen.on_threads({1}, gen.repeat("mine")))
    source = gen.any_of(mine, gen.on_threads({0}, gen.repeat("other", times=5)))

    def fourth_of_thread_1(thread, nth):
        return ("ok" if thread == 0 or nth == 3 else "fail"), 10

    assert fs(source, fourth_of_thread_1, nemesis=False).count("mine") == 4


def test_process_limit_counts_the_processes_that_crashes_use_up():
    source = gen.clients(gen.process_limit(5, writes()))
    assert [process for _, process, _, _ in stream(source, perfect_info)] == [0, 1, 2, 3, 4]
    assert len(stream(gen.limit(40, gen.clients(gen.process_limit(5, writes()))))) == 40


def test_map_filter_and_f_map_change_what_comes_out():
    source = gen.filter(lambda op: op.value % 2 == 0, gen.limit(6, writes()))
    tripled = gen.map(lambda op: replace(op, value=op.value * 3), source)
    renamed = gen.f_map({"write": "append"}, [tripled, "read"])
    ops = invocations(simulate(renamed, quick))
    assert [(op.f, op.value) for op in ops] == [
        ("append", 0),
        ("append", 6),
        ("append", 12),
        ("read", None),
    ]


def test_a_filter_that_never_holds_is_an_error():
    with pytest.raises(gen.GeneratorError, match="rejected 100,000 operations in a row"):
        simulate(gen.filter(lambda op: False, gen.repeat("read")))


# When


def test_time_limit_counts_from_its_first_operation():
    source = ["a", gen.time_limit(20e-9, gen.delay(7e-9, gen.repeat("b"))), "c"]
    assert stream(source, concurrency=3, nemesis=False) == [
        (0, 0, "a", None),
        (0, 1, "b", None),
        (7, 2, "b", None),
        (14, 0, "b", None),
        (14, 1, "c", None),
    ]


def thread_0_is_slow(thread, nth):
    return "ok", 1000 if thread == 0 else 10


def test_a_time_limit_ends_even_while_its_source_waits():
    limited = gen.time_limit(15e-9, gen.on_threads({0}, gen.repeat("a")))
    ticks = gen.on_threads({1}, gen.repeat("tick", times=10))
    source = gen.any_of([limited, gen.on_threads({1}, "after")], ticks)
    events = simulate(source, thread_0_is_slow, nemesis=False)
    (after,) = [event for event in invocations(events) if event.f == "after"]
    assert after.time == 20


def test_a_stagger_tells_nothing_about_the_mix_inside():
    ops = stream(gen.limit(2000, gen.stagger(1, gen.mix(gen.repeat("a"), gen.repeat("b")))), quick)
    gaps = {"a": [], "b": []}
    for (time, _, f, _), (following, *_) in pairwise(ops):
        gaps[f].append(following - time)
    for f in "ab":
        assert sum(gaps[f]) / len(gaps[f]) == pytest.approx(S, rel=0.05)


def test_delay_is_the_least_distance_of_operations_over_all_threads():
    times = [time for time, *_ in stream(gen.delay(3e-9, gen.limit(6, gen.repeat("w"))))]
    assert times == [0, 3, 6, 10, 13, 16]


def test_stagger_spreads_operations_around_its_interval():
    times = [time for time, *_ in stream(gen.stagger(1, gen.limit(2000, gen.repeat("w"))), seed=5)]
    gaps = [b - a for a, b in pairwise(times)]
    assert times[0] == 0
    assert all(0 <= gap < 2 * S for gap in gaps)
    assert sum(gaps) / len(gaps) == pytest.approx(S, rel=0.03)
    assert sum(gap < S / 2 for gap in gaps) / len(gaps) == pytest.approx(0.25, abs=0.03)


def test_a_sleeping_thread_does_nothing_while_others_go_on():
    source = [gen.sleep(100e-9), gen.repeat("w", times=12)]
    ops = stream(source, nemesis=False)
    assert [process for _, process, _, _ in ops[:9]] == [1] * 9
    assert min(time for time, process, _, _ in ops if process == 0) == 100


def test_phases_wait_for_a_sleep():
    assert stream(gen.phases(gen.sleep(1), "read")) == [(S, 1, "read", None)]


def test_log_reaches_nobody_but_the_log():
    (first, second) = simulate(gen.log("half way"))
    assert gen.is_instruction(first)
    assert (first.f, first.value, second.time) == ("log", "half way", 0)


# Which


def test_mix_draws_evenly_from_its_sources_and_drops_exhausted_ones():
    names = fs(gen.mix(*[gen.repeat(f, times=500) for f in "abc"]), quick, seed=2)
    assert sorted(names) == ["a"] * 500 + ["b"] * 500 + ["c"] * 500
    assert all(130 < names[:600].count(f) < 270 for f in "abc")


def test_mix_is_exact_for_a_seed():
    names = "".join(fs(gen.limit(20, gen.mix(gen.repeat("a"), gen.repeat("b"))), quick, seed=1))
    assert names == "".join(fs(gen.limit(20, gen.mix(gen.repeat("a"), gen.repeat("b"))), quick, seed=1))
    assert names != "".join(fs(gen.limit(20, gen.mix(gen.repeat("a"), gen.repeat("b"))), quick, seed=2))


def test_mixes_within_mixes_draw_independently():
    inner = [gen.mix(gen.repeat(a), gen.repeat(b)) for a, b in ("ab", "cd")]
    names = fs(gen.limit(4000, gen.mix(*inner)), quick)
    for f in "abcd":
        assert names.count(f) == pytest.approx(1000, rel=0.1)
    following = [b for a, b in pairwise(names) if a == "a"]
    for f in "abcd":
        assert following.count(f) == pytest.approx(250, rel=0.25)


def test_mix_goes_on_with_others_while_its_choice_has_nothing_yet():
    slow = gen.on_threads({0}, gen.repeat("slow", times=2))
    events = simulate(gen.mix(slow, gen.repeat("fast", times=30)), thread_0_is_slow, nemesis=False)
    fast = [e.time for e in events if e.f == "fast" and e.type == "ok"]
    assert len(fast) == 30
    assert sorted(fast)[20] < 1000


def test_any_of_takes_the_soonest():
    source = gen.any_of(
        gen.on_threads({0}, gen.delay(20e-9, gen.repeat("a", times=3))),
        gen.on_threads({1}, gen.delay(15e-9, gen.repeat("b", times=4))),
    )
    assert sorted(stream(source)) == [
        (0, 0, "a", None),
        (0, 1, "b", None),
        (15, 1, "b", None),
        (20, 0, "a", None),
        (30, 1, "b", None),
        (40, 0, "a", None),
        (45, 1, "b", None),
    ]


def test_any_of_breaks_ties_fairly():
    names = fs(gen.limit(1000, gen.any_of(gen.repeat("a"), gen.repeat("b"))), quick)
    assert names.count("a") == pytest.approx(500, abs=60)


def test_flip_flop_alternates_until_either_is_exhausted():
    source = gen.flip_flop(writes(), gen.repeat("read", times=2))
    assert [(f, v) for _, _, f, v in stream(source)] == [
        ("write", 0),
        ("read", None),
        ("write", 1),
        ("read", None),
        ("write", 2),
    ]


# Who


def test_clients_and_nemesis_keep_to_their_threads():
    source = gen.any_of(gen.nemesis(gen.repeat("kill", times=3)), gen.clients(gen.repeat("w", times=9)))
    ops = stream(source)
    assert {process for _, process, f, _ in ops if f == "kill"} == {NEMESIS}
    assert {process for _, process, f, _ in ops if f == "w"} == {0, 1}


def test_on_threads_that_are_not_there_is_an_error():
    with pytest.raises(gen.GeneratorError, match=r"selects none of the threads there are \(0, 1\)"):
        simulate(gen.nemesis("kill"), nemesis=False)


def test_a_crashed_thread_goes_on_as_another_process():
    processes = [process for _, process, *_ in stream(gen.repeat("w"), perfect_info, most=9)]
    assert processes == [0, 1, NEMESIS, 2, 3, NEMESIS, 4, 5, NEMESIS]


def test_each_thread_has_a_source_of_its_own():
    assert stream(gen.each_thread(["a", "b"])) == [
        (0, 0, "a", None),
        (0, 1, "a", None),
        (0, NEMESIS, "a", None),
        (10, 0, "b", None),
        (10, 1, "b", None),
        (10, NEMESIS, "b", None),
    ]


def test_each_thread_sees_the_completions_of_its_thread_only():
    def third_or_sixth(thread, nth):
        return ("ok" if nth == (2 if thread == 1 else 5) else "fail"), 10

    ops = stream(gen.each_thread(gen.until_ok(gen.repeat("r"))), third_or_sixth, nemesis=False)
    assert [process for _, process, *_ in ops].count(1) == 3
    assert [process for _, process, *_ in ops].count(0) == 6


def test_each_thread_draws_differently_for_each_thread():
    coin = gen.mix(gen.repeat("a"), gen.repeat("b"))
    ops = stream(gen.limit(80, gen.each_thread(coin)), nemesis=False)
    of = {n: [f for _, process, f, _ in ops if process == n] for n in (0, 1)}
    assert len(of[0]) == len(of[1]) == 40
    assert of[0] != of[1]


def test_each_thread_keeps_its_own_time():
    def paced(context):
        pace = 20e-9 if context.free == (0,) else 15e-9
        return gen.delay(pace, gen.repeat("w", times=3))

    ops = stream(gen.each_thread(gen.limit(3, paced)), nemesis=False)
    assert [(time, process) for time, process, *_ in ops] == [
        (0, 0),
        (0, 1),
        (15, 1),
        (20, 0),
        (30, 1),
        (40, 0),
    ]


def test_each_thread_is_exhausted_when_all_threads_are():
    assert fs([gen.each_thread("a"), "b"], nemesis=False) == ["a", "a", "b"]


def test_reserve_gives_each_pool_its_threads():
    source = gen.reserve(
        (2, gen.repeat("w", times=8)), (1, gen.repeat("c", times=4)), rest=gen.repeat("r", times=12)
    )
    ops = stream(source, concurrency=5, nemesis=False)
    of = {f: {process for _, process, name, _ in ops if name == f} for f in "wcr"}
    assert of == {"w": {0, 1}, "c": {2}, "r": {3, 4}}


def test_reserve_without_a_rest_leaves_the_others_idle():
    processes = {process for _, process, *_ in stream(gen.reserve((1, gen.repeat("w", times=3))))}
    assert processes == {0}


def test_reserve_shares_by_the_number_of_threads():
    pools = gen.reserve((1, gen.repeat("a")), rest=gen.repeat("b"))
    source = gen.limit(1000, gen.delay(1, pools))
    names = fs(source, quick, concurrency=4, nemesis=False)
    assert names.count("a") == pytest.approx(250, abs=50)


def test_reserve_of_more_threads_than_there_are_is_an_error():
    with pytest.raises(gen.GeneratorError, match="reserve sets 4 threads apart, but there are 3"):
        simulate(gen.reserve((4, "w")))


# In step


def test_synchronize_waits_until_all_threads_are_free():
    def slower_and_slower(thread, nth):
        return "ok", 10 * (thread + 1)

    source = [gen.repeat("a", times=3), gen.synchronize(gen.repeat("b", times=2))]
    assert stream(source, slower_and_slower, concurrency=3, nemesis=False) == [
        (0, 0, "a", None),
        (0, 1, "a", None),
        (0, 2, "a", None),
        (30, 0, "b", None),
        (30, 1, "b", None),
    ]


def test_phases_and_then_begin_when_the_one_before_has_completed():
    assert stream(gen.phases("a", ["b", "c"], "d")) == [
        (0, 0, "a", None),
        (10, 1, "b", None),
        (10, NEMESIS, "c", None),
        (20, 0, "d", None),
    ]
    assert stream(gen.then("a", "b")) == [(0, 0, "a", None), (10, 1, "b", None)]


def test_concat_does_not_wait():
    assert [time for time, *_ in stream(gen.concat("a", "b", "c"))] == [0, 0, 0]


# Keys


def keyed(source, complete=perfect, **options):
    return [(op.process, op.key, op.f) for op in invocations(simulate(source, complete, **options))]


def test_sequential_keys_go_one_after_the_other():
    source = gen.sequential_keys(["x", "y"], lambda key: ["r", "w"])
    assert [(key, f) for _, key, f in keyed(source)] == [
        ("x", "r"),
        ("x", "w"),
        ("y", "r"),
        ("y", "w"),
    ]


def test_concurrent_keys_give_each_group_its_own_key():
    source = gen.concurrent_keys(2, range(3), lambda key: gen.repeat("w", times=4))
    ops = keyed(source, concurrency=4)
    groups = {key: sorted({process // 2 for process, k, _ in ops if k == key}) for key in range(3)}
    assert groups[0] == [0]
    assert groups[1] == [1]
    assert len(groups[2]) == 1
    assert [key for _, key, _ in ops].count(2) == 4
    assert len(ops) == 12


def test_concurrent_keys_go_on_for_ever_over_an_endless_range():
    source = gen.concurrent_keys(1, range(10**9), lambda key: invoke("w", key))
    assert [key for _, key, _ in keyed(source, most=1000)] == list(range(1000))


def test_concurrent_keys_keep_their_own_time():
    source = gen.concurrent_keys(1, [20, 15], lambda ns: gen.delay(ns * 1e-9, gen.repeat("w", times=3)))
    ops = invocations(simulate(source))
    assert [(op.time, op.key) for op in ops] == [
        (0, 20),
        (0, 15),
        (15, 15),
        (20, 20),
        (30, 15),
        (40, 20),
    ]


def test_a_key_hears_nothing_of_the_key_before():
    class UntilAnyOk:
        def op(self, context):
            return (context.free and (gen.lift("w").op(context)[0], self)) or (gen.PENDING, self)

        def update(self, context, event):
            return gen.NOTHING if event.type == "ok" else self

    def slow_first_op_of_thread_1(thread, nth):
        return "ok", 15 if (thread, nth) == (1, 0) else 10

    source = gen.concurrent_keys(2, ["x", "y"], lambda key: UntilAnyOk())
    events = simulate(source, slow_first_op_of_thread_1, nemesis=False)
    assert [(e.time, e.process, e.key) for e in events if e.type == "invoke"] == [
        (0, 0, "x"),
        (0, 1, "x"),
        (10, 0, "y"),
        (15, 1, "y"),
    ]


def test_concurrent_keys_survive_crashes():
    source = gen.concurrent_keys(2, ["x"], lambda key: gen.until_ok(gen.repeat("w")))
    assert keyed(source, imperfect) == [
        (0, "x", "w"),
        (1, "x", "w"),
        (0, "x", "w"),
        (1, "x", "w"),
        (2, "x", "w"),
        (3, "x", "w"),
    ]


def test_concurrent_keys_that_do_not_divide_the_threads_are_an_error():
    with pytest.raises(gen.GeneratorError, match="in a multiple of 2, but there are 3"):
        simulate(gen.concurrent_keys(2, range(3), lambda key: "w"), concurrency=3)


def test_keys_without_operations_are_an_error_before_they_are_a_hang():
    with pytest.raises(gen.GeneratorError, match="10000 keys in a row had no operation"):
        simulate(gen.sequential_keys(range(10**9), lambda key: None))


# Arguments and the safety net


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: gen.limit(-1, "a"), "operations must be a whole number of at least 0, not -1"),
        (lambda: gen.limit("a", 3), "operations must be a whole number of at least 0, not 'a'"),
        (lambda: gen.repeat("a", times=1.5), "times must be a whole number"),
        (lambda: gen.time_limit(-1, "a"), "limit_s must be a number of seconds of at least 0, not -1"),
        (lambda: gen.stagger(float("nan"), "a"), "interval_s must be a number of seconds"),
        (lambda: gen.delay("1", "a"), "interval_s must be a number of seconds"),
        (lambda: gen.sleep(None), "duration_s must be a number of seconds"),
        (lambda: gen.mix(), "mix needs at least 1 source"),
        (lambda: gen.reserve(), "reserve needs at least one pool"),
        (lambda: gen.reserve(5, "a"), r"a pool of reserve is \(threads, source\), not 5"),
        (lambda: gen.concurrent_keys(0, [1], str), "threads must be a whole number of at least 1"),
        (lambda: gen.sequential_keys(iter([1]), str), "keys must be a list, a tuple or a range"),
    ],
)
def test_wrong_arguments_are_refused_at_once(make, reason):
    with pytest.raises(gen.GeneratorError, match=reason):
        make()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"process": 7}, "for process 7, which does not act: those that do are"),
        ({"process": 1}, "for process 1, which is busy"),
        ({"type": "ok"}, "has type 'ok'"),
        ({"time": -5}, "time -5 at 0"),
    ],
)
def test_an_operation_that_cannot_be_performed_is_an_error(change, reason):
    context = gen.start_context(2, seed=0).invoked(1, 0)
    bad = gen.validate(gen.map(lambda op: replace(op, **change), "read"))
    with pytest.raises(gen.GeneratorError, match=reason):
        bad.op(context)


def test_an_answer_that_is_no_step_is_an_error():
    context = gen.start_context(2, seed=0)
    op = Op(0, 0, 0, "invoke", "read")
    for answer, reason in [(op, "answers with None or"), ((3, gen.NOTHING), "gave 3 in place")]:
        with pytest.raises(gen.GeneratorError, match=reason):
            gen.checked(answer, context)


def test_validate_changes_nothing():
    source = [gen.mix("a", "b"), gen.each_thread("c")]
    assert simulate(gen.validate(source)) == simulate(source)


def test_a_generator_that_waits_for_nothing_is_an_error():
    class Never:
        def op(self, context):
            return gen.PENDING, self

        def update(self, context, event):
            return self

    with pytest.raises(gen.GeneratorError, match="PENDING though nothing is under way"):
        simulate(Never())
