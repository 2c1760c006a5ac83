"""The interpreter against small clients, each with one way to behave or to misbehave."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from history.errors import HistoryError
from history.jsonl import Recorder
from history.op import Op, invoke
from tests.support import leaping
from windtunnel.interpreter import ClientError, run_generator
from workloads import generators as gen

HANG = "hang"


class Client:
    """Does what the operation's ``f`` says; ``log`` is shared by all clients of a run."""

    def __init__(self, context, log, *, opening=None, closing=None):
        self.process, self.seed = context.process, context.seed
        self.log, self.opening, self.closing = log, opening, closing

    async def open(self):
        self.log.append(("open", self.process))
        if self.opening == HANG:
            await asyncio.Event().wait()
        if self.opening is not None:
            raise self.opening

    async def invoke(self, op: Op):
        self.log.append((op.f, self.process))
        match op.f:
            case "hang":
                await asyncio.Event().wait()
            case "raise":
                raise ConnectionResetError("gone")
            case "cancelled":
                raise asyncio.CancelledError
            case "yield":
                for _ in range(op.value or 1):
                    await asyncio.sleep(0)
            case "nonsense":
                return None
            case "another":
                return replace(op.completed("ok"), process=op.process + 1)
            case "unwritable":
                return op.completed("ok", value=object())
            case "fail" | "info":
                return op.completed(op.f, error="as told")
        return op.completed("ok", value=op.value)

    async def close(self):
        self.log.append(("close", self.process))
        if self.closing == HANG:
            await asyncio.Event().wait()
        if self.closing is not None:
            raise self.closing


async def stubborn(release: asyncio.Event):
    """Does not let itself be cancelled."""
    while not release.is_set():
        try:
            await release.wait()
        except asyncio.CancelledError:
            continue


class Run:
    """One run, with what the clients saw and what was recorded."""

    def __init__(self, source, *, concurrency=2, opening=None, closing=None, **options):
        self.log: list[tuple[str, int]] = []
        self.recorder = Recorder(None, self.clock)
        self.options = {
            "client": lambda context: Client(context, self.log, opening=opening, closing=closing),
            "endpoints": {},
            "concurrency": concurrency,
            "recorder": self.recorder,
            "seed": 1,
            **options,
        }
        self.source = source

    def clock(self) -> int:
        return round(asyncio.get_running_loop().time() * 1e9)

    async def main(self):
        return await run_generator(self.source, **self.options)

    def go(self):
        self.next_process = leaping.run(self.main())
        return self

    @property
    def events(self):
        return [(op.process, op.type, op.f, op.error) for op in self.recorder.history()]

    @property
    def completions(self):
        return [event for event in self.events if event[1] != "invoke"]


def check_history(run: Run):
    """Every invocation completes, and no process acts after its ``info``."""
    history = run.recorder.history()
    assert (history.pair >= 0).all()
    assert sorted(run.log.count(("close", p)) for _, p in opened(run)) == [1] * len(opened(run))


def opened(run: Run):
    return [entry for entry in run.log if entry[0] == "open"]


def test_what_clients_complete_is_recorded_in_order():
    run = Run(["a", gen.phases(None, invoke("b", 3, key="x")), "fail"], concurrency=1).go()
    history = list(run.recorder.history())
    assert [(op.index, op.process, op.type, op.f, op.key, op.value, op.error) for op in history] == [
        (0, 0, "invoke", "a", None, None, None),
        (1, 0, "ok", "a", None, None, None),
        (2, 0, "invoke", "b", "x", 3, None),
        (3, 0, "ok", "b", "x", 3, None),
        (4, 0, "invoke", "fail", None, None, None),
        (5, 0, "fail", "fail", None, None, "as told"),
    ]
    assert run.log == [("open", 0), ("a", 0), ("b", 0), ("fail", 0), ("close", 0)]
    check_history(run)


def test_all_threads_work_at_once():
    run = Run(gen.repeat("yield", times=10), concurrency=5).go()
    kinds = [kind for _, kind, *_ in run.events]
    assert kinds[:5] == ["invoke"] * 5
    assert {process for process, *_ in run.events} == {0, 1, 2, 3, 4}
    assert len(opened(run)) == 5
    check_history(run)


def test_a_client_that_raises_leaves_it_open_and_its_process_ends():
    run = Run(["raise", "a", invoke("raise"), "a"], concurrency=1).go()
    assert run.completions == [
        (0, "info", "raise", "indeterminate: ConnectionResetError: gone"),
        (1, "ok", "a", None),
        (1, "info", "raise", "indeterminate: ConnectionResetError: gone"),
        (2, "ok", "a", None),
    ]
    assert run.next_process == 3
    check_history(run)


def test_an_info_of_the_client_ends_its_process_too():
    run = Run(gen.repeat("info", times=6), concurrency=2).go()
    assert [process for process, *_ in run.completions] == [0, 1, 2, 3, 4, 5]
    check_history(run)


def test_a_cancellation_inside_a_client_is_not_the_end_of_the_run():
    run = Run(["cancelled", "a"], concurrency=1).go()
    assert run.completions == [
        (0, "info", "cancelled", "indeterminate: CancelledError"),
        (1, "ok", "a", None),
    ]


def test_a_client_that_hangs_times_out_and_is_closed():
    run = Run(["hang", "a", "a"], concurrency=1, op_timeout_s=0.02).go()
    assert run.completions == [
        (0, "info", "hang", "timed-out"),
        (1, "ok", "a", None),
        (1, "ok", "a", None),
    ]
    assert run.log.index(("close", 0)) < run.log.index(("close", 1))
    check_history(run)


def test_a_client_that_hangs_does_not_hold_up_the_others():
    run = Run(["hang", gen.repeat("yield", times=50)], concurrency=2, op_timeout_s=0.05).go()
    assert [process for process, *_ in run.completions][:50] == [1] * 50
    assert run.completions[-1] == (0, "info", "hang", "timed-out")


def test_a_client_that_ignores_its_cancellation_is_left_behind_and_not_listened_to():
    async def main():
        release = asyncio.Event()
        run = Run([], concurrency=1, op_timeout_s=0.02, close_timeout_s=0.02)
        run.source = ["hang", "a"]
        run.options["client"] = lambda context: Stubborn(context, run.log, release)
        await run.main()
        for _ in range(9):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return run

    run = leaping.run(main())
    assert run.completions == [(0, "info", "hang", "timed-out"), (1, "ok", "a", None)]
    assert ("close", 0) in run.log


class Stubborn(Client):
    def __init__(self, context, log, release):
        super().__init__(context, log)
        self.release = release

    async def invoke(self, op: Op):
        if op.f == "hang":
            await stubborn(self.release)
            return op.completed("ok", value="too late")
        self.release.set()
        for _ in range(9):
            await asyncio.sleep(0)
        return op.completed("ok")


def test_a_client_that_cannot_be_opened_fails_and_keeps_its_process():
    run = Run(gen.repeat("a", times=3), concurrency=1, opening=OSError("refused"), reopen_delay_s=0).go()
    assert run.completions == [(0, "fail", "a", "no-client: OSError: refused")] * 3
    assert run.log == [("open", 0), ("close", 0)] * 3
    assert run.next_process == 1


def test_a_client_that_hangs_while_opening_fails_after_the_time_out():
    run = Run(gen.repeat("a", times=2), concurrency=1, opening=HANG, op_timeout_s=0.02).go()
    assert run.completions == [(0, "fail", "a", "no-client: timed-out")] * 2
    assert run.log.count(("close", 0)) == 2


@pytest.mark.parametrize("closing", [HANG, OSError("gone")])
def test_a_client_that_cannot_be_closed_changes_nothing(closing):
    run = Run(["info", "a"], concurrency=1, closing=closing, close_timeout_s=0.02).go()
    assert [kind for _, kind, *_ in run.completions] == ["info", "ok"]
    assert run.log.count(("close", 0)) == run.log.count(("close", 1)) == 1


@pytest.mark.parametrize(
    ("f", "error", "reason"),
    [
        ("nonsense", ClientError, "client of process 0 answered 'nonsense' .* with None"),
        ("another", ClientError, r"return op.completed\('ok'"),
        ("unwritable", HistoryError, "ok unwritable by 0"),
    ],
)
def test_an_answer_that_is_no_completion_ends_the_run(f, error, reason):
    run = Run([f, "hang"], concurrency=2)
    with pytest.raises(error, match=reason):
        run.go()
    assert run.completions == [(0, "info", f, "interrupted"), (1, "info", "hang", "interrupted")]
    check_history(run)


def test_a_factory_that_raises_ends_the_run():
    def make(context):
        raise LookupError("no such server")

    run = Run("a", client=make)
    with pytest.raises(LookupError, match="no such server"):
        run.go()
    assert run.completions == [(0, "info", "a", "interrupted")]


def test_a_generator_that_waits_for_nothing_ends_the_run():
    class Never:
        def op(self, context):
            return gen.PENDING, self

        def update(self, context, event):
            return self

    run = Run(["a", Never()])
    with pytest.raises(gen.GeneratorError, match="PENDING though nothing is under way"):
        run.go()
    assert run.completions == [(0, "ok", "a", None)]


class Frozen(asyncio.SelectorEventLoop):
    """A loop on which no time passes."""

    def time(self):
        return 0.0


def test_a_generator_without_end_in_no_time_ends_the_run():
    run = Run(gen.time_limit(1, gen.repeat("a")))
    with (
        asyncio.Runner(loop_factory=Frozen) as runner,
        pytest.raises(gen.GeneratorError, match=r"100,000 operations began at 0 ns .* put stagger"),
    ):
        runner.run(run.main())
    check_history(run)


def test_a_cancelled_run_has_a_complete_history_and_closed_clients():
    async def main():
        run = Run(["a", gen.repeat("hang", times=2)], concurrency=3)
        task = asyncio.create_task(run.main())
        while run.log.count(("a", 0)) == 0 or [f for f, _ in run.log].count("hang") < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return run

    run = leaping.run(main())
    assert sorted(run.completions) == [
        (0, "ok", "a", None),
        (1, "info", "hang", "interrupted"),
        (2, "info", "hang", "interrupted"),
    ]
    check_history(run)


def test_once_stopped_nothing_begins_and_what_is_under_way_completes():
    async def main():
        stop = asyncio.Event()
        source = gen.numbered(lambda n: invoke("yield", 1 + n % 5))
        run = Run(source, concurrency=3, stop=stop)
        task = asyncio.create_task(run.main())
        while len(run.log) < 40:
            await asyncio.sleep(0)
        stop.set()
        await task
        return run

    run = leaping.run(main())
    assert {kind for _, kind, *_ in run.completions} == {"ok"}
    check_history(run)


def test_stopping_ends_a_wait_for_the_future():
    async def main():
        stop = asyncio.Event()
        run = Run([gen.delay(3600, gen.repeat("a")), gen.sleep(3600)], concurrency=2, stop=stop)
        task = asyncio.create_task(run.main())
        while ("a", 0) not in run.log:
            await asyncio.sleep(0)
        stop.set()
        await task
        return run

    assert leaping.run(main()).completions == [(0, "ok", "a", None)]


def test_operations_begin_when_they_are_due_and_not_before():
    run = Run(gen.delay(0.005, gen.repeat("a", times=5)), concurrency=3).go()
    times = [op.time for op in run.recorder.history() if op.type == "invoke"]
    assert all(time - times[0] >= nth * 5e6 - 1000 for nth, time in enumerate(times))


def test_sleeps_and_logs_are_carried_out_but_not_recorded(caplog):
    caplog.set_level("INFO", logger="windtunnel")
    run = Run(gen.phases("a", gen.sleep(0.005), gen.log("half way"), "b"), concurrency=2).go()
    assert [f for _, _, f, _ in run.completions] == ["a", "b"]
    assert "half way" in caplog.text
    ok_a, invoke_b = list(run.recorder.history())[1:3]
    assert invoke_b.time - ok_a.time >= 5e6 - 1000


def test_completions_come_before_new_invocations():
    run = Run(gen.until_ok(gen.repeat("a")), concurrency=1).go()
    assert run.completions == [(0, "ok", "a", None)]


def test_a_completion_changes_what_was_planned():
    run = Run(gen.until_ok(gen.delay(0.01, gen.repeat("a"))), concurrency=2).go()
    assert run.completions == [(0, "ok", "a", None)]


def test_a_later_run_goes_on_with_fresh_processes():
    async def main():
        run = Run(gen.repeat("info", times=5), concurrency=3)
        following = await run.main()
        run.source, run.options["first_process"] = gen.repeat("a", times=4), following
        run.options["concurrency"] = 2
        await run.main()
        return run, following

    run, following = leaping.run(main())
    assert following == 8
    assert sorted({process for process, _, f, _ in run.completions if f == "a"}) == [8, 9]
    check_history(run)


def test_a_seed_gives_clients_seeds_of_their_own():
    def seeds(seed):
        given = {}

        def make(context):
            given[context.process] = context.seed
            return Client(context, [])

        Run(gen.repeat("info", times=6), concurrency=2, client=make, seed=seed).go()
        return given

    assert seeds(1) == seeds(1)
    assert len(set(seeds(1).values()) | set(seeds(2).values())) == 12


def test_a_long_run_of_every_outcome_keeps_processes_apart():
    source = gen.limit(600, gen.mix(*[gen.repeat(f) for f in ("a", "yield", "fail", "info", "raise")]))
    run = Run(source, concurrency=7).go()
    assert len(run.completions) == 600
    check_history(run)


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"op_timeout_s": 0}, {"close_timeout_s": -1}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        Run("a", **options).go()
