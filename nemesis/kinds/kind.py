"""What a kind of fault is made of: a handful of plain functions and the declaration of its arguments.

Validation of schedules and the tables of ``docs/faults.md`` are made from the same declaration.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from cluster.api import Link
from nemesis import targets
from nemesis.claims import Claim
from nemesis.errors import ScheduleError, unknown
from nemesis.fault import Fault

Phase: TypeAlias = Literal["start", "step", "end"]
Measure: TypeAlias = Literal["process", "clock", "dropped", "delayed"]
Effect: TypeAlias = Mapping[str, Any]
"""What was measured around one action of a fault, see ``nemesis.measurements``."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One action of a fault: ``after_s`` seconds after its start it claims ``claim``.

    Moments that are not ``recorded`` are no operations of the history, and are left out when the
    nemesis is late: swings of a strobe.
    """

    after_s: float
    phase: Phase
    claim: Claim
    recorded: bool = True


LONGEST_JUMP_S = 262.0
"""As far as clocks jump in ``jepsen.nemesis.time``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What faults may be drawn from.

    ``targets`` and ``grudges`` are names that fit ``nodes``; ``clients`` is the probability that a
    network fault also hits the links of the clients' machine; durations are from ``low_s`` to
    ``high_s``; clocks jump by ``jump_s`` at most.
    """

    nodes: tuple[str, ...]
    targets: tuple[str, ...]
    grudges: tuple[str, ...]
    clients: float
    low_s: float
    high_s: float
    jump_s: float = LONGEST_JUMP_S

    def some(self, stream: random.Random) -> tuple[str, ...]:
        """Nodes of one of the targets."""
        return targets.pick(stream, stream.choice(self.targets), self.nodes)

    def duration_s(self, stream: random.Random) -> float:
        """A duration, in whole milliseconds."""
        return round(stream.uniform(self.low_s, self.high_s), 3)

    def with_clients(self, stream: random.Random) -> bool:
        """Whether the clients' links are hit as well."""
        return stream.random() < self.clients


class Drawn(NamedTuple):
    """What a kind fills in when a fault is drawn."""

    nodes: tuple[str, ...]
    duration_s: float
    args: dict[str, Any]


class Evidence(NamedTuple):
    """Whether a fault took effect, and what was measured that says so."""

    landed: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument of a kind. ``wrong(value)`` says what is wrong with a value, None if it is right."""

    name: str
    unit: str
    doc: str
    wrong: Callable[[Any], str | None]
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of fault, registered in ``nemesis.kinds`` under its name.

    ``verbs`` are those of ``cluster.api.VERBS`` it cannot do without; ``measures`` is what is read
    from the cluster before and after each of its actions. ``draw(stream, room)`` fills in a random
    fault; ``moments(fault, nodes)`` says what the fault, its nodes known, claims and when, ending
    with a moment that claims nothing; ``links(fault, nodes)`` are the links it touches;
    ``evidence(effects, fault)`` judges from the measurements of its actions so far whether it landed;
    ``check(fault, nodes)`` raises ScheduleError for what ``parameters`` alone cannot tell;
    ``least_nodes`` is the size of the smallest cluster in which it makes sense. ``lasting`` faults
    need a duration. ``proof`` says in words what ``evidence`` looks for.
    """

    name: str
    doc: str
    verbs: frozenset[str]
    measures: tuple[Measure, ...]
    proof: str
    draw: Callable[[random.Random, Room], Drawn]
    moments: Callable[[Fault, Sequence[str]], tuple[Moment, ...]]
    evidence: Callable[[Sequence[Effect], Fault], Evidence]
    links: Callable[[Fault, Sequence[str]], frozenset[Link]] = lambda fault, nodes: frozenset()
    check: Callable[[Fault, Sequence[str]], None] = lambda fault, nodes: None
    parameters: tuple[Parameter, ...] = ()
    least_nodes: int = 1
    lasting: bool = True


def held(fault: Fault, claim: Claim) -> tuple[Moment, ...]:
    """The moments of a fault that claims one thing from its start to its end."""
    return (Moment(0.0, "start", claim), Moment(fault.duration_s, "end", Claim()))


def number(
    name: str, unit: str, doc: str, low: float, high: float, *, required: bool = True
) -> Parameter:
    """A number from ``low`` to ``high``."""

    def wrong(value: Any) -> str | None:
        if is_number(value) and low <= value <= high:
            return None
        return f"must be a number from {low:g} to {high:g} {unit}".rstrip()

    return Parameter(name=name, unit=unit, doc=doc, wrong=wrong, required=required)


def flag(name: str, doc: str) -> Parameter:
    """An optional true or false; false when it is left out."""

    def wrong(value: Any) -> str | None:
        return None if isinstance(value, bool) else "must be true or false"

    return Parameter(name=name, unit="", doc=doc, wrong=wrong, required=False)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def log_uniform(stream: random.Random, low: float, high: float) -> float:
    """A number from ``low`` to ``high``, in thousandths, each order of magnitude equally likely."""
    return round(math.exp(stream.uniform(math.log(low), math.log(high))), 3)


def check(kind: Kind, fault: Fault, nodes: Sequence[str]) -> None:
    """Raise ScheduleError unless ``fault`` is a valid fault of ``kind`` in a cluster of ``nodes``."""
    if len(nodes) < kind.least_nodes:
        raise ScheduleError(f"{kind.name} needs {kind.least_nodes} nodes, this cluster has {len(nodes)}")
    if kind.lasting and fault.duration_s <= 0:
        raise ScheduleError(f"duration_s of {kind.name} is {fault.duration_s:g}; it must be above 0")
    known = [parameter.name for parameter in kind.parameters]
    for name in fault.args:
        if name not in known:
            raise unknown(f"argument of {kind.name}", name, known)
    for parameter in kind.parameters:
        _check_parameter(kind, parameter, fault)
    kind.check(fault, nodes)


def _check_parameter(kind: Kind, parameter: Parameter, fault: Fault) -> None:
    if parameter.name not in fault.args:
        if parameter.required:
            raise ScheduleError(f"{kind.name} lacks its argument {parameter.name!r}: {parameter.doc}")
        return
    value = fault.args[parameter.name]
    if problem := parameter.wrong(value):
        raise ScheduleError(f"argument {parameter.name!r} of {kind.name} is {value!r}; it {problem}")
