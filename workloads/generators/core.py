"""The ground of all generators: the protocol they follow, and what lifts to one.

Generators are pure, as ``jepsen.generator`` has been since 2019: an immutable value that is asked for
an operation and answers with the operation and the generator that is to be asked next. Asking twice
gives the same answer twice. Time is in nanoseconds inside, in seconds in the public functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from history.op import Op, invoke
from workloads.generators.context import Context
from workloads.generators.errors import GeneratorError


class Pending(Enum):
    """The answer "not now, ask again when something has happened"."""

    PENDING = "pending"


PENDING: Final = Pending.PENDING


@runtime_checkable
class Generator(Protocol):
    """A source of operations: an immutable value."""

    def op(self, context: Context) -> Step:
        """The next operation and the generator after it; ``(PENDING, generator)`` when there is
        none yet; None when there will never be one again.

        The operation may lie in the future (``op.time > context.time``). It is then performed at that
        time, unless something happens before; if so, the generator that was asked is asked again.
        """

    def update(self, context: Context, event: Op) -> Generator:
        """The generator after ``event``, the invocation or completion of any thread's operation."""


Step: TypeAlias = tuple[Op | Pending, Generator] | None
Source: TypeAlias = (
    "Generator | Op | str | Mapping[str, Any] | Callable[..., Source] | Sequence[Source] | None"
)
"""Whatever lifts to a generator, see ``lift``."""


def is_instruction(op: Op) -> bool:
    """Whether ``op`` tells a thread to sleep or to log: it never reaches a client nor a history."""
    return op.type == "info"


def lift(source: Source) -> Generator:
    """The generator that ``source`` stands for, as in Jepsen.

    A generator is itself; ``None`` is nothing; an ``Op`` made by ``history.op.invoke``, a mapping with
    ``f`` and maybe ``key`` and ``value``, or a string, the ``f``, is that operation, once; a function
    of a context, or of nothing, is called for a source, over and over until it returns None or an
    empty one; a list or tuple is its elements, one after the other. Raises GeneratorError for
    anything else.
    """
    if isinstance(source, Op):
        return _Once(_template(source))
    if isinstance(source, str):
        return _Once(_template(invoke(source)))
    if source is None:
        return NOTHING
    if isinstance(source, Mapping):
        return _Once(_from_mapping(source))
    if isinstance(source, Generator):
        return source
    if callable(source):
        return _Function(source, _wants_context(source))
    if isinstance(source, Sequence):
        return concat(*source)
    raise GeneratorError(_no_source(source))


def concat(*sources: Source) -> Generator:
    """Each source in turn until it is exhausted; completions are told to the present one only."""
    gens = tuple([gen for source in sources if (gen := lift(source)) is not NOTHING])
    if len(gens) < 2:
        return gens[0] if gens else NOTHING
    return _Concat(gens[0], gens, 1)


def chain(first: Generator, second: Generator) -> Generator:
    """``first`` and then ``second``, which are generators already."""
    return _Concat.of(first, (second,), 0)


def operation(template: Op, context: Context) -> Op:
    """``template`` as an invocation by the thread that has been free longest, at this moment."""
    process = context.processes[context.free[0]]
    return Op(
        -1,
        context.time,
        process,
        template.type,
        template.f,
        template.key,
        template.value,
        template.error,
        template.node,
    )


def instruction(f: str, value: Any) -> Generator:
    """One operation, never recorded, that a thread carries out by itself."""
    return _Once(Op(index=-1, time=-1, process=-1, type="info", f=f, value=value))


def retimed(op: Op, time: int) -> Op:
    """``op`` at another time."""
    return Op(op.index, time, op.process, op.type, op.f, op.key, op.value, op.error, op.node)


@dataclass(frozen=True, slots=True)
class _Nothing:
    def op(self, context: Context) -> Step:
        return None

    def update(self, context: Context, event: Op) -> Generator:
        return self


NOTHING: Final[Generator] = _Nothing()


@dataclass(frozen=True, slots=True)
class _Once:
    template: Op

    def op(self, context: Context) -> Step:
        if not context.free:
            return PENDING, self
        return operation(self.template, context), NOTHING

    def update(self, context: Context, event: Op) -> Generator:
        return self


@dataclass(frozen=True, slots=True)
class _Function:
    """Is not called while no thread is free, so that it may look at ``context.free[0]``."""

    function: Callable[..., Source]
    wants_context: bool

    def op(self, context: Context) -> Step:
        if not context.free:
            return PENDING, self
        source = self.function(context) if self.wants_context else self.function()
        if source is None:
            return None
        if isinstance(source, Op):
            return operation(_template(source), context), self
        step = lift(source).op(context)
        return step and (step[0], chain(step[1], self))

    def update(self, context: Context, event: Op) -> Generator:
        return self


@dataclass(frozen=True, slots=True)
class _Concat:
    current: Generator
    gens: tuple[Generator, ...]
    following: int

    def op(self, context: Context) -> Step:
        current, following = self.current, self.following
        while (step := current.op(context)) is None:
            if following == len(self.gens):
                return None
            current, following = self.gens[following], following + 1
        op, after = step
        if after is self.current and following == self.following:
            return op, self
        return op, _Concat.of(after, self.gens, following)

    def update(self, context: Context, event: Op) -> Generator:
        after = self.current.update(context, event)
        return self if after is self.current else _Concat.of(after, self.gens, self.following)

    @staticmethod
    def of(current: Generator, gens: tuple[Generator, ...], following: int) -> Generator:
        if current is NOTHING and following < len(gens):
            current, following = gens[following], following + 1
        return current if following == len(gens) else _Concat(current, gens, following)


def _template(op: Op) -> Op:
    if op.type != "invoke":
        raise GeneratorError(
            f"generators are made of invocations, but {op.f!r} is of type {op.type!r}: "
            "make it with history.op.invoke(f, value, key=key)"
        )
    return op


def _from_mapping(mapping: Mapping[str, Any]) -> Op:
    unknown = sorted(set(mapping) - {"f", "key", "value"})
    if unknown or not isinstance(mapping.get("f"), str):
        problem = f"unknown {', '.join(map(repr, unknown))}" if unknown else "no 'f' that is a string"
        raise GeneratorError(
            "an operation as a mapping has 'f' and maybe 'key' and 'value'; "
            f"{dict(mapping)!r} has {problem}"
        )
    return invoke(mapping["f"], mapping.get("value"), key=mapping.get("key"))


def _wants_context(function: Callable[..., Source]) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none; they are given the context
        return True
    for arguments in ((None,), ()):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return bool(arguments)
    name = getattr(function, "__qualname__", repr(function))
    raise GeneratorError(
        f"a function used as a generator takes a context or nothing, but it is {name}{signature}"
    )


def _no_source(source: object) -> str:
    what = f"{type(source).__name__} is no source of operations"
    if isinstance(source, Iterator):
        return f"{what}: an iterator can be read only once; give a list, or numbered(function)"
    return f"{what}: give an f, an op from history.op.invoke, a mapping, a function, or a list of these"
