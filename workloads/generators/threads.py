"""Who: on_threads, clients, nemesis, each_thread, reserve; and in step: synchronize, phases, then."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from history.op import NEMESIS, Op
from workloads.generators.choice import Offer, soonest
from workloads.generators.context import Context, Group, Thread, advance
from workloads.generators.core import PENDING, Generator, Source, Step, concat, lift
from workloads.generators.errors import GeneratorError, check_count

Selection: TypeAlias = Collection[Thread] | Callable[[Thread], bool]


def on_threads(threads: Selection, source: Source) -> Generator:
    """``source`` on some threads only: those in a collection, or those a predicate holds for.

    Raises GeneratorError, when asked, if the run has none of them.
    """
    if callable(threads):
        return _OnThreads(threads, None, lift(source))
    members = frozenset(threads)
    return _OnThreads(members.__contains__, None, lift(source))


def clients(source: Source) -> Generator:
    """``source`` on all threads but the nemesis's."""
    return on_threads(_is_client, source)


def nemesis(source: Source) -> Generator:
    """``source`` on the nemesis's thread."""
    return on_threads((NEMESIS,), source)


def each_thread(source: Source) -> Generator:
    """A ``source`` of its own for every thread, which sees only that thread and its completions."""
    return _EachThread(lift(source), {})


def reserve(*pools: tuple[int, Source], rest: Source = None) -> Generator:
    """Threads set apart: ``reserve((5, writes), (2, cas), rest=reads)``.

    The first 5 threads do ``writes``, the next 2 ``cas``, all others ``rest``. When several could act
    at once it falls at random, in proportion to their threads. Raises GeneratorError, when asked, if the
    run has too few threads.
    """
    if not pools:
        raise GeneratorError("reserve needs at least one pool: reserve((5, writes), rest=reads)")
    for pool in pools:
        if not isinstance(pool, tuple) or len(pool) != 2:
            raise GeneratorError(f"a pool of reserve is (threads, source), not {pool!r}")
    counts = tuple([check_count("threads of a pool", count, least=1) for count, _ in pools])
    gens = (*[lift(source) for _, source in pools], lift(rest))
    return _Reserve(counts, (), gens, None)


def synchronize(source: Source) -> Generator:
    """``source``, begun when all threads are free at once."""
    return _Synchronize(lift(source))


def phases(*sources: Source) -> Generator:
    """Each source in turn, begun when everything of the one before has completed."""
    return concat(*[synchronize(source) for source in sources])


def then(first: Source, second: Source) -> Generator:
    """``first``, and when everything of it has completed ``second``."""
    return concat(first, synchronize(second))


def _is_client(thread: Thread) -> bool:
    return thread != NEMESIS


def group_of(threads: tuple[Thread, ...]) -> Group:
    """These threads as a group."""
    return Group(frozenset(threads), threads)


@dataclass(frozen=True, slots=True)
class _OnThreads:
    """``group`` are the selected threads of the run, known once it has been asked."""

    selects: Callable[[Thread], bool]
    group: Group | None
    gen: Generator

    def op(self, context: Context) -> Step:
        group = self.group or self._select(context)
        if (step := self.gen.op(context.within(group))) is None:
            return None
        op, after = step
        if after is self.gen and group is self.group:
            return op, self
        return op, _OnThreads(self.selects, group, after)

    def update(self, context: Context, event: Op) -> Generator:
        if not self.selects(context.thread_of(event.process)):
            return self
        group = self.group or self._select(context)
        after = self.gen.update(context.within(group), event)
        return self if after is self.gen else _OnThreads(self.selects, group, after)

    def _select(self, context: Context) -> Group:
        threads = tuple([thread for thread in context.threads if self.selects(thread)])
        if not threads:
            there = ", ".join(map(str, context.threads))
            raise GeneratorError(f"on_threads selects none of the threads there are ({there})")
        return group_of(threads)


@dataclass(frozen=True, slots=True)
class _EachThread:
    """``gens`` has the generators of those threads that have begun."""

    fresh: Generator
    gens: Mapping[Thread, Generator]

    def op(self, context: Context) -> Step:
        best: tuple[Op, Generator, Thread] | None = None
        pending = not context.all_free
        for thread in context.free:
            step = self.gens.get(thread, self.fresh).op(context.only(thread))
            if step is None:
                continue
            op, after = step
            if op is PENDING:
                pending = True
            elif best is None or op.time < best[0].time:
                best = op, after, thread
                if op.time <= context.time:
                    break
        if best is not None:
            return best[0], _EachThread(self.fresh, {**self.gens, best[2]: best[1]})
        return (PENDING, self) if pending else None

    def update(self, context: Context, event: Op) -> Generator:
        thread = context.thread_of(event.process)
        gen = self.gens.get(thread, self.fresh)
        after = gen.update(context.within(group_of((thread,))), event)
        return self if after is gen else _EachThread(self.fresh, {**self.gens, thread: after})


@dataclass(frozen=True, slots=True)
class _Reserve:
    """``gens`` has one generator per pool and the rest's; so has ``groups`` once it was asked."""

    counts: tuple[int, ...]
    groups: tuple[Group, ...]
    gens: tuple[Generator, ...]
    stream: int | None

    def op(self, context: Context) -> Step:
        stream, groups = self.stream, self.groups or self._divide(context)
        if stream is None:
            stream, context = context.split()
        offers: list[Offer] = []
        pending = False
        for place, (gen, group) in enumerate(zip(self.gens, groups, strict=True)):
            step = gen.op(context.within(group)) if group.threads else None
            if step is None:
                continue
            if step[0] is PENDING:
                pending = True
            else:
                offers.append(Offer(step[0], step[1], place, len(group.threads)))
        if offers:
            return self._take(soonest(offers, stream), groups, stream)
        return (PENDING, self) if pending else None

    def _take(self, best: Offer, groups: tuple[Group, ...], stream: int) -> Step:
        gens = (*self.gens[: best.place], best.after, *self.gens[best.place + 1 :])
        return best.op, _Reserve(self.counts, groups, gens, advance(stream))

    def update(self, context: Context, event: Op) -> Generator:
        groups = self.groups or self._divide(context)
        thread = context.thread_of(event.process)
        place = next(n for n, group in enumerate(groups) if thread in group.members)
        gen = self.gens[place]
        after = gen.update(context.within(groups[place]), event)
        if after is gen:
            return self
        gens = (*self.gens[:place], after, *self.gens[place + 1 :])
        return _Reserve(self.counts, groups, gens, self.stream)

    def _divide(self, context: Context) -> tuple[Group, ...]:
        threads, groups = context.threads, []
        if sum(self.counts) > len(threads):
            raise GeneratorError(
                f"reserve sets {sum(self.counts)} threads apart, but there are {len(threads)}: "
                "raise the concurrency or make its pools smaller"
            )
        for count in self.counts:
            groups.append(group_of(threads[:count]))
            threads = threads[count:]
        return (*groups, group_of(threads))


@dataclass(frozen=True, slots=True)
class _Synchronize:
    gen: Generator

    def op(self, context: Context) -> Step:
        return self.gen.op(context) if context.all_free else (PENDING, self)

    def update(self, context: Context, event: Op) -> Generator:
        return self
