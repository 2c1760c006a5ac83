"""A safety net: an operation that cannot be performed is an error at once, with the way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from history.op import Op
from workloads.generators.context import Context
from workloads.generators.core import PENDING, Generator, Source, Step, lift
from workloads.generators.errors import GeneratorError


def validate(source: Source) -> Generator:
    """``source``, where GeneratorError is raised for an answer that makes no sense.

    Whoever drives a generator checks each answer with ``checked`` already; this is for tests.
    """
    return _Validate(lift(source))


def checked(step: Any, context: Context) -> Step:
    """``step`` if it is a proper answer in ``context``, else GeneratorError."""
    if step is None:
        return None
    if type(step) is not tuple or len(step) != 2 or not hasattr(step[1], "op"):
        raise GeneratorError(f"a generator answers with None or (op, generator), not {step!r}")
    op = step[0]
    if op is PENDING:
        return step
    if type(op) is not Op:
        raise GeneratorError(f"a generator gave {op!r} in place of an operation: return an Op")
    if op.type not in ("invoke", "info") or type(op.time) is not int or op.time < context.time:
        raise GeneratorError(
            f"operation {op.f!r} has type {op.type!r} and time {op.time!r} at {context.time}: "
            "it must be an invoke, now or in the future"
        )
    _check_process(op, context)
    return step


def _check_process(op: Op, context: Context) -> None:
    thread = context.thread_of(op.process)
    if context.processes.get(thread) != op.process:
        raise GeneratorError(
            f"operation {op.f!r} is for process {op.process!r}, which does not act: those that do are "
            f"{list(context.processes.values())}"
        )
    if thread not in context.free:
        raise GeneratorError(
            f"operation {op.f!r} is for process {op.process!r}, which is busy: "
            "give PENDING until its thread is in context.free"
        )


@dataclass(frozen=True, slots=True)
class _Validate:
    gen: Generator

    def op(self, context: Context) -> Step:
        step = checked(self.gen.op(context), context)
        return step and (step[0], _Validate(step[1]))

    def update(self, context: Context, event: Op) -> Generator:
        return _Validate(self.gen.update(context, event))
