"""One small test per key, many of them in one run: Jepsen's ``independent`` generators.

A checker of a single object costs more than linearly in the length of its history, so that many keys
with short histories find more than one key with a long one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from history.op import Op
from workloads.generators.context import Context, Group, Thread
from workloads.generators.core import NOTHING, PENDING, Generator, Pending, Source, Step, lift
from workloads.generators.errors import GeneratorError, check_count
from workloads.generators.threads import clients, group_of

Make: TypeAlias = Callable[[Any], Source]
MOST_EMPTY: Final = 10_000


def sequential_keys(keys: Sequence[Any], make: Make) -> Generator:
    """All threads together on one key after another.

    ``make(key)``, a pure function, gives the source for a key; its operations get that ``key``.
    ``range(10**9)`` is an endless sequence of keys.
    """
    return _SequentialKeys(_checked(keys), make, 0, _Active(-1, None, NOTHING))


def concurrent_keys(threads: int, keys: Sequence[Any], make: Make) -> Generator:
    """The clients in groups of ``threads``, each on a key of its own and then on the next one free.

    As ``sequential_keys`` otherwise. Raises GeneratorError, when asked, if the client threads can't be
    divided into such groups.
    """
    per_key = check_count("threads", threads, least=1)
    return clients(_ConcurrentKeys(per_key, _checked(keys), make, (), 0, {}))


class _Active(NamedTuple):
    """What a group is at: the key, and the generator for it."""

    place: int
    key: Any
    gen: Generator

    def with_gen(self, gen: Generator) -> _Active:
        return self if gen is self.gen else _Active(self.place, self.key, gen)


class _Asked(NamedTuple):
    """An active key with what it answered: None when all keys are used up."""

    active: _Active
    step: Step
    following: int


def _ask(active: _Active, following: int, keys: Sequence[Any], make: Make, context: Context) -> _Asked:
    """Ask the active key, and as long as one is exhausted the next."""
    for _ in range(MOST_EMPTY):
        if (step := active.gen.op(context)) is not None or following >= len(keys):
            return _Asked(active, step, following)
        active = _Active(following, keys[following], lift(make(keys[following])))
        following += 1
    raise GeneratorError(
        f"{MOST_EMPTY} keys in a row had no operation, the last was {active.key!r}: "
        "the function of a key must give a source that is not empty"
    )


@dataclass(frozen=True, slots=True)
class _SequentialKeys:
    keys: Sequence[Any]
    make: Make
    following: int
    active: _Active

    def op(self, context: Context) -> Step:
        asked = _ask(self.active, self.following, self.keys, self.make, context)
        if asked.step is None:
            return None
        op, after = asked.step
        active = asked.active.with_gen(after)
        return _keyed(op, active.key), _SequentialKeys(self.keys, self.make, asked.following, active)

    def update(self, context: Context, event: Op) -> Generator:
        active = _updated(self.active, context, event)
        if active is self.active:
            return self
        return _SequentialKeys(self.keys, self.make, self.following, active)


@dataclass(frozen=True, slots=True)
class _ConcurrentKeys:
    """``active`` holds by group number what each group is at; ``groups`` is known once it was asked."""

    per_key: int
    keys: Sequence[Any]
    make: Make
    groups: tuple[Group, ...]
    following: int
    active: Mapping[int, _Active]

    def op(self, context: Context) -> Step:
        groups = self.groups or self._divide(context)
        active, following = dict(self.active), self.following
        best: tuple[int, Op, Generator] | None = None
        pending = not context.all_free
        for number in _groups_of(context.free, groups):
            start = active.get(number, _IDLE)
            asked = _ask(start, following, self.keys, self.make, context.within(groups[number]))
            active[number], following = asked.active, asked.following
            if asked.step is None:
                continue
            op, after = asked.step
            if op is PENDING:
                pending = True
                active[number] = asked.active.with_gen(after)
            elif best is None or op.time < best[1].time:
                best = number, op, after
                if op.time <= context.time:
                    break
        if best is not None:
            number, op, after = best
            active[number] = active[number].with_gen(after)
            return _keyed(op, active[number].key), self._with(groups, following, active)
        return (PENDING, self._with(groups, following, active)) if pending else None

    def update(self, context: Context, event: Op) -> Generator:
        groups = self.groups or self._divide(context)
        (number,) = _groups_of((context.thread_of(event.process),), groups)
        before = self.active.get(number, _IDLE)
        after = _updated(before, context.within(groups[number]), event)
        if after is before:
            return self
        return self._with(groups, self.following, {**self.active, number: after})

    def _with(
        self, groups: tuple[Group, ...], following: int, active: Mapping[int, _Active]
    ) -> Generator:
        return _ConcurrentKeys(self.per_key, self.keys, self.make, groups, following, active)

    def _divide(self, context: Context) -> tuple[Group, ...]:
        threads, size = context.threads, self.per_key
        if len(threads) % size:
            raise GeneratorError(
                f"concurrent_keys needs client threads in a multiple of {size}, but there are "
                f"{len(threads)}: change the concurrency or the threads per key"
            )
        return tuple([group_of(threads[n : n + size]) for n in range(0, len(threads), size)])


_IDLE: Final = _Active(-1, None, NOTHING)


def _groups_of(threads: Sequence[Thread], groups: Sequence[Group]) -> list[int]:
    """Numbers of the groups that have any of ``threads``, in the threads' order."""
    numbers = [n for thread in threads for n, group in enumerate(groups) if thread in group.members]
    return list(dict.fromkeys(numbers))


def _updated(active: _Active, context: Context, event: Op) -> _Active:
    if event.key != active.key:
        return active
    return active.with_gen(active.gen.update(context, event))


def _keyed(op: Op | Pending, key: Any) -> Op | Pending:
    if op is PENDING or op.type != "invoke":
        return op
    return Op(op.index, op.time, op.process, op.type, op.f, key, op.value, op.error, op.node)


def _checked(keys: Sequence[Any]) -> Sequence[Any]:
    if isinstance(keys, Sequence) and not isinstance(keys, str):
        return keys
    raise GeneratorError(
        f"keys must be a list, a tuple or a range, not {type(keys).__name__}: range(10**9) is endless"
    )
