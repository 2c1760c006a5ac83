"""``cluster.api.Cluster`` on real kernels: fault verbs made of what an agent on each node can do."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from cluster.api import CLIENT, VERBS, Endpoint, Link, ProcessState, System
from cluster.real.channel import AgentError, Channel
from cluster.real.errors import ClusterError
from cluster.real.links import Links
from cluster.real.shells import Shells
from cluster.real.site import Machine, Site
from cluster.real.waiting import all_done, undisturbed

T = TypeVar("T")

_READY_EVERY_S = 0.05
_LAST_LINES = 5
_CONFIG = "config.json"
_PREPARED_WITHIN_S = 120.0
_CLOCK_READINGS = 5
DEFAULT_NODES = ("n1", "n2", "n3", "n4", "n5")


@dataclass(frozen=True, slots=True)
class _Clock:
    """What a node's clock was set to, at ``set_s`` of the monotonic clock."""

    offset_s: float
    rate: float
    set_s: float

    def offset_now_s(self) -> float:
        return self.offset_s + (self.rate - 1) * (time.monotonic() - self.set_s)


class RealCluster:
    """Nodes of ``system`` at ``site``. Used once: ``run`` a coroutine that starts and stops it.

    Whatever that coroutine does, and if it is cancelled or raises, all is undone when ``run`` returns.
    A node must serve within ``ready_within_s`` of its start, what its system says unless given.
    """

    def __init__(
        self,
        system: System,
        site: Site,
        *,
        nodes: tuple[str, ...] = DEFAULT_NODES,
        ready_within_s: float | None = None,
    ) -> None:
        if CLIENT in nodes or len(set(nodes)) != len(nodes) or not nodes:
            raise ValueError(f"node names must be distinct and not {CLIENT!r}: {nodes}")
        self.system = system
        self.site = site
        self._nodes = nodes
        self.ready_within_s = system.ready_within_s if ready_within_s is None else ready_within_s
        self._machines: dict[str, Machine] = {}
        self._links = Links(site, lambda node: self._machine(node).channel)
        self._shells = Shells(site)
        self._clocks: dict[str, _Clock] = {}
        self._logs: dict[str, str] = {}

    @property
    def name(self) -> str:
        return self.site.name

    @property
    def nodes(self) -> tuple[str, ...]:
        return self._nodes

    @property
    def verbs(self) -> frozenset[str]:
        return frozenset(verb for verb in VERBS if not self.why_not(verb))

    def why_not(self, verb: str) -> str:
        return self.site.why_not(verb)

    def checked(self) -> RealCluster:
        """This cluster, if this machine can run it. Raises ClusterError, saying what is missing."""
        self.site.check(self.system)
        return self

    # --- running ------------------------------------------------------------------------------

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        """Run the harness in a loop of its own. Ctrl-C and SIGTERM cancel ``main``, which may go on.

        Raises what ``main`` raises; KeyboardInterrupt when it ended by having been cancelled so.
        """
        self.site.check(self.system)
        try:
            return asyncio.run(self._whole(main))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None

    async def _whole(self, main: Callable[[], Awaitable[T]]) -> T:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        if task is not None:
            with suppress(RuntimeError, ValueError):  # not in the main thread: no signals come here
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.add_signal_handler(number, task.cancel)
        try:
            return await main()
        finally:
            await self.stop()

    async def start(self) -> None:
        """Raises ClusterError, with the last lines of its log, for a node that does not become ready."""
        try:
            self._machines = dict(await self.site.open(self.system, self._nodes))
            await all_done(self._bring_up(node) for node in self._nodes)
        except BaseException:
            await self.stop()
            raise

    async def _bring_up(self, node: str) -> None:
        try:
            await self._prepare(node)
            await self.restart(node)
            await self._ready(node)
        except AgentError as error:
            said = await asyncio.to_thread(self.site.explain, node)
            raise ClusterError(f"{error} {said}".rstrip()) from error

    async def _prepare(self, node: str) -> None:
        channel = self._machines[node].channel
        await self._links.prepare(node)
        await channel.ask("true_time", ahead_s=await _ahead_s(channel))
        await channel.ask("wipe", patterns=list(self.system.data))
        for path, content in self._files(node).items():
            await channel.write(path, content)
        if self.system.prepare is not None:
            argv = list(self.system.prepare(node, self._nodes))
            await channel.run(argv, timeout_s=_PREPARED_WITHIN_S)

    def _files(self, node: str) -> dict[str, bytes]:
        if self.system.files is not None:
            texts = self.system.files(node, self._nodes)
            return {path: text.encode() for path, text in texts.items()}
        config = self.system.configure(node, self._nodes)
        if self.system.advertise is not None:
            reached = {port: self.endpoint(node, port) for port in self.system.ports}
            config = self.system.advertise(config, reached)
        return {_CONFIG: orjson.dumps(dict(config), option=orjson.OPT_INDENT_2)}

    async def _ready(self, node: str) -> None:
        deadline_s = asyncio.get_running_loop().time() + self.ready_within_s
        while asyncio.get_running_loop().time() < deadline_s:
            with suppress(OSError, TimeoutError):
                await self.system.ready(self.endpoint(node))
                return
            if not (await self._state(node))["running"]:
                raise ClusterError(await self._last_words(node, "ended before it was ready"))
            await asyncio.sleep(_READY_EVERY_S)
        raise ClusterError(await self._last_words(node, f"not ready in {self.ready_within_s:g} s"))

    async def _last_words(self, node: str, what: str) -> str:
        log = (await self._log(self._machines[node])).splitlines()
        last = "\n".join(f"  {line}" for line in log[-_LAST_LINES:]) or "  (nothing)"
        return f"{node} of {self.name}: {what}; its log ends:\n{last}"

    async def _log(self, machine: Machine) -> str:
        return str((await machine.channel.ask("log", paths=list(self.system.logs)))["text"])

    async def stop(self) -> None:
        """Undo everything; goes on to the end even when it is cancelled meanwhile."""
        await undisturbed(self._stop())

    async def _stop(self) -> None:
        machines, self._machines = self._machines, {}
        for node, machine in machines.items():
            with suppress(ClusterError, TimeoutError):
                async with asyncio.timeout(5):
                    self._logs[node] = await self._log(machine)
        for machine in machines.values():
            machine.channel.close()
        await self.site.close()

    def endpoint(self, node: str, port: str | None = None) -> Endpoint:
        return self.site.endpoint(self._known(node), self.system.ports[port or self.system.port])

    def wall_clock_ns(self) -> int:
        return time.time_ns()

    def logs(self) -> Mapping[str, str]:
        """Each node's log as it was when the cluster was stopped."""
        return self._logs

    def _known(self, node: str) -> str:
        if node not in self._nodes:
            raise KeyError(f"no node {node!r}; there are {', '.join(self._nodes)}")
        return node

    def _machine(self, node: str) -> Machine:
        if self._known(node) not in self._machines:
            raise ClusterError(f"{node} of {self.name} is not there: the cluster is not started.")
        return self._machines[node]

    async def _ask(self, node: str, do: str, **arguments: Any) -> dict[str, Any]:
        machine = self._machine(node)
        self._shells.require_awake(node)
        return await machine.channel.ask(do, **arguments)

    # --- processes ----------------------------------------------------------------------------

    async def kill(self, node: str) -> None:
        await self._signal(node, signal.SIGKILL, until="gone")

    async def terminate(self, node: str) -> None:
        await self._signal(node, signal.SIGTERM)

    async def power_off(self, node: str) -> None:
        raise ClusterError(f"{self.name} cannot cut the power of {node}: {self.why_not('power_off')}.")

    async def pause(self, node: str) -> None:
        await self._signal(node, signal.SIGSTOP, until="stopped")

    async def resume(self, node: str) -> None:
        await self._signal(node, signal.SIGCONT)

    async def _signal(self, node: str, number: int, until: str = "") -> None:
        if not self._shells.dead(self._known(node)):
            await self._ask(node, "signal", number=number, until=until)

    async def restart(self, node: str) -> None:
        if self._shells.dead(self._known(node)):
            await self._revive(node)
        machine = self._machine(node)
        filled = {"{config}": _CONFIG, "{node}": node}
        words = [_filled(word, filled) for word in self.system.command]
        argv = [*machine.python, *words[1:]] if words[0] == "python" else words
        await self._ask(node, "start", argv=argv, env={**machine.env, **self.system.env})

    async def process_state(self, node: str) -> ProcessState:
        if (state := await self._shells.state(self._known(node))) is not None:
            return state
        said = await self._state(node)
        state = ProcessState(said["running"], said["paused"], said["incarnation"])
        return self._shells.counted(node, state)

    async def _state(self, node: str) -> dict[str, Any]:
        return await self._ask(node, "state")

    # --- containers ---------------------------------------------------------------------------

    async def kill_container(self, node: str) -> None:
        if not self._shells.dead(self._known(node)):
            last = await self.process_state(node)
            await self._links.going(node)
            await self._shells.kill(node, last)
            self._machine(node).channel.close()

    async def _revive(self, node: str) -> None:
        """The container again, and on it all that stood there: rules, delays and the node's clock."""
        machine = self._machines[node] = await self._shells.revive(node)
        await self._links.back(node)
        await machine.channel.ask("true_time", ahead_s=await _ahead_s(machine.channel))
        if (clock := self._clocks.get(node)) is not None:
            await machine.channel.ask("skew", offset_s=clock.offset_now_s(), rate=clock.rate)
        await self._shells.is_back(node)

    async def freeze(self, node: str) -> None:
        last = await self.process_state(node)
        await self._shells.freeze(node, last)

    async def thaw(self, node: str) -> None:
        await self._shells.thaw(self._known(node))

    # --- clocks -------------------------------------------------------------------------------

    async def skew(self, node: str, offset_s: float, rate: float = 1.0) -> None:
        self._clocks[self._known(node)] = _Clock(offset_s, rate, time.monotonic())
        if not self._shells.dead(node):
            await self._ask(node, "skew", offset_s=offset_s, rate=rate)

    async def clock_offset_s(self, node: str) -> float:
        return float((await self._ask(node, "clock"))["offset_s"])

    # --- links --------------------------------------------------------------------------------

    async def cut(self, links: Collection[Link]) -> None:
        await self._links.drop("cut", self._known_links(links), 1.0)

    async def heal(self, links: Collection[Link]) -> None:
        await self._links.drop("cut", self._known_links(links), 0.0)

    async def lose(self, links: Collection[Link], probability: float) -> None:
        await self._links.drop("lose", self._known_links(links), probability)

    async def slow(self, links: Collection[Link], delay_s: float, jitter_s: float = 0.0) -> None:
        if reason := self.why_not("slow"):
            raise ClusterError(f"{self.name} cannot slow links down: {reason}.")
        await self._links.slow(self._known_links(links), delay_s, jitter_s)

    async def dropped(self, links: Collection[Link]) -> int:
        return await self._links.dropped(links)

    async def delayed(self, links: Collection[Link]) -> int:
        return await self._links.delayed(links)

    def _known_links(self, links: Collection[Link]) -> Collection[Link]:
        for end in {end for link in links for end in link if end != CLIENT}:
            self._known(end)
        return links

    # --- the system ---------------------------------------------------------------------------

    async def primaries(self) -> list[str]:
        if self.system.primaries is None:
            return []
        return await self.system.primaries({node: self.endpoint(node) for node in self._nodes})


async def _ahead_s(channel: Channel) -> float:
    """How far the machine's clock is ahead of ours; 0 when that is less than can be told apart."""
    readings = []
    for _ in range(_CLOCK_READINGS):
        before_ns = time.time_ns()
        its_ns = int((await channel.ask("now"))["now_ns"])
        after_ns = time.time_ns()
        readings.append((after_ns - before_ns, its_ns - (before_ns + after_ns) // 2))
    took_ns, ahead_ns = min(readings)
    return ahead_ns / 1e9 if abs(ahead_ns) > took_ns else 0.0


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word
