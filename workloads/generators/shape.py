"""How often: repeat, cycle, limit, numbered, until_ok, process_limit; and what: map, filter, f_map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from history.op import Op, Process
from workloads.generators.context import Context
from workloads.generators.core import NOTHING, PENDING, Generator, Source, Step, chain, concat, lift
from workloads.generators.errors import GeneratorError, check_count

MOST_REJECTED: Final = 100_000


def repeat(source: Source, *, times: int | None = None) -> Generator:
    """The first operation of ``source`` over and over, endlessly or ``times`` times in all."""
    return _Repeat(lift(source), None if times is None else check_count("times", times))


def cycle(*sources: Source, times: int | None = None) -> Generator:
    """All the sources in turn, and again from the start, endlessly or ``times`` times in all."""
    whole = concat(*sources)
    return _Cycle(whole, whole, None if times is None else check_count("times", times))


def limit(operations: int, source: Source) -> Generator:
    """At most so many operations of ``source``, sleeps and logs among them."""
    return _Limit(check_count("operations", operations), lift(source))


def numbered(function: Callable[[int], Source], *, start: int = 0) -> Generator:
    """``function(start)``, then ``function(start + 1)``, and so on until it returns None.

    The pure way to values that are never written twice: ``numbered(lambda n: invoke("write", n))``.
    """
    return _Numbered(function, start)


def until_ok(source: Source) -> Generator:
    """``source`` until one of its operations is ``ok``; what is under way then is not called back."""
    return _UntilOk(lift(source), frozenset())


def process_limit(processes: int, source: Source) -> Generator:
    """``source`` until more than so many client processes would have had the chance to take part.

    Processes are used up by crashes; this bounds what a search over open operations costs.
    """
    return _ProcessLimit(check_count("processes", processes), frozenset(), lift(source))


def map(function: Callable[[Op], Op], source: Source) -> Generator:
    """Every operation of ``source`` as ``function`` changes it; process and time must stay."""
    return _Map(function, lift(source))


def filter(predicate: Callable[[Op], bool], source: Source) -> Generator:
    """Only those operations of ``source`` that ``predicate`` holds for.

    Raises GeneratorError, when asked, if it rejects 100,000 of them in a row.
    """
    return _Filter(predicate, lift(source))


def f_map(names: Mapping[str, str], source: Source) -> Generator:
    """``source`` with its functions renamed: ``{"start": "start-partition"}``; others stay."""
    table = dict(names)
    return map(lambda op: replace(op, f=table[op.f]) if op.f in table else op, source)


@dataclass(frozen=True, slots=True)
class _Repeat:
    gen: Generator
    remaining: int | None

    def op(self, context: Context) -> Step:
        if self.remaining == 0 or (step := self.gen.op(context)) is None:
            return None
        op = step[0]
        if op is PENDING or self.remaining is None:
            return op, self
        return op, _Repeat(self.gen, self.remaining - 1) if self.remaining > 1 else NOTHING

    def update(self, context: Context, event: Op) -> Generator:
        after = self.gen.update(context, event)
        return self if after is self.gen else _Repeat(after, self.remaining)


@dataclass(frozen=True, slots=True)
class _Cycle:
    whole: Generator
    current: Generator
    remaining: int | None

    def op(self, context: Context) -> Step:
        if self.remaining == 0:
            return None
        step, remaining = self.current.op(context), self.remaining
        if step is None:
            remaining = None if remaining is None else remaining - 1
            step = None if remaining == 0 else self.whole.op(context)
        return step and (step[0], _Cycle(self.whole, step[1], remaining))

    def update(self, context: Context, event: Op) -> Generator:
        after = self.current.update(context, event)
        return self if after is self.current else _Cycle(self.whole, after, self.remaining)


@dataclass(frozen=True, slots=True)
class _Limit:
    remaining: int
    gen: Generator

    def op(self, context: Context) -> Step:
        if self.remaining == 0 or (step := self.gen.op(context)) is None:
            return None
        op, after = step
        if op is PENDING:
            return op, self if after is self.gen else _Limit(self.remaining, after)
        return op, _Limit(self.remaining - 1, after) if self.remaining > 1 else NOTHING

    def update(self, context: Context, event: Op) -> Generator:
        after = self.gen.update(context, event)
        return self if after is self.gen else _Limit(self.remaining, after)


@dataclass(frozen=True, slots=True)
class _Numbered:
    function: Callable[[int], Source]
    number: int

    def op(self, context: Context) -> Step:
        if not context.free:
            return PENDING, self
        step = lift(self.function(self.number)).op(context)
        return step and (step[0], chain(step[1], _Numbered(self.function, self.number + 1)))

    def update(self, context: Context, event: Op) -> Generator:
        return self


@dataclass(frozen=True, slots=True)
class _UntilOk:
    """``active`` are the processes with one of our operations under way."""

    gen: Generator
    active: frozenset[Process]

    def op(self, context: Context) -> Step:
        if (step := self.gen.op(context)) is None:
            return None
        op, after = step
        active = self.active if op is PENDING else self.active | {op.process}
        return op, _UntilOk(after, active)

    def update(self, context: Context, event: Op) -> Generator:
        after = self.gen.update(context, event)
        if event.type == "invoke" or event.process not in self.active:
            return self if after is self.gen else _UntilOk(after, self.active)
        if event.type == "ok":
            return NOTHING
        return _UntilOk(after, self.active - {event.process})


@dataclass(frozen=True, slots=True)
class _ProcessLimit:
    most: int
    seen: frozenset[Process]
    gen: Generator

    def op(self, context: Context) -> Step:
        if (step := self.gen.op(context)) is None:
            return None
        op, after = step
        if op is PENDING:
            return op, _ProcessLimit(self.most, self.seen, after)
        present = [context.processes[thread] for thread in context.threads]
        seen = self.seen.union([process for process in present if isinstance(process, int)])
        return (op, _ProcessLimit(self.most, seen, after)) if len(seen) <= self.most else None

    def update(self, context: Context, event: Op) -> Generator:
        after = self.gen.update(context, event)
        return self if after is self.gen else _ProcessLimit(self.most, self.seen, after)


@dataclass(frozen=True, slots=True)
class _Map:
    function: Callable[[Op], Op]
    gen: Generator

    def op(self, context: Context) -> Step:
        if (step := self.gen.op(context)) is None:
            return None
        op, after = step
        after = self if after is self.gen else _Map(self.function, after)
        return op if op is PENDING else self.function(op), after

    def update(self, context: Context, event: Op) -> Generator:
        after = self.gen.update(context, event)
        return self if after is self.gen else _Map(self.function, after)


@dataclass(frozen=True, slots=True)
class _Filter:
    predicate: Callable[[Op], bool]
    gen: Generator

    def op(self, context: Context) -> Step:
        gen = self.gen
        for _ in range(MOST_REJECTED):
            if (step := gen.op(context)) is None:
                return None
            op, gen = step
            if op is PENDING or self.predicate(op):
                return op, self if gen is self.gen else _Filter(self.predicate, gen)
        raise GeneratorError(
            f"filter rejected {MOST_REJECTED:,} operations in a row: its predicate seems never to hold; "
            "put limit(...) around its source"
        )

    def update(self, context: Context, event: Op) -> Generator:
        after = self.gen.update(context, event)
        return self if after is self.gen else _Filter(self.predicate, after)
