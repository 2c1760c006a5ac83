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
    """Each link carries ten packets a second. Verbs named in ``failing`` raise, in ``idle`` do nothing.

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
        idle: Collection[str] = (),
        stubborn: Collection[str] = (),
        leaders: Collection[str] = (),
    ) -> None:
        self._nodes, self._verbs = nodes, verbs
        self.failing, self.idle = set(failing), set(idle)
        self.stubborn, self.leaders = set(stubborn), list(leaders)
        self.calls: list[tuple[float, str, Any]] = []
        self.down: set[str] = set()
        self.paused: set[str] = set()
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
        if self._called("kill", node):
            self._stop(node)

    async def terminate(self, node: str) -> None:
        if self._called("terminate", node) and not {node} & (self.stubborn | self.paused):
            self._stop(node)

    async def power_off(self, node: str) -> None:
        if self._called("power_off", node):
            self._stop(node)

    async def restart(self, node: str) -> None:
        if self._called("restart", node) and node in self.down:
            self.down.discard(node)
            self.incarnations[node] += 1

    async def pause(self, node: str) -> None:
        if self._called("pause", node) and node not in self.down:
            self.paused.add(node)

    async def resume(self, node: str) -> None:
        if self._called("resume", node):
            self.paused.discard(node)

    async def cut(self, links: Collection[Link]) -> None:
        if self._called("cut", tuple(links)):
            self.cuts |= set(links)

    async def heal(self, links: Collection[Link]) -> None:
        if self._called("heal", tuple(links)):
            self.cuts -= set(links)

    async def slow(self, links: Collection[Link], delay_s: float, jitter_s: float = 0.0) -> None:
        if self._called("slow", tuple(links)):
            self.delays |= dict.fromkeys(links, (delay_s, jitter_s))
            self.delays = {link: delay for link, delay in self.delays.items() if delay != (0, 0)}

    async def lose(self, links: Collection[Link], probability: float) -> None:
        if self._called("lose", tuple(links)):
            self.losses |= dict.fromkeys(links, probability)
            self.losses = {link: loss for link, loss in self.losses.items() if loss}

    async def skew(self, node: str, offset_s: float, rate: float = 1.0) -> None:
        if self._called("skew", node):
            self.clocks[node] = (offset_s, rate, self._now_s())
            if (offset_s, rate) == (0, 1):
                del self.clocks[node]

    async def process_state(self, node: str) -> ProcessState:
        return ProcessState(node not in self.down, node in self.paused, self.incarnations[node])

    async def clock_offset_s(self, node: str) -> float:
        self._called("clock_offset_s", node)
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

    def _called(self, verb: str, what: Any) -> bool:
        self._count()
        self.calls.append((self._now_s(), verb, what))
        if verb in self.failing:
            raise OSError(f"{verb} is broken")
        return verb not in self.idle

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


class _Clock(selectors.SelectSelector):
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
