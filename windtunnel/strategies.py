"""Hypothesis strategies for schedules and histories: ``from windtunnel import strategies``.

``schedules`` are what a test may be given in place of drawn faults; ``histories`` are what a checker
must take without breaking; ``linearizable_histories`` are right by construction, so that a checker that
refuses one is wrong. Needs the extra ``pytest``, which has Hypothesis.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from hypothesis import strategies as st

from history.history import History
from history.op import Op
from nemesis import targets as node_targets
from nemesis.errors import ScheduleError
from nemesis.fault import Fault as NemesisFault
from nemesis.kinds import KINDS, Room, named
from nemesis.partitions import GRUDGES
from nemesis.schedule import check_fault
from nemesis.schedule_file import to_json
from nemesis.targets import DEFAULT_TARGETS
from windtunnel.spec import Fault, node_names

Draw: TypeAlias = Callable[..., Any]
Behaviour: TypeAlias = Callable[[Any, Op], tuple[Op, Any]]
"""A sequential object: state and invocation in, completion and next state out."""

SHORTEST_S = 0.1
_STEP_NS = 1_000_000
_CALLS_MEAN = 15
_CHOICE_BYTES = 32


def schedules(
    *,
    nodes: int | Sequence[str] = 5,
    nemesis: str | Collection[str] = "all",
    time_limit_s: float = 30.0,
    max_faults: int = 6,
    targets: Sequence[str] = DEFAULT_TARGETS,
    clients: float = 0.3,
) -> st.SearchStrategy[tuple[Fault, ...]]:
    """Schedules as ``wt.TestSpec(schedule=...)`` and schedule files have them, in order of time.

    ``nemesis`` are kinds and families of faults; each fault ends within ``time_limit_s``; a network
    fault hits the clients' links too with probability ``clients``. They shrink towards few,
    early, short faults of the first nodes with the least arguments. Raises ScheduleError for a name that
    does not exist, or if nothing fits the nodes.
    """
    names = node_names(nodes) if isinstance(nodes, int) else tuple(nodes)
    wanted = nemesis.split(",") if isinstance(nemesis, str) else nemesis
    kinds = [name for name in named([one.strip() for one in wanted]) if _fits(name, names)]
    if not kinds and max_faults and tuple(wanted) != ("none",):
        raise ScheduleError(f"{len(names)} nodes are too few for {', '.join(wanted)}; take more nodes")
    room = Room(
        nodes=names,
        targets=node_targets.possible(targets, names),
        grudges=tuple(name for name in GRUDGES if _may_be_drawn(name, names)),
        clients=clients,
        low_s=SHORTEST_S,
        high_s=time_limit_s,
    )
    if not kinds:
        return st.just(())
    return st.lists(_faults(kinds, room, time_limit_s), max_size=max_faults).map(_in_order)


def histories(
    calls: st.SearchStrategy[Op],
    *,
    answers: Callable[[Op], st.SearchStrategy[Any]] = lambda call: st.just(call.value),
    clients: int = 3,
    max_calls: int = 20,
) -> st.SearchStrategy[History]:
    """Well-formed histories of concurrent clients, right or wrong.

    ``calls`` makes invocations, as ``st.builds(wt.invoke, st.just("write"), st.integers())``;
    ``answers(call)`` the value of an ``ok``. Each call ends as ``ok``, ``fail`` or ``info``, or never.
    """

    def behave(draw: Draw, call: Op) -> Op:
        type_ = draw(st.sampled_from(("ok", "fail", "info")))
        changes = {"value": draw(answers(call))} if type_ == "ok" else {"error": "drawn"}
        return call.completed(type_, **changes)

    return _recorded(calls, behave, clients=clients, max_calls=max_calls)


def linearizable_histories(
    calls: st.SearchStrategy[Op],
    behaviour: Behaviour,
    *,
    initial: Any = None,
    clients: int = 3,
    max_calls: int = 20,
) -> st.SearchStrategy[History]:
    """Histories of one object that took each call at some moment between its beginning and its end.

    ``behaviour(state, call)`` returns the completion and the next state; it must not change ``state``.
    Some clients never learn what became of their call, which then may or may not have taken effect.
    """

    def make() -> Callable[[Draw, Op], Op]:
        state = initial

        def behave(draw: Draw, call: Op) -> Op:
            nonlocal state
            if draw(st.integers(0, 7)) == 7:
                return call.completed("info", error="lost on the way")
            done, state = behaviour(state, call)
            return call.completed("info", error="answer lost") if draw(st.integers(0, 7)) == 7 else done

        return behave

    return _recorded(calls, make, clients=clients, max_calls=max_calls, fresh=True)


@dataclass(slots=True)
class _Tape:
    """A history in the making: what each client waits for, and what it is going to be told."""

    clients: int
    ops: list[Op] = field(default_factory=list)
    waiting: dict[int, Op] = field(default_factory=dict)
    answered: dict[int, Op] = field(default_factory=dict)

    def record(self, op: Op) -> Op:
        index = len(self.ops)
        self.ops.append(replace(op, index=index, time=index * _STEP_NS))
        return self.ops[-1]

    def idle(self) -> list[int]:
        busy = {op.process for op in (*self.waiting.values(), *self.answered.values())}
        return [process for process in self._processes() if process not in busy]

    def _processes(self) -> list[int]:
        """The present process of each client: the next one, by ``clients``, after an ``info``."""
        crashed = {op.process for op in self.ops if op.type == "info"}
        present = []
        for process in range(self.clients):
            while process in crashed:
                process += self.clients
            present.append(process)
        return present


@st.composite
def _recorded(
    draw: Draw,
    calls: st.SearchStrategy[Op],
    behave: Any,
    *,
    clients: int,
    max_calls: int,
    fresh: bool = False,
) -> History:
    """Let clients begin, the object act and clients learn of it, in any order that there may be."""
    if clients < 1:
        raise ValueError(f"clients is {clients}: a history has at least one")
    act = behave() if fresh else behave
    tape, left = _Tape(clients), max_calls
    while True:
        moves = [("end", one) for one in tape.answered] + [("act", one) for one in tape.waiting]
        if not moves and (not left or draw(st.integers(0, _CALLS_MEAN)) == 0):
            return History.from_ops(tape.ops)
        moves += [("begin", one) for one in tape.idle() if left]
        move, process = draw(st.sampled_from(moves))
        if move == "begin":
            left -= 1
            call = replace(draw(calls), process=process)
            tape.waiting[process] = tape.record(call)
        elif move == "act":
            tape.answered[process] = act(draw, tape.waiting.pop(process))
        else:
            tape.record(tape.answered.pop(process))


class _Choices(random.Random):
    """Random numbers made of given bytes, and of zeros when those are used up.

    Bytes that shrink make everything that is drawn the first and the least there is. They are one choice
    of Hypothesis, as it takes no more than a few at a time away: so a fault goes whole or stays.
    """

    def __init__(self, given: bytes) -> None:
        super().__init__(0)
        self._given = iter(given)

    def random(self) -> float:
        return self.getrandbits(16) / (1 << 16)

    def getrandbits(self, bits: int) -> int:
        found = 0
        for _ in range(0, bits, 8):
            found = found << 8 | next(self._given, 0)
        return found & ((1 << bits) - 1)


@st.composite
def _faults(draw: Draw, kinds: Sequence[str], room: Room, time_limit_s: float) -> NemesisFault:
    kind = KINDS[draw(st.sampled_from(kinds))]
    latest_ms = int(1000 * (time_limit_s - 2 * SHORTEST_S))
    at_s = draw(st.integers(0, max(latest_ms, 0))) / 1000
    hits_clients = draw(st.integers(0, 99)) >= 100 * (1 - room.clients)
    longest_s = max(time_limit_s - at_s - SHORTEST_S, SHORTEST_S)
    fitting = replace(room, high_s=longest_s, clients=float(hits_clients))
    choices = _Choices(draw(st.binary(min_size=_CHOICE_BYTES, max_size=_CHOICE_BYTES)))
    fault = NemesisFault(at_s, kind.name, *kind.draw(choices, fitting))
    check_fault(fault, room.nodes)
    return fault


def _in_order(faults: Sequence[NemesisFault]) -> tuple[Fault, ...]:
    return tuple(to_json(fault) for fault in sorted(faults, key=lambda fault: fault.at_s))


def _fits(kind: str, nodes: Sequence[str]) -> bool:
    return len(nodes) >= KINDS[kind].least_nodes


def _may_be_drawn(grudge: str, nodes: Sequence[str]) -> bool:
    """Those of the primaries need a cluster to ask."""
    return "primaries" not in grudge and GRUDGES[grudge].least_nodes <= len(nodes)
