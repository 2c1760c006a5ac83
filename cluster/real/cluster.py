"""``cluster.api.Cluster`` on real kernels: fault verbs made of what an agent on each node can do."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import orjson

from cluster.api import CLIENT, Endpoint, Link, ProcessState, System
from cluster.real import rules
from cluster.real.channel import AgentError
from cluster.real.errors import ClusterError
from cluster.real.rules import Chains, Rule
from cluster.real.site import Machine, Site

T = TypeVar("T")

_READY_EVERY_S = 0.05
_LAST_LINES = 5
_CONFIG = "config.json"
DEFAULT_NODES = ("n1", "n2", "n3", "n4", "n5")


class RealCluster:
    """Nodes of ``system`` at ``site``. Used once: ``run`` a coroutine that starts and stops it.

    Whatever that coroutine does, and if it is cancelled or raises, all is undone when ``run`` returns.
    A node must serve within ``ready_within_s`` of its start.
    """

    def __init__(
        self,
        system: System,
        site: Site,
        *,
        nodes: tuple[str, ...] = DEFAULT_NODES,
        ready_within_s: float = 30.0,
    ) -> None:
        if CLIENT in nodes or len(set(nodes)) != len(nodes) or not nodes:
            raise ValueError(f"node names must be distinct and not {CLIENT!r}: {nodes}")
        self.system = system
        self.site = site
        self._nodes = nodes
        self.ready_within_s = ready_within_s
        self._machines: Mapping[str, Machine] = {}
        self._standing: set[Rule] = set()
        self._dropped: Counter[Link] = Counter()
        self._changing = asyncio.Lock()
        self._logs: dict[str, str] = {}

    @property
    def name(self) -> str:
        return self.site.name

    @property
    def nodes(self) -> tuple[str, ...]:
        return self._nodes

    @property
    def verbs(self) -> frozenset[str]:
        return self.site.verbs()

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
            self._machines = await self.site.open(self.system, self._nodes)
            await _all(self._bring_up(node) for node in self._nodes)
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
        chains = self._chains(node)
        await channel.ask("at_end", undo=chains.undo())
        await channel.run(rules.CHANGE, text=chains.creation())
        for path, content in self._files(node).items():
            await channel.write(path, content)

    def _files(self, node: str) -> dict[str, bytes]:
        if self.system.files is not None:
            texts = self.system.files(node, self._nodes)
            return {path: text.encode() for path, text in texts.items()}
        config = dict(self.system.configure(node, self._nodes))
        return {_CONFIG: orjson.dumps(config, option=orjson.OPT_INDENT_2)}

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
        log = (await self._machines[node].channel.ask("log"))["text"].splitlines()
        last = "\n".join(f"  {line}" for line in log[-_LAST_LINES:]) or "  (nothing)"
        return f"{node} of {self.name}: {what}; its log ends:\n{last}"

    async def stop(self) -> None:
        """Undo everything; goes on to the end even when it is cancelled meanwhile."""
        await _undisturbed(self._stop())

    async def _stop(self) -> None:
        machines, self._machines = self._machines, {}
        for node, machine in machines.items():
            with suppress(ClusterError, TimeoutError):
                async with asyncio.timeout(5):
                    self._logs[node] = (await machine.channel.ask("log"))["text"]
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
        return await self._machine(node).channel.ask(do, **arguments)

    def _chains(self, node: str) -> Chains:
        return Chains(self.site.run_id, node)

    # --- processes ----------------------------------------------------------------------------

    async def kill(self, node: str) -> None:
        await self._ask(node, "signal", number=signal.SIGKILL, until="gone")

    async def terminate(self, node: str) -> None:
        await self._ask(node, "signal", number=signal.SIGTERM)

    async def power_off(self, node: str) -> None:
        raise ClusterError(f"{self.name} cannot cut the power of {node}: a real page cache would stay.")

    async def restart(self, node: str) -> None:
        machine = self._machine(node)
        words = [word.replace("{config}", _CONFIG) for word in self.system.command]
        argv = [*machine.python, *words[1:]] if words[0] == "python" else words
        await machine.channel.ask("start", argv=argv, env=dict(machine.env))

    async def pause(self, node: str) -> None:
        await self._ask(node, "signal", number=signal.SIGSTOP, until="stopped")

    async def resume(self, node: str) -> None:
        await self._ask(node, "signal", number=signal.SIGCONT)

    async def process_state(self, node: str) -> ProcessState:
        state = await self._state(node)
        return ProcessState(state["running"], state["paused"], state["incarnation"])

    async def _state(self, node: str) -> dict[str, Any]:
        return await self._ask(node, "state")

    # --- clocks -------------------------------------------------------------------------------

    async def skew(self, node: str, offset_s: float, rate: float = 1.0) -> None:
        await self._ask(node, "skew", offset_s=offset_s, rate=rate)

    async def clock_offset_s(self, node: str) -> float:
        return float((await self._ask(node, "clock"))["offset_s"])

    # --- links --------------------------------------------------------------------------------

    async def cut(self, links: Collection[Link]) -> None:
        await self._drop("cut", links, 1.0)

    async def heal(self, links: Collection[Link]) -> None:
        await self._drop("cut", links, 0.0)

    async def lose(self, links: Collection[Link], probability: float) -> None:
        await self._drop("lose", links, probability)

    async def slow(self, links: Collection[Link], delay_s: float, jitter_s: float = 0.0) -> None:
        raise ClusterError(f"{self.name} cannot slow links down here: the kernel has no netem.")

    async def dropped(self, links: Collection[Link]) -> int:
        async with self._changing:
            nodes = {rule.match.node for rule in self._standing if rule.link in links}
            now = await self._read(nodes)
        live = sum(count for (link, _), count in now.items() if link in links)
        return live + sum(self._dropped[link] for link in set(links))

    async def delayed(self, links: Collection[Link]) -> int:
        return 0

    async def _drop(self, verb: str, links: Collection[Link], probability: float) -> None:
        """Have each packet of ``links`` dropped with this probability by the rules of ``verb``."""
        wanted = {
            Rule(link, verb, match, probability) for link in links for match in self._matches(link)
        }
        async with self._changing:
            old = {rule for rule in self._standing if rule.verb == verb and rule.link in links}
            new = wanted if probability > 0 else set()
            nodes = sorted({rule.match.node for rule in old ^ new})
            await _all(self._change(node, add=new - old, remove=old - new) for node in nodes)

    async def _change(self, node: str, *, add: set[Rule], remove: set[Rule]) -> None:
        """Change the rules on one machine; what a rule has dropped is added up before it goes."""
        add = {rule for rule in add if rule.match.node == node}
        remove = {rule for rule in remove if rule.match.node == node}
        counted = await self._read({node} if remove else ())
        text = self._chains(node).change(add=add, remove=remove)
        await self._machine(node).channel.run(rules.CHANGE, text=text)
        self._standing = (self._standing - remove) | add
        for link, verb in {(rule.link, rule.verb) for rule in remove}:
            self._dropped[link] += counted[link, verb]

    async def _read(self, nodes: Iterable[str]) -> Counter[tuple[Link, str]]:
        """Packets dropped, by link and verb, by the rules that stand on these machines."""
        counts: Counter[tuple[Link, str]] = Counter()
        for node in nodes:
            saved = await self._machine(node).channel.run(rules.READ)
            counts += rules.dropped(saved, self._chains(node))
        return counts

    def _matches(self, link: Link) -> tuple[rules.Match, ...]:
        for end in link:
            if end != CLIENT:
                self._known(end)
        return self.site.matches(link)

    # --- the system ---------------------------------------------------------------------------

    async def primaries(self) -> list[str]:
        if self.system.primaries is None:
            return []
        return await self.system.primaries({node: self.endpoint(node) for node in self._nodes})


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Do all of it at the same time. Raises the first error, when all is through."""
    for error in await asyncio.gather(*work, return_exceptions=True):
        if error is not None:
            raise error


async def _undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """Finish ``work`` even if this task is cancelled meanwhile, then let the cancellation go on."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled:
        raise cancelled
