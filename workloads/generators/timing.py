"""When: time_limit, stagger, delay, sleep, log."""

from __future__ import annotations

from dataclasses import dataclass

from history.op import Op
from workloads.generators.context import Context, advance, scramble
from workloads.generators.core import PENDING, Generator, Source, Step, instruction, lift, retimed
from workloads.generators.errors import check_seconds


def time_limit(limit_s: float, source: Source) -> Generator:
    """``source`` for so many seconds from its first operation on; those under way are waited for."""
    return _TimeLimit(check_seconds("limit_s", limit_s), None, lift(source))


def stagger(interval_s: float, source: Source) -> Generator:
    """``source`` at about one operation every ``interval_s`` seconds, over all threads together.

    Intervals are drawn evenly from 0 to twice that, as in Jepsen. The first operation comes at once.
    """
    return _Stagger(2 * check_seconds("interval_s", interval_s), None, None, lift(source))


def delay(interval_s: float, source: Source) -> Generator:
    """``source`` at one operation every ``interval_s`` seconds, or later if no thread is free then."""
    return _Delay(check_seconds("interval_s", interval_s), None, lift(source))


def sleep(duration_s: float) -> Generator:
    """Once: the thread that takes it does nothing for so many seconds. Others go on meanwhile."""
    return instruction("sleep", check_seconds("duration_s", duration_s))


def log(message: str) -> Generator:
    """Once: a line for the run's log."""
    return instruction("log", message)


@dataclass(frozen=True, slots=True)
class _TimeLimit:
    limit: int
    end: int | None
    gen: Generator

    def op(self, context: Context) -> Step:
        if self.end is not None and context.time >= self.end:
            return None
        if (step := self.gen.op(context)) is None:
            return None
        op, after = step
        if op is PENDING:
            return op, self if after is self.gen else _TimeLimit(self.limit, self.end, after)
        end = op.time + self.limit if self.end is None else self.end
        return (op, _TimeLimit(self.limit, end, after)) if op.time < end else None

    def update(self, context: Context, event: Op) -> Generator:
        after = self.gen.update(context, event)
        return self if after is self.gen else _TimeLimit(self.limit, self.end, after)


@dataclass(frozen=True, slots=True)
class _Stagger:
    """``due`` is the earliest time of the next operation; intervals are below ``width``, in ns."""

    width: int
    due: int | None
    stream: int | None
    gen: Generator

    def op(self, context: Context) -> Step:
        stream, due = self.stream, self.due
        if stream is None:
            stream, context = context.split()
        if (step := self.gen.op(context)) is None:
            return None
        op, after = step
        if op is PENDING:
            return op, self if after is self.gen else _Stagger(self.width, due, self.stream, after)
        if due is not None and due > op.time:
            op = retimed(op, due)
        following = op.time + (scramble(stream) * self.width >> 64)
        return op, _Stagger(self.width, following, advance(stream), after)

    def update(self, context: Context, event: Op) -> Generator:
        after = self.gen.update(context, event)
        return self if after is self.gen else _Stagger(self.width, self.due, self.stream, after)


@dataclass(frozen=True, slots=True)
class _Delay:
    interval: int
    due: int | None
    gen: Generator

    def op(self, context: Context) -> Step:
        if (step := self.gen.op(context)) is None:
            return None
        op, after = step
        if op is PENDING:
            return op, self if after is self.gen else _Delay(self.interval, self.due, after)
        if self.due is not None and self.due > op.time:
            op = retimed(op, self.due)
        return op, _Delay(self.interval, op.time + self.interval, after)

    def update(self, context: Context, event: Op) -> Generator:
        after = self.gen.update(context, event)
        return self if after is self.gen else _Delay(self.interval, self.due, after)
