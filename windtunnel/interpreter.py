"""Drives a generator against clients and records what happens, as Jepsen's interpreter does.

Each thread takes at most one operation at a time; a thread acts as a process, and each process has a
client and a task of its own. Everything is asyncio on the running loop, in virtual time or real.
Completions are dealt with before new invocations. Nothing polls: the interpreter sleeps until an
operation completes, times out or falls due.

What becomes of an operation that its client does not complete:

- the client can't be opened: ``fail``, ``no-client: ...``; the process tries again with its next one;
- ``invoke`` raises: ``info``, ``indeterminate: ...``;
- it takes longer than the time-out: ``info``, ``timed-out``;
- the run is cancelled or breaks down: ``info``, ``interrupted``.

After an ``info`` the process never acts again; its thread goes on as process ``process + concurrency``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, cast

from cluster.api import Endpoint
from history.errors import HistoryError
from history.jsonl import Recorder
from history.op import Op
from windtunnel.processes import MakeClient, Processes, Terms
from workloads.generators import (
    NS_PER_S,
    PENDING,
    Context,
    Generator,
    GeneratorError,
    Source,
    Step,
    Thread,
    checked,
    is_instruction,
    lift,
    start_context,
)

MOST_AT_ONCE: Final = 100_000
_log: Final = logging.getLogger(__name__)


class ClientError(TypeError):
    """A client answered with something that is no completion of the operation it was given."""


async def run_generator(
    generator: Source,
    *,
    client: MakeClient,
    endpoints: Mapping[str, Endpoint],
    concurrency: int,
    recorder: Recorder,
    seed: int,
    op_timeout_s: float = 5.0,
    close_timeout_s: float = 1.0,
    reopen_delay_s: float = 0.1,
    stop: asyncio.Event | None = None,
    first_process: int = 0,
    ports: Mapping[str, Mapping[str, Endpoint]] | None = None,
) -> int:
    """Perform what ``generator`` says until it is exhausted and all operations have completed.

    Clients are told ``endpoints``, by node, and ``ports``, the same of each named port.
    ``concurrency`` is the number of threads. An operation, the opening of its client included, may
    take ``op_timeout_s``; closing a client ``close_timeout_s``; a thread whose client can't be opened
    rests for ``reopen_delay_s``. Once ``stop`` is set nothing new begins. Processes count from the
    first multiple of ``concurrency`` that is not below ``first_process``; returned is the number from
    which on no process has acted, for whoever goes on with the same history.

    Raises GeneratorError for a generator that gives what can't be performed, or that waits though
    nothing is under way, or that goes on though no time passes; ClientError for an answer that is no
    completion; HistoryError if the history can't be written; and whatever ``client`` raises. However it
    ends, every invocation has its completion and the clients are closed.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    if op_timeout_s <= 0 or close_timeout_s <= 0 or reopen_delay_s < 0:
        raise ValueError("op_timeout_s and close_timeout_s must be above 0, reopen_delay_s at least 0")
    terms = Terms(client, endpoints, seed, close_timeout_s, reopen_delay_s, ports or {})
    first = -(-first_process // concurrency) * concurrency
    context = start_context(concurrency, seed=seed, first_process=first)
    run = _Run(terms, recorder, lift(generator), context, round(op_timeout_s * NS_PER_S))
    try:
        await run.drive(stop)
    except BaseException:
        run.interrupt()
        raise
    finally:
        await run.shut_down()
    return run.next_process()


class _Run:
    """The state of a run. Times without a unit are in ns since its start, as generators have them.

    ``planned`` is the generator's answer for the future, good until the next completion.
    """

    def __init__(
        self,
        terms: Terms,
        recorder: Recorder,
        generator: Generator,
        context: Context,
        op_timeout: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._processes = Processes(terms, self._report, self._fail)
        self._op_timeout = op_timeout
        self._recorder = recorder
        self._generator = generator
        self._context = context
        self._planned: Step = None
        self._exhausted = False
        self._error: BaseException | None = None
        self._outstanding: dict[Thread, Op] = {}
        self._answers: deque[tuple[Op, Op]] = deque()
        self._rests: dict[Thread, asyncio.TimerHandle] = {}
        self._origin_s = self._loop.time()
        self._reached = 0
        self._begun_at, self._begun = 0, 0
        self._deadlines: deque[tuple[int, Op]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Future[None] | None = None

    async def drive(self, stop: asyncio.Event | None) -> None:
        """Go on until nothing is left to begin and everything begun is complete."""
        watcher = None if stop is None else self._loop.create_task(self._watch(stop))
        try:
            while True:
                self._catch_up()
                stopping = stop is not None and stop.is_set()
                due = None if stopping else self._begin_all()
                if self._exhausted or (stopping and not self._outstanding):
                    return
                await self._wait(due)
        finally:
            if watcher is not None:
                watcher.cancel()

    def interrupt(self) -> None:
        """Complete the history: what has been answered counts, all else may have happened."""
        with suppress(Exception):
            self._take_answers()
        with suppress(HistoryError):
            for op in self._outstanding.values():
                self._recorder.record(op.completed("info", error="interrupted"))

    async def shut_down(self) -> None:
        """Close all clients; bounded in time."""
        for timer in (self._alarm, *self._rests.values()):
            if timer is not None:
                timer.cancel()
        await self._processes.shut_down()

    def next_process(self) -> int:
        """The least number that is above all processes so far."""
        return 1 + max(cast(int, process) for process in self._context.processes.values())

    def _begin_all(self) -> int | None:
        """Begin all that can begin now; when the next one falls due, None if that is unknown."""
        while self._context.free:
            context = self._context = self._context.at(self._now())
            step = self._planned or checked(self._generator.op(context), context)
            if step is None:
                self._exhausted = context.all_free
                return None
            op, after = step
            if op is not PENDING and op.time > context.time:
                self._planned = step
                return op.time
            self._planned = None
            self._generator = after
            if op is PENDING:
                _check_that_it_can_end(context)
                return None
            self._begin(op)
        return None

    def _begin(self, op: Op) -> None:
        self._check_that_time_passes()
        thread = self._context.thread_of(op.process)
        if is_instruction(op):
            self._rest(thread, op)
        else:
            op = self._recorder.record(op)
            self._outstanding[thread] = op
            self._deadlines.append((self._context.time + self._op_timeout, op))
            self._processes.give(thread, op)
        self._context = self._context.invoked(thread, self._context.time)
        self._generator = self._generator.update(self._context, op)

    def _check_that_time_passes(self) -> None:
        """In virtual time a generator without end would hang if its operations took no time."""
        if self._context.time > self._begun_at:
            self._begun_at, self._begun = self._context.time, 0
        self._begun += 1
        if self._begun > MOST_AT_ONCE:
            raise GeneratorError(
                f"{MOST_AT_ONCE:,} operations began at {self._begun_at} ns and no time passes: "
                "put stagger(...) or delay(...) around the generator"
            )

    def _rest(self, thread: Thread, op: Op) -> None:
        rest_s = op.value / NS_PER_S if op.f == "sleep" else 0.0
        if op.f == "log":
            _log.info("%s", op.value)
        self._rests[thread] = self._loop.call_later(rest_s, self._report, op, op)

    def _catch_up(self) -> None:
        self._take_answers()
        if self._error is not None:
            raise self._error
        self._time_out()

    def _take_answers(self) -> None:
        while self._answers:
            op, answer = self._answers.popleft()
            thread = self._context.thread_of(op.process)
            if is_instruction(op):
                del self._rests[thread]
                self._advance(thread, op, crashed=False)
            elif self._outstanding.get(thread) is op:
                self._complete(thread, _sound(op, answer))

    def _complete(self, thread: Thread, answer: Op) -> None:
        event = self._recorder.record(answer)
        del self._outstanding[thread]
        crashed = event.type == "info"
        if crashed:
            self._processes.retire(thread)
        self._advance(thread, event, crashed=crashed)

    def _advance(self, thread: Thread, event: Op, *, crashed: bool) -> None:
        self._planned = None
        self._context = self._context.completed(thread, self._now(), crashed=crashed)
        self._generator = self._generator.update(self._context, event)

    def _time_out(self) -> None:
        """Give up what has taken too long."""
        deadlines = self._deadlines
        while deadlines:
            deadline, op = deadlines[0]
            thread = self._context.thread_of(op.process)
            if self._outstanding.get(thread) is op:
                if deadline > self._now():
                    break
                self._give_up(thread, op)
            deadlines.popleft()

    def _give_up(self, thread: Thread, op: Op) -> None:
        if self._processes.invoking(thread):
            self._complete(thread, op.completed("info", error="timed-out"))
        else:
            self._processes.retire(thread)
            self._complete(thread, op.completed("fail", error="no-client: timed-out"))

    def _report(self, op: Op, answer: Op) -> None:
        self._answers.append((op, answer))
        self._wake()

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._wake()

    def _now(self) -> int:
        return max(self._reached, round((self._loop.time() - self._origin_s) * NS_PER_S))

    def _call_at(self, time: int, callback: Callable[[int], None]) -> asyncio.TimerHandle:
        return self._loop.call_at(self._origin_s + time / NS_PER_S, callback, time)

    async def _wait(self, due: int | None) -> None:
        """Until something happens, or it is ``due``, or the oldest operation may have timed out."""
        if self._deadlines and self._alarm is None:
            self._alarm = self._call_at(self._deadlines[0][0], self._ring)
        self._waiting = self._loop.create_future()
        timer = None if due is None else self._call_at(due, self._reach)
        try:
            await self._waiting
        finally:
            self._waiting = None
            if timer is not None:
                timer.cancel()

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake()

    def _ring(self, time: int) -> None:
        self._alarm = None
        self._reach(time)

    def _reach(self, time: int) -> None:
        """It is ``time``, whatever the loop's clock says after rounding."""
        self._reached = max(self._reached, time)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _check_that_it_can_end(context: Context) -> None:
    if context.all_free:
        raise GeneratorError(
            "the generator gives PENDING though nothing is under way that could end its waiting: "
            "it must give an operation, maybe one in the future, or None"
        )


def _sound(op: Op, answer: Any) -> Op:
    """``answer`` if it completes ``op``, else ClientError."""
    if (
        type(answer) is Op
        and answer.type in ("ok", "fail", "info")
        and (answer.process, answer.f) == (op.process, op.f)
    ):
        return answer
    raise ClientError(
        f"the client of process {op.process} answered {op.f!r} (op {op.index}) with {answer!r}: "
        "return op.completed('ok', value=...), or 'fail' or 'info'"
    )
