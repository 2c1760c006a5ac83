"""Generators: what clients are to do, as pure values. See ``workloads.generators.core``."""

from workloads.generators.context import Context, Thread, start_context
from workloads.generators.core import (
    NOTHING,
    PENDING,
    Generator,
    Pending,
    Source,
    Step,
    concat,
    is_instruction,
    lift,
)
from workloads.generators.errors import GeneratorError

__all__ = [
    "NOTHING",
    "PENDING",
    "Context",
    "Generator",
    "GeneratorError",
    "Pending",
    "Source",
    "Step",
    "Thread",
    "concat",
    "is_instruction",
    "lift",
    "start_context",
]
