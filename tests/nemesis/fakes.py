"""A cluster without nodes: keeps what was done to it, answers what it is asked, in virtual time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

from cluster.api import VERBS, Endpoint, Link, ProcessState
from history.history import History
from history.jsonl import Recorder
from nemesis.conductor import run_schedule
from nemesis.fault import Schedule

T = TypeVar("T")
NODES = ("n1", "n2", "n3", "n4", "n5")
PACKETS_PER_S = 10


class FakeCluster:
    """Each link carries ten packets a second, and each verb takes ``lag_s`` after it took effect.

    Verbs named in ``failing`` raise, in ``failing_late`` raise after they took effect, in ``idle`` do
    nothing; ``failing_calls`` are verbs with the number of calls, from now, that raise.
    ``calls`` are the verbs in the order in which they were called, with the time and the arguments.
    A node in ``stubborn`` does not follow SIGTERM.
    """

    name = "fake"

    def __init__(
        self,
        *,
        nodes: tuple[str, ...] = NODES,
        verbs: frozenset[str] = frozenset(VERBS),
        failing: Collection[str] = (),
        failing_late: Collection[str] = (),
        idle: Collection[str] = (),
        stubborn: Collection[str] = (),
        leaders: Collection[str] = (),
        lag_s: float = 0.0,
    ) -> None:
        self._nodes, self._verbs = nodes, verbs
        self.failing, self.idle = set(failing), set(idle)
        self.failing_late, self.lag_s = set(failing_late), lag_s
        self.failing_calls: dict[str, int] = {}
        self.stubborn, self.leaders = set(stubborn), list(leaders)
        self.calls: list[tuple[float, str, Any]] = []
        self.down: set[str] = set()
        self.paused: set[str] = set()
        self.frozen: set[str] = set()
        self.incarnations = dict.fromkeys(nodes, 1)
        self.cuts: set[Link] = set()
        self.delays: dict[Link, tuple[float, float]] = {}
        self.losses: dict[Link, float] = {}
        self.clocks: dict[str, tuple[float, float, float]] = {}
        self.counted: dict[tuple[str, Link], float] = {}
        self._counted_at = 0.0

    def weather(self) -> dict[str, Any]:
        """All that is not as it was at the start; empty when everything is undone."""
        state = {
            "down": self.down,
            "paused": self.paused,
            "frozen": self.frozen,
            "cuts": self.cuts,
            "delays": self.delays,
            "losses": self.losses,
            "clocks": self.clocks,
        }
        return {name: part for name, part in state.items() if part}

    def verb_times(self, verb: str, node: str | None = None) -> list[float]:
        return [at for at, name, what in self.calls if name == verb and node in (None, what)]

    @property
    def nodes(self) -> tuple[str, ...]:
        return self._nodes

    @property
    def verbs(self) -> frozenset[str]:
        return self._verbs

    def why_not(self, verb: str) -> str:
        return "" if verb in self._verbs else "it was not given that"

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        async def awaited() -> T:
            return await main()

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(awaited())

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None

    def endpoint(self, node: str, port: str | None = None) -> Endpoint:
        return Endpoint(node, 1)

    def wall_clock_ns(self) -> int:
        return round(asyncio.get_running_loop().time() * 1e9)

    async def kill(self, node: str) -> None:
        await self._do("kill", node, lambda: self._stop(node))

    async def terminate(self, node: str) -> None:
        deaf = node in self.stubborn | self.paused
        await self._do("terminate", node, lambda: None if deaf else self._stop(node))

    async def power_off(self, node: str) -> None:
        await self._do("power_off", node, lambda: self._stop(node))

    async def kill_container(self, node: str) -> None:
        await self._do("kill_container", node, lambda: self._stop(node))

    async def freeze(self, node: str) -> None:
        running = {node} - self.down
        await self._do("freeze", node, lambda: self.frozen.update(running))

    async def thaw(self, node: str) -> None:
        await self._do("thaw", node, lambda: self.frozen.discard(node))

    async def restart(self, node: str) -> None:
        await self._do("restart", node, lambda: self._start(node))

    async def pause(self, node: str) -> None:
        running = {node} - self.down
        await self._do("pause", node, lambda: self.paused.update(running))

    async def resume(self, node: str) -> None:
        await self._do("resume", node, lambda: self.paused.discard(node))

    async def cut(self, links: Collection[Link]) -> None:
        await self._do("cut", tuple(links), lambda: self.cuts.update(links))

    async def heal(self, links: Collection[Link]) -> None:
        await self._do("heal", tuple(links), lambda: self.cuts.difference_update(links))

    async def slow(self, links: Collection[Link], delay_s: float, jitter_s: float = 0.0) -> None:
        delay = (delay_s, jitter_s)
        await self._do("slow", tuple(links), lambda: _set(self.delays, links, delay, (0, 0)))

    async def lose(self, links: Collection[Link], probability: float) -> None:
        await self._do("lose", tuple(links), lambda: _set(self.losses, links, probability, 0))

    async def skew(self, node: str, offset_s: float, rate: float = 1.0) -> None:
        clock = (offset_s, rate, self._now_s())
        right = (0, 1, self._now_s())
        await self._do("skew", node, lambda: _set(self.clocks, [node], clock, right))

    async def process_state(self, node: str) -> ProcessState:
        return ProcessState(
            node not in self.down, node in self.paused | self.frozen, self.incarnations[node]
        )

    async def clock_offset_s(self, node: str) -> float:
        offset_s, rate, since_s = self.clocks.get(node, (0.0, 1.0, 0.0))
        return offset_s + (rate - 1) * (self._now_s() - since_s)

    async def dropped(self, links: Collection[Link]) -> int:
        self._count()
        return round(sum(self.counted.get(("dropped", link), 0) for link in links))

    async def delayed(self, links: Collection[Link]) -> int:
        self._count()
        return round(sum(self.counted.get(("delayed", link), 0) for link in links))

    async def primaries(self) -> list[str]:
        return self.leaders

    def logs(self) -> Mapping[str, str]:
        return {}

    def _stop(self, node: str) -> None:
        self.down.add(node)
        self.paused.discard(node)
        self.frozen.discard(node)

    def _start(self, node: str) -> None:
        self.incarnations[node] += node in self.down
        self.down.discard(node)

    async def _do(self, verb: str, what: Any, effect: Callable[[], None]) -> None:
        self._count()
        self.calls.append((self._now_s(), verb, what))
        left = self.failing_calls.get(verb, 0)
        self.failing_calls[verb] = max(left - 1, 0)
        if verb in self.failing or left:
            raise OSError(f"{verb} is broken")
        if verb not in self.idle:
            effect()
        if self.lag_s:
            await asyncio.sleep(self.lag_s)
        if verb in self.failing_late:
            raise OSError(f"{verb} is broken")

    def _count(self) -> None:
        packets = (self._now_s() - self._counted_at) * PACKETS_PER_S
        self._counted_at = self._now_s()
        lost = [*self.cuts, *self.losses]
        for what in [
            *(("dropped", link) for link in lost),
            *(("delayed", link) for link in self.delays),
        ]:
            self.counted[what] = self.counted.get(what, 0) + packets

    def _now_s(self) -> float:
        return round(asyncio.get_running_loop().time(), 6)


def _set(values: dict[Any, T], keys: Collection[Any], value: T, nothing: T) -> None:
    for key in keys:
        values[key] = value
        if value == nothing:
            del values[key]


class _Clock(selectors.DefaultSelector):
    """Instead of waiting, lets the time pass that would have been waited for."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += max(timeout or 0.0, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time."""

    def __init__(self) -> None:
        self._virtual = _Clock()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s


def play(schedule: Schedule, cluster: FakeCluster) -> History:
    """Run the schedule to its end; the history of what the nemesis did."""
    return cluster.run(lambda: _recorded(schedule, cluster))


async def _recorded(schedule: Schedule, cluster: FakeCluster) -> History:
    recorder = Recorder(None, cluster.wall_clock_ns)
    await run_schedule(schedule, cluster, recorder, start_s=0.0)
    return recorder.history()


def outcomes(history: History) -> dict[int, dict[str, Any]]:
    """What the last completion of each fault says."""
    return {op.value["fault"]: op.value for op in history.nemesis() if op.value and "landed" in op.value}
