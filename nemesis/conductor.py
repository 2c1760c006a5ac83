"""Plays a schedule against a cluster, records what each fault really did, and undoes everything.

Faults overlap; their actions do not. The actions of all faults (start, end, steps between) are done
one after the other, in the order of their times, ends before starts at the same time, then by the
number of the fault. Each is recorded as two ``info`` events of process ``nemesis``, one when it begins
and one when it is done and measured, with nothing of the nemesis in between, so that a history pairs
them. An action that is late because another took long says so.

The invocation's value is ``{"fault": number, "phase": "start" | "step" | "end", "nodes": [...]}``, at
the start with ``duration_s`` and ``args``. The completion adds ``links`` (at the start, if there are
any), ``effect`` (see ``nemesis.measurements``), ``landed`` and ``evidence``: whether the fault is known
by now to have taken effect, and by what.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from cluster.api import Cluster, Link
from history.op import NEMESIS, Op
from nemesis.claims import NOTHING
from nemesis.errors import ScheduleError
from nemesis.fault import Fault, Schedule
from nemesis.holds import VERB_TIMEOUT_S, Holds
from nemesis.kinds import KINDS
from nemesis.kinds.kind import Effect, Evidence, Moment
from nemesis.measurements import effect, read
from nemesis.schedule import check

T = TypeVar("T")

HEAL = "heal"
HEAL_ATTEMPTS = 3
LATE_S = 0.1


class Recorder(Protocol):
    """Where events go: a ``history.jsonl.Recorder``."""

    def record(self, op: Op) -> Op:
        """Keep the event, with its index and time."""


def refuse(schedule: Schedule, cluster: Cluster) -> None:
    """Raise ScheduleError if ``cluster`` cannot do all of ``schedule``; to be asked before it starts."""
    check(schedule, nodes=cluster.nodes)
    for number, fault in enumerate(schedule):
        for verb in sorted(KINDS[fault.kind].verbs):
            if reason := cluster.why_not(verb):
                raise ScheduleError(
                    f"fault {number}, {fault}, needs {verb}, which backend {cluster.name!r} cannot do"
                    f" here: {reason}; leave {fault.kind!r} out or take another backend"
                )


async def run_schedule(
    schedule: Schedule,
    cluster: Cluster,
    recorder: Recorder,
    *,
    start_s: float | None = None,
    verb_timeout_s: float = VERB_TIMEOUT_S,
) -> None:
    """Play ``schedule``, whose times count from ``start_s`` on the running loop's clock, or from now.

    Returns after the last fault has ended. A verb that raises, or takes longer than ``verb_timeout_s``,
    is recorded as an error, its fault counts as not landed, and the run goes on. Whatever happens,
    cancellation included, all that was done and is not undone yet is undone before this returns.
    """
    begun_s = asyncio.get_running_loop().time() if start_s is None else start_s
    holds = Holds(cluster, verb_timeout_s)
    try:
        await _play(_Agenda(schedule), holds, recorder, begun_s)
    finally:
        if not holds.pristine:
            await _whatever_comes(heal_all(holds, recorder))


async def heal_all(holds: Holds, recorder: Recorder) -> list[str]:
    """Undo all that is not undone yet, and nothing else; recorded as one operation, ``heal``.

    What fails is tried again, three times in all. Returns what is still wrong, in sentences.
    """
    invocation = Op(index=-1, time=-1, process=NEMESIS, type="info", f=HEAL)
    errors: list[str] = []
    try:
        recorder.record(invocation)
    finally:
        for _ in range(HEAL_ATTEMPTS):
            errors = await holds.release()
            if holds.pristine:
                break
        recorder.record(replace(invocation, error="; ".join(errors) or None))
    return errors


@dataclass(slots=True)
class _Playing:
    """A fault from its start to its end; ``fault.nodes`` are concrete."""

    number: int
    fault: Fault
    moments: tuple[Moment, ...]
    links: frozenset[Link]
    effects: list[Effect] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def evidence(self) -> Evidence:
        if self.errors:
            return Evidence(False, self.errors[0])
        if not self.fault.nodes:
            return Evidence(False, "there was no primary")
        return KINDS[self.fault.kind].evidence(self.effects, self.fault)


class _Agenda:
    """What is to be done next, by any fault: starts are known, the rest is when a fault starts."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._due = [(fault.at_s, True, number, 0) for number, fault in enumerate(schedule)]
        self._playing: dict[int, _Playing] = {}
        heapq.heapify(self._due)

    @property
    def next_s(self) -> float | None:
        """When the next action is due, in seconds from the start of the run; None at the end."""
        return self._due[0][0] if self._due else None

    async def pop(self, cluster: Cluster) -> tuple[_Playing, Moment]:
        """The next action; if it is the start of a fault, the rest of that fault is put down."""
        _, starts, number, place = heapq.heappop(self._due)
        if starts:
            self._playing[number] = await _begun(number, self._schedule[number], cluster)
            self._put_down(self._playing[number])
        return self._playing[number], self._playing[number].moments[place]

    def _put_down(self, playing: _Playing) -> None:
        for place, moment in enumerate(playing.moments[1:], start=1):
            due_s = round(playing.fault.at_s + moment.after_s, 6)
            heapq.heappush(self._due, (due_s, False, playing.number, place))


async def _begun(number: int, fault: Fault, cluster: Cluster) -> _Playing:
    """The fault with its nodes asked for, if it hits the primaries, and all that follows from them."""
    kind = KINDS[fault.kind]
    if fault.symbolic:
        fault = replace(fault, nodes=await _primaries(cluster))
    if fault.nodes:
        moments = kind.moments(fault, cluster.nodes)
        return _Playing(number, fault, moments, kind.links(fault, cluster.nodes))
    moments = (Moment(0.0, "start", NOTHING), Moment(fault.duration_s, "end", NOTHING))
    return _Playing(number, fault, moments, frozenset())


async def _primaries(cluster: Cluster) -> tuple[str, ...]:
    """Who leads now; nobody if the system cannot say."""
    try:
        async with asyncio.timeout(VERB_TIMEOUT_S):
            leading = await cluster.primaries()
    except Exception:  # a system without an answer has no primary that could be hit
        return ()
    return tuple(node for node in cluster.nodes if node in leading)


async def _play(agenda: _Agenda, holds: Holds, recorder: Recorder, start_s: float) -> None:
    loop = asyncio.get_running_loop()
    while (due_s := agenda.next_s) is not None:
        await asyncio.sleep(max(start_s + due_s - loop.time(), 0))
        late_s = loop.time() - start_s - due_s
        playing, moment = await agenda.pop(holds.cluster)
        if moment.recorded:
            await _recorded(playing, moment, holds, recorder, late_s)
        elif late_s < LATE_S:
            playing.errors += await holds.claim(playing.number, moment.claim)


async def _recorded(
    playing: _Playing, moment: Moment, holds: Holds, recorder: Recorder, late_s: float
) -> None:
    invocation = recorder.record(_invocation(playing, moment, late_s))
    completion = replace(invocation, error="interrupted")
    try:
        completion = await _done(playing, moment, holds, invocation)
    finally:
        recorder.record(completion)


def _invocation(playing: _Playing, moment: Moment, late_s: float) -> Op:
    fault = playing.fault
    value: dict[str, Any] = {
        "fault": playing.number,
        "phase": moment.phase,
        "nodes": list(fault.nodes),
    }
    if moment.phase == "start":
        value |= {"duration_s": fault.duration_s, "args": dict(fault.args)}
    if late_s >= LATE_S:
        value["late_s"] = round(late_s, 3)
    return Op(index=-1, time=-1, process=NEMESIS, type="info", f=fault.kind, value=value)


async def _done(playing: _Playing, moment: Moment, holds: Holds, invocation: Op) -> Op:
    nodes, measures = playing.fault.nodes, KINDS[playing.fault.kind].measures
    before = await read(holds, measures, nodes, playing.links)
    errors = await holds.claim(playing.number, moment.claim)
    after = await read(holds, measures, nodes, playing.links)
    playing.effects.append(effect(before, after))
    playing.errors += errors
    return replace(
        invocation, value=_outcome(playing, moment, invocation), error="; ".join(errors) or None
    )


def _outcome(playing: _Playing, moment: Moment, invocation: Op) -> dict[str, Any]:
    evidence = playing.evidence()
    links = {"links": _plain(sorted(playing.links))} if moment.phase == "start" and playing.links else {}
    return {
        **invocation.value,
        **links,
        "effect": playing.effects[-1],
        "landed": evidence.landed,
        "evidence": evidence.text,
    }


def _plain(links: Sequence[Link]) -> list[list[str]]:
    return [list(link) for link in links]


async def _whatever_comes(work: Coroutine[Any, Any, T]) -> T:
    """Finish ``work`` even if this task is cancelled meanwhile, then let the cancellation go on."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled
    return task.result()
