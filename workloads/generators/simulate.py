"""What a generator would do, without a cluster and without waiting: for tests of generators.

After ``jepsen.generator.test``: operations complete as a function says, in virtual time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from history.op import Op, OpType
from workloads.generators.context import Context, Thread, start_context
from workloads.generators.core import PENDING, Source, is_instruction, lift, retimed
from workloads.generators.errors import GeneratorError
from workloads.generators.validation import checked

Outcome: TypeAlias = Literal["ok", "fail", "info"]
Complete: TypeAlias = Callable[[Thread, int], tuple[OpType, int]]
"""``complete(thread, nth)`` -> type and latency in ns of a thread's nth operation, from 0."""

LATENCY: Final = 10
_CYCLE: Final[tuple[Outcome, ...]] = ("fail", "info", "ok")


def quick(thread: Thread, nth: int) -> tuple[OpType, int]:
    """Everything succeeds in no time."""
    return "ok", 0


def perfect(thread: Thread, nth: int) -> tuple[OpType, int]:
    """Everything succeeds, in 10 ns."""
    return "ok", LATENCY


def perfect_info(thread: Thread, nth: int) -> tuple[OpType, int]:
    """Everything crashes, in 10 ns."""
    return "info", LATENCY


def imperfect(thread: Thread, nth: int) -> tuple[OpType, int]:
    """Each thread fails, crashes, succeeds, and so on, each time in 10 ns."""
    return _CYCLE[nth % 3], LATENCY


def simulate(
    source: Source,
    complete: Complete = perfect,
    *,
    concurrency: int = 2,
    nemesis: bool = True,
    seed: int = 0,
    most: int = 1_000_000,
) -> list[Op]:
    """All events of a run, invocations and completions, in order of time; sleeps and logs too.

    ``most`` bounds the invocations, for generators that have no end. Raises GeneratorError as the
    interpreter does.
    """
    gen, context = lift(source), start_context(concurrency, seed=seed, nemesis=nemesis)
    events: list[Op] = []
    under_way: list[tuple[int, int, Thread, Op, bool]] = []
    begun = dict.fromkeys(context.threads, 0)
    serial = 0
    while True:
        step = checked(gen.op(context), context) if serial < most else None
        op = step[0] if step else PENDING
        if step and op is not PENDING and (not under_way or op.time <= under_way[0][0]):
            context, gen = _invoked(context, op), step[1]
            thread = context.thread_of(op.process)
            completion = _completion(op, complete(thread, begun[thread]))
            crashes = completion.type == "info" and not is_instruction(op)
            heapq.heappush(under_way, (completion.time, serial, thread, completion, crashes))
            begun[thread] += 1
            serial += 1
            event = op
        elif under_way:
            time, _, thread, event, crashes = heapq.heappop(under_way)
            context = context.completed(thread, max(time, context.time), crashed=crashes)
        elif step is None:
            break
        else:
            raise GeneratorError("the generator gives PENDING though nothing is under way")
        events.append(event)
        gen = gen.update(context, event)
    return events


def invocations(events: list[Op]) -> list[Op]:
    """The invocations among ``events``."""
    return [event for event in events if event.type == "invoke"]


def _invoked(context: Context, op: Op) -> Context:
    return context.invoked(context.thread_of(op.process), max(op.time, context.time))


def _completion(op: Op, outcome: tuple[OpType, int]) -> Op:
    if is_instruction(op):
        return retimed(op, op.time + (op.value if op.f == "sleep" else 0))
    kind, latency = outcome
    return Op(-1, op.time + latency, op.process, kind, op.f, op.key, op.value)
