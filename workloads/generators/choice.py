"""Which of several: mix, any_of, flip_flop, and the rule by which the soonest operation wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import is_
from typing import NamedTuple

from history.op import Op
from workloads.generators.context import Context, advance, scramble
from workloads.generators.core import NOTHING, PENDING, Generator, Source, Step, lift
from workloads.generators.errors import GeneratorError


class Offer(NamedTuple):
    """An operation that generator number ``place`` would do, and that generator afterwards."""

    op: Op
    after: Generator
    place: int
    weight: int


def soonest(offers: Sequence[Offer], stream: int) -> Offer:
    """The offer with the earliest operation; among equals at random, in proportion to weights."""
    if len(offers) == 1:
        return offers[0]
    first = min([offer.op.time for offer in offers])
    equals = [offer for offer in offers if offer.op.time == first]
    point = scramble(stream) * sum([offer.weight for offer in equals]) >> 64
    for offer in equals:
        point -= offer.weight
        if point < 0:
            return offer
    return equals[-1]


def mix(*sources: Source) -> Generator:
    """Each time an operation of one of the sources, chosen at random, until all are exhausted.

    Name a source twice to have it twice as often. A single operation is exhausted after one, hence
    ``mix(repeat("read"), numbered(write))``. While the chosen source has nothing yet, the next one
    that has something takes its turn.
    """
    return _Mix(_several("mix", sources, least=1), None)


def any_of(*sources: Source) -> Generator:
    """Of all the sources always the operation that comes soonest; a tie falls at random."""
    return _AnyOf(_several("any_of", sources, least=1), None)


def flip_flop(first: Source, second: Source) -> Generator:
    """An operation of ``first``, one of ``second``, and so on in turn, until either is exhausted."""
    return _FlipFlop(lift(first), lift(second))


@dataclass(frozen=True, slots=True)
class _Mix:
    gens: tuple[Generator, ...]
    stream: int | None

    def op(self, context: Context) -> Step:
        stream, gens = self.stream, self.gens
        if stream is None:
            stream, context = context.split()
        chosen = scramble(stream) * len(gens) >> 64
        step = gens[chosen].op(context)
        if step is not None and step[0] is not PENDING:
            return step[0], _Mix(_put(gens, chosen, step[1], ()), advance(stream))
        return self._another(chosen, stream, context)

    def _another(self, chosen: int, stream: int, context: Context) -> Step:
        gens, exhausted = self.gens, list[int]()
        for place in (*range(chosen, len(gens)), *range(chosen)):
            step = gens[place].op(context)
            if step is None:
                exhausted.append(place)
            elif step[0] is not PENDING:
                return step[0], _Mix(_put(gens, place, step[1], exhausted), advance(stream))
        return (PENDING, self) if len(exhausted) < len(gens) else None

    def update(self, context: Context, event: Op) -> Generator:
        after = updated(self.gens, context, event)
        return self if after is self.gens else _Mix(after, self.stream)


@dataclass(frozen=True, slots=True)
class _AnyOf:
    gens: tuple[Generator, ...]
    stream: int | None

    def op(self, context: Context) -> Step:
        stream, gens = self.stream, self.gens
        if stream is None:
            stream, context = context.split()
        offers: list[Offer] = []
        exhausted: list[int] = []
        for place, gen in enumerate(gens):
            step = gen.op(context)
            if step is None:
                exhausted.append(place)
            elif step[0] is not PENDING:
                offers.append(Offer(step[0], step[1], place, 1))
        if offers:
            best = soonest(offers, stream)
            return best.op, _AnyOf(_put(gens, best.place, best.after, exhausted), advance(stream))
        return (PENDING, self) if len(exhausted) < len(gens) else None

    def update(self, context: Context, event: Op) -> Generator:
        after = updated(self.gens, context, event)
        return self if after is self.gens else _AnyOf(after, self.stream)


@dataclass(frozen=True, slots=True)
class _FlipFlop:
    turn: Generator
    other: Generator

    def op(self, context: Context) -> Step:
        if (step := self.turn.op(context)) is None:
            return None
        op, after = step
        if op is PENDING:
            return op, _FlipFlop(after, self.other)
        return op, _FlipFlop(self.other, after)

    def update(self, context: Context, event: Op) -> Generator:
        turn, other = self.turn.update(context, event), self.other.update(context, event)
        return self if turn is self.turn and other is self.other else _FlipFlop(turn, other)


def updated(gens: tuple[Generator, ...], context: Context, event: Op) -> tuple[Generator, ...]:
    """All of them after ``event``; the same tuple when none has changed."""
    after = tuple([gen.update(context, event) for gen in gens])
    return gens if all(map(is_, after, gens)) else after


def _put(
    gens: tuple[Generator, ...], place: int, gen: Generator, exhausted: Sequence[int]
) -> tuple[Generator, ...]:
    if gens[place] is gen and not exhausted:
        return gens
    changed = (*gens[:place], gen, *gens[place + 1 :])
    if not exhausted:
        return changed
    return tuple([gen for n, gen in enumerate(changed) if n not in exhausted])


def _several(name: str, sources: Sequence[Source], *, least: int) -> tuple[Generator, ...]:
    if len(sources) < least:
        raise GeneratorError(f"{name} needs at least {least} source: {name}(source, ...)")
    return tuple([gen for source in sources if (gen := lift(source)) is not NOTHING]) or (NOTHING,)
