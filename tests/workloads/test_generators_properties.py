"""What holds of any generator, made of any combinators, whatever becomes of its operations."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from history.history import History
from history.op import NEMESIS, Op, invoke
from workloads import generators as gen
from workloads.generators.simulate import invocations, simulate

MOST = 60

names = st.sampled_from(["read", "write", "cas", "next"])
leaves = st.one_of(
    names,
    st.builds(lambda n, times: gen.repeat(n, times=times), names, st.integers(0, 8)),
    st.just(gen.numbered(lambda n: invoke("write", n) if n < 9 else None)),
    st.builds(gen.sleep, st.floats(0, 50e-9)),
    st.builds(lambda n: gen.limit(5, lambda context: invoke(n, context.random(100))), names),
)


def combined(sources):
    """Combinators over sources that end."""
    two = st.lists(sources, min_size=1, max_size=3)
    small, ns = st.integers(1, 6), st.floats(1e-9, 60e-9)
    return st.one_of(
        st.builds(gen.limit, small, sources),
        st.builds(gen.time_limit, ns, sources),
        st.builds(gen.stagger, ns, sources),
        st.builds(gen.delay, ns, sources),
        st.builds(lambda gens: gen.mix(*gens), two),
        st.builds(lambda gens: gen.any_of(*gens), two),
        st.builds(lambda gens: gen.concat(*gens), two),
        st.builds(lambda gens: gen.phases(*gens), two),
        st.builds(lambda gens, times: gen.cycle(*gens, times=times), two, st.integers(1, 2)),
        st.builds(gen.flip_flop, sources, sources),
        st.builds(gen.then, sources, sources),
        st.builds(gen.each_thread, sources),
        st.builds(gen.clients, sources),
        st.builds(gen.until_ok, sources),
        st.builds(gen.process_limit, small, sources),
        st.builds(lambda a, b: gen.reserve((1, a), rest=b), sources, sources),
        st.builds(lambda source: gen.sequential_keys(["x", "y"], lambda key: source), sources),
    )


generators = st.recursive(leaves, combined, max_leaves=8)


@st.composite
def outcomes(draw):
    """What becomes of each thread's nth operation."""
    table = draw(
        st.lists(st.tuples(st.sampled_from(["ok", "fail", "info"]), st.integers(0, 40)), min_size=1)
    )
    return lambda thread, nth: table[(nth + (5 if thread == NEMESIS else 3 * thread)) % len(table)]


def check(**strategies):
    """A property over 150 examples, the same ones every time."""
    return lambda test: settings(max_examples=150, deadline=None, derandomize=True)(
        given(**strategies)(test)
    )


def events_of(source, complete, *, nemesis=False, **options) -> list[Op]:
    return simulate(source, complete, most=MOST, nemesis=nemesis, **options)


@check(source=generators, complete=outcomes(), seed=st.integers(0, 2**64 - 1))
def test_a_seed_gives_one_run(source, complete, seed):
    first = events_of(source, complete, seed=seed, concurrency=3)
    assert first == events_of(source, complete, seed=seed, concurrency=3)


@check(source=generators, complete=outcomes(), seed=st.integers(0, 99))
def test_asking_twice_gives_the_same_and_changes_nothing(source, complete, seed):
    generator, context = gen.lift(source), gen.start_context(3, seed=seed)
    for nth in range(20):
        step = generator.op(context)
        assert step == generator.op(context)
        if step is None or step[0] is gen.PENDING:
            return
        op, before = step[0], generator
        thread, time = context.thread_of(op.process), op.time
        context, asked = context.invoked(thread, time), context
        generator = step[1].update(context, op)
        assert generator == step[1].update(context, op)
        assert step == before.op(asked)
        kind, latency = complete(thread, nth)
        context = context.completed(thread, time + latency, crashed=kind == "info")


@check(source=generators, complete=outcomes(), concurrency=st.integers(2, 5))
def test_every_run_is_a_history_that_clients_can_record(source, complete, concurrency):
    events = [e for e in events_of(source, complete, concurrency=concurrency) if not is_rest(e)]
    history = History.from_ops(
        Op(n, e.time, e.process, e.type, e.f, e.key, e.value) for n, e in enumerate(events)
    )
    assert (history.pair >= 0).all()
    assert [e.time for e in events] == sorted(e.time for e in events)


def is_rest(event: Op) -> bool:
    return event.f in ("sleep", "log")


@check(source=generators, complete=outcomes(), most=st.integers(0, 9))
def test_limit_is_never_exceeded(source, complete, most):
    events = events_of(gen.limit(most, source), complete)
    assert len(events) <= 2 * most


@check(source=generators, complete=outcomes(), limit=st.integers(1, 200))
def test_nothing_begins_after_a_time_limit(source, complete, limit):
    events = events_of(gen.time_limit(limit * 1e-9, source), complete)
    assert all(event.time < events[0].time + limit for event in invocations(events))


@check(limit=st.integers(1, 200), gap=st.integers(0, 9))
def test_a_time_limit_is_used_to_its_end(limit, gap):
    source = gen.time_limit(limit * 1e-9, gen.delay(gap * 1e-9, gen.repeat("w")))
    events = simulate(source, lambda thread, nth: ("ok", 1), nemesis=False, concurrency=2)
    times = [e.time for e in invocations(events)]
    assert times[0] == 0
    assert limit - max(gap, 1) <= times[-1] < limit


@check(source=generators, complete=outcomes(), chosen=st.sets(st.integers(0, 3), min_size=2))
def test_on_threads_keeps_to_those(source, complete, chosen):
    events = events_of(gen.on_threads(chosen, source), complete, concurrency=4)
    assert {event.process % 4 for event in events} <= chosen


@check(complete=outcomes())
def test_each_thread_gives_every_thread_what_one_thread_would_do(complete):
    alone = [
        (e.type, e.f)
        for e in simulate(gen.limit(3, gen.repeat("a")), complete, concurrency=1, nemesis=False)
    ]
    events = simulate(
        gen.each_thread(gen.limit(3, gen.repeat("a"))),
        lambda thread, nth: complete(0, nth),
        concurrency=3,
        nemesis=False,
    )
    for thread in range(3):
        assert [(e.type, e.f) for e in events if e.process % 3 == thread] == alone


@check(first=generators, second=generators, complete=outcomes())
def test_a_phase_begins_when_all_of_the_one_before_has_completed(first, second, complete):
    marked = gen.map(lambda op: Op(op.index, op.time, op.process, op.type, op.f, "second"), second)
    kept = gen.filter(lambda op: op.type == "invoke", marked)
    events = simulate(gen.phases(first, kept), complete, concurrency=3, nemesis=False, most=MOST)
    under_way = 0
    for event in events:
        if event.key == "second":
            break
        under_way += 0 if is_rest(event) else 1 if event.type == "invoke" else -1
    assert under_way == 0 or all(event.key != "second" for event in events)


@check(source=generators, complete=outcomes(), seed=st.integers(0, 99))
def test_the_safety_net_finds_nothing_in_any_combinator(source, complete, seed):
    assert events_of(gen.validate(source), complete, seed=seed) == events_of(source, complete, seed=seed)


@check(complete=outcomes(), threads=st.integers(1, 3), groups=st.integers(1, 3))
def test_concurrent_keys_never_mix_groups_at_one_key(complete, threads, groups):
    source = gen.concurrent_keys(threads, range(6), lambda key: gen.repeat("w", times=4))
    ops = invocations(simulate(source, complete, concurrency=threads * groups))
    for key in range(6):
        of_key = [op for op in ops if op.key == key]
        assert len(of_key) == 4
        assert len({op.process % (threads * groups) // threads for op in of_key}) == 1
