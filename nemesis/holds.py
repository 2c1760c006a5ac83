"""What all active faults hold together, and what has really been done to the cluster.

``Holds`` keeps the claim of each active fault and brings the cluster to what they ask for together,
by the fewest verbs. It remembers each thing from just before it is done until it has certainly been
undone: whatever happens in between, it knows what is left to undo, and undoes nothing else.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from cluster.api import Cluster, Link
from nemesis.claims import NOTHING, STOPS, Claim, Clock, Stop, Wanted, together

V = TypeVar("V")

VERB_TIMEOUT_S = 60.0
TRUE_TIME = Clock()


@dataclass(frozen=True, slots=True)
class SetClock:
    """What a node's clock was set to: at ``since_ns``, true time, it was ``drifted_s`` off its steps."""

    clock: Clock = TRUE_TIME
    drifted_s: float = 0.0
    since_ns: int = 0

    def drift_s(self, now_ns: int) -> float:
        """What its rate has gathered by ``now_ns``, in seconds."""
        return self.drifted_s + (self.clock.rate - 1) * (now_ns - self.since_ns) / 1e9


@dataclass(slots=True)
class Holds:
    """The claims of the faults that are active on one cluster. One conductor at a time may use it.

    A verb that takes longer than ``verb_timeout_s`` is given up and counts as failed.
    """

    cluster: Cluster
    verb_timeout_s: float = VERB_TIMEOUT_S
    _claims: dict[int, Claim] = field(default_factory=dict)
    _down: dict[str, Stop] = field(default_factory=dict)
    _paused: set[str] = field(default_factory=set)
    _frozen: set[str] = field(default_factory=set)
    _cut: dict[Link, bool] = field(default_factory=dict)
    _delay_s: dict[Link, tuple[float, float]] = field(default_factory=dict)
    _loss: dict[Link, float] = field(default_factory=dict)
    _clocks: dict[str, SetClock] = field(default_factory=dict)
    _errors: list[str] = field(default_factory=list)

    async def claim(self, fault: int, claim: Claim) -> list[str]:
        """Let fault number ``fault`` hold ``claim`` from now on, in place of what it held before.

        Returns what went wrong, a sentence per verb that raised: the other verbs are done all the same.
        """
        self._claims[fault] = replace(claim, true_time=frozenset())
        if claim == NOTHING:
            del self._claims[fault]
        self._release_clocks(claim.true_time)
        return await self._settle()

    async def release(self) -> list[str]:
        """Drop all claims and undo all that was done; returns what went wrong."""
        self._claims.clear()
        return await self._settle()

    @property
    def pristine(self) -> bool:
        """Whether nothing is left to undo."""
        still = (self._down, self._paused, self._frozen)
        return not any((*still, self._cut, self._delay_s, self._loss, self._clocks))

    def asked_clock(self, node: str) -> tuple[float, float]:
        """The node's clock as it was set, now, in seconds from true time: by steps alone, and in all."""
        set_clock = self._clocks.get(node, SetClock())
        steps_s = set_clock.clock.offset_s
        return steps_s, steps_s + set_clock.drift_s(self.cluster.wall_clock_ns())

    def _release_clocks(self, nodes: frozenset[str]) -> None:
        for fault, claim in self._claims.items() if nodes else ():
            offset_s = {node: value for node, value in claim.offset_s.items() if node not in nodes}
            rate = {node: value for node, value in claim.rate.items() if node not in nodes}
            self._claims[fault] = replace(claim, offset_s=offset_s, rate=rate)

    async def _settle(self) -> list[str]:
        self._errors = []
        wanted = together(self._claims.values())
        await self._thaw(wanted)
        await self._bring_down(wanted)
        await self._set_links(wanted)
        await self._set_clocks(wanted)
        await self._bring_up(wanted)
        await self._set_paused(wanted)
        await self._freeze(wanted)
        return self._errors

    async def _bring_down(self, wanted: Wanted) -> None:
        for node, stop in wanted.down.items():
            already = self._down.get(node)
            if already and STOPS.index(stop) <= STOPS.index(already):
                continue
            self._down[node] = stop
            if stop != "terminate":
                self._paused.discard(node)
            await self._try(f"{stop} of {node}", self._stop(node, stop))

    async def _stop(self, node: str, stop: Stop) -> None:
        verbs = {
            "terminate": self.cluster.terminate,
            "kill": self.cluster.kill,
            "kill_container": self.cluster.kill_container,
            "power_off": self.cluster.power_off,
        }
        await verbs[stop](node)

    async def _bring_up(self, wanted: Wanted) -> None:
        for node in [node for node in self._down if node not in wanted.down]:
            if await self._try(f"restart of {node}", self._restart(node)):
                del self._down[node]

    async def _restart(self, node: str) -> None:
        """A node that has not followed SIGTERM by now is killed: a running one cannot be restarted."""
        if self._down[node] == "terminate" and (await self.cluster.process_state(node)).running:
            await self.cluster.kill(node)
        self._paused.discard(node)
        await self.cluster.restart(node)

    async def _set_paused(self, wanted: Wanted) -> None:
        for node in sorted(self._paused - wanted.paused):
            if await self._try(f"resume of {node}", self.cluster.resume(node)):
                self._paused.discard(node)
        for node in sorted(wanted.paused - self._paused):
            self._paused.add(node)
            await self._try(f"pause of {node}", self.cluster.pause(node))

    async def _thaw(self, wanted: Wanted) -> None:
        """Before all else: nothing can be done to a machine that is frozen."""
        for node in sorted(self._frozen - wanted.frozen):
            if await self._try(f"thaw of {node}", self.cluster.thaw(node)):
                self._frozen.discard(node)

    async def _freeze(self, wanted: Wanted) -> None:
        for node in sorted(wanted.frozen - self._frozen):
            self._frozen.add(node)
            await self._try(f"freeze of {node}", self.cluster.freeze(node))

    async def _set_links(self, wanted: Wanted) -> None:
        do, cut = self.cluster, dict.fromkeys(wanted.cut, True)
        await self._set_values(
            "cut", self._cut, cut, lambda links, cut: do.cut(links) if cut else do.heal(links)
        )
        await self._set_values(
            "slow", self._delay_s, wanted.delay_s, lambda links, delay: do.slow(links, *delay or (0.0,))
        )
        await self._set_values(
            "lose", self._loss, wanted.loss, lambda links, loss: do.lose(links, loss or 0.0)
        )

    async def _set_values(
        self,
        name: str,
        done: dict[Link, V],
        wanted: Mapping[Link, V],
        verb: Callable[[Sequence[Link], V | None], Awaitable[None]],
    ) -> None:
        over = sorted(done.keys() - wanted.keys())
        if over and await self._try(f"end of {name} on {_named(over)}", verb(over, None)):
            for link in over:
                del done[link]
        for value, links in _changes(done, wanted):
            done.update(dict.fromkeys(links, value))
            await self._try(f"{name} on {_named(links)}", verb(links, value))

    async def _set_clocks(self, wanted: Wanted) -> None:
        for node in [*self._clocks, *(node for node in wanted.clocks if node not in self._clocks)]:
            old, new = self._clocks.get(node, SetClock()), wanted.clocks.get(node, TRUE_TIME)
            if old.clock != new:
                await self._set_clock(node, old, new)

    async def _set_clock(self, node: str, old: SetClock, new: Clock) -> None:
        now_ns = self.cluster.wall_clock_ns()
        drift_s = old.drift_s(now_ns) if new.drifting else 0.0
        if new != TRUE_TIME:
            self._clocks[node] = SetClock(new, drift_s, now_ns)
        skew = self.cluster.skew(node, new.offset_s + drift_s, new.rate)
        if await self._try(f"skew of {node}", skew) and new == TRUE_TIME:
            del self._clocks[node]

    async def _try(self, what: str, verb: Awaitable[None]) -> bool:
        try:
            async with asyncio.timeout(self.verb_timeout_s):
                await verb
        except Exception as error:  # whatever a backend raises, the run goes on and the rest is undone
            reason = str(error) or f"not done within {self.verb_timeout_s:g} s"
            self._errors.append(f"{what}: {type(error).__name__}: {reason}")
            return False
        return True


def _changes(done: Mapping[Link, V], wanted: Mapping[Link, V]) -> list[tuple[V, list[Link]]]:
    """The links whose value is not yet what is wanted, by value, in the order of the links."""
    groups: dict[V, list[Link]] = defaultdict(list)
    for link in sorted(wanted):
        if done.get(link) != wanted[link]:
            groups[wanted[link]].append(link)
    return list(groups.items())


def _named(links: Sequence[Link]) -> str:
    return ", ".join(f"{source} to {destination}" for source, destination in links)
