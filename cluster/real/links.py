"""What happens to packets between the machines of a cluster: cut, lost or late, and counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from cluster.api import Link
from cluster.real import netem, rules
from cluster.real.channel import Channel
from cluster.real.netem import Lane, Slowed
from cluster.real.rules import Chains, Rule
from cluster.real.site import Site
from cluster.real.waiting import all_done


class Links:
    """The rules and queues of one run on all machines; ``channel`` gives a machine's agent.

    A machine that is ``down`` has none: what is asked for meanwhile is done when it is ``up`` again.
    """

    def __init__(self, site: Site, channel: Callable[[str], Channel]) -> None:
        self._site, self._channel = site, channel
        self._changing = asyncio.Lock()
        self._down: set[str] = set()
        self._standing: set[Rule] = set()
        self._dropped: Counter[Link] = Counter()
        self._slowed: dict[Link, Slowed] = {}
        self._delayed: Counter[Link] = Counter()
        self._trees: set[tuple[str, str]] = set()
        self._numbers: dict[Link, int] = {}

    # --- machines -----------------------------------------------------------------------------

    async def prepare(self, node: str) -> None:
        """Make the chains on a fresh machine, and see to it that they go."""
        chains, channel = self._chains(node), self._channel(node)
        await channel.ask("at_end", undo=chains.undo())
        await channel.run(rules.CHANGE, text=chains.creation())

    async def going(self, node: str) -> None:
        """The machine is about to go down: keep what its rules and queues have counted."""
        async with self._changing:
            for (link, _), count in (await self._read({node})).items():
                self._dropped[link] += count
            slowed = [one for one in self._slowed.values() if one.lane.node == node]
            self._delayed.update(await self._passed(slowed))
            self._trees = {each for each in self._trees if each[0] != node}
            self._down.add(node)

    async def back(self, node: str) -> None:
        """The machine is up again, with nothing on it: do all that stands."""
        await self.prepare(node)
        async with self._changing:
            self._down.discard(node)
            mine = {rule for rule in self._standing if rule.match.node == node}
            if mine:
                text = self._chains(node).change(add=mine)
                await self._channel(node).run(rules.CHANGE, text=text)
            for one in [each for each in self._slowed.values() if each.lane.node == node]:
                await self._start(one)

    # --- dropping -----------------------------------------------------------------------------

    async def drop(self, verb: str, links: Collection[Link], probability: float) -> None:
        """Have each packet of ``links`` dropped with this probability by the rules of ``verb``."""
        wanted = {
            Rule(link, verb, match, probability) for link in links for match in self._site.matches(link)
        }
        async with self._changing:
            old = {rule for rule in self._standing if rule.verb == verb and rule.link in links}
            new = wanted if probability > 0 else set()
            nodes = sorted({rule.match.node for rule in old ^ new})
            await all_done(self._change(node, add=new - old, remove=old - new) for node in nodes)

    async def dropped(self, links: Collection[Link]) -> int:
        """Packets dropped on ``links`` so far."""
        async with self._changing:
            nodes = {rule.match.node for rule in self._standing if rule.link in links}
            now = await self._read(nodes)
        live = sum(count for (link, _), count in now.items() if link in links)
        return live + sum(self._dropped[link] for link in set(links))

    async def _change(self, node: str, *, add: set[Rule], remove: set[Rule]) -> None:
        """Change the rules on one machine; what a rule has dropped is added up before it goes."""
        add = {rule for rule in add if rule.match.node == node}
        remove = {rule for rule in remove if rule.match.node == node}
        counted = await self._read({node} if remove else ())
        if node not in self._down:
            text = self._chains(node).change(add=add, remove=remove)
            await self._channel(node).run(rules.CHANGE, text=text)
        self._standing = (self._standing - remove) | add
        for link, verb in {(rule.link, rule.verb) for rule in remove}:
            self._dropped[link] += counted[link, verb]

    async def _read(self, nodes: Iterable[str]) -> Counter[tuple[Link, str]]:
        """Packets dropped, by link and verb, by the rules that stand on these machines."""
        counts: Counter[tuple[Link, str]] = Counter()
        for node in set(nodes) - self._down:
            saved = await self._channel(node).run(rules.READ)
            counts += rules.dropped(saved, self._chains(node))
        return counts

    def _chains(self, node: str) -> Chains:
        return Chains(self._site.run_id, node)

    # --- delaying -----------------------------------------------------------------------------

    async def slow(self, links: Collection[Link], delay_s: float, jitter_s: float) -> None:
        """Delay the packets of ``links``; those that the site cannot delay stay as they are."""
        async with self._changing:
            for link in links:
                if (lane := self._site.lane(link)) is not None:
                    await self._slow(link, lane, delay_s, jitter_s)

    async def delayed(self, links: Collection[Link]) -> int:
        """Packets that were delayed on ``links`` so far."""
        async with self._changing:
            passed = await self._passed([self._slowed[link] for link in links if link in self._slowed])
        return sum(passed.values()) + sum(self._delayed[link] for link in set(links))

    async def _slow(self, link: Link, lane: Lane, delay_s: float, jitter_s: float) -> None:
        number = self._numbers.setdefault(link, netem.FIRST + len(self._numbers))
        old = self._slowed.get(link)
        new = Slowed(link, lane, number, delay_s, jitter_s)
        if old is None and delay_s > 0:
            await self._start(new)
        elif old is not None and delay_s > 0:
            await self._tc(lane, replace(new, lane=old.lane).change())
        elif old is not None:
            self._delayed.update(await self._passed([old]))
            await self._mangle(lane, old.rules(self._chain(lane), "-D"))
            await self._tc(lane, old.end())
        if delay_s > 0:
            self._slowed[link] = new
        else:
            self._slowed.pop(link, None)

    async def _start(self, one: Slowed) -> None:
        lane = one.lane
        if lane.node in self._down:
            return
        if (lane.node, lane.device) not in self._trees:
            creation = netem.chain_creation(self._chain(lane))
            await self._channel(lane.node).run(rules.CHANGE, text=creation)
            await self._tc(lane, netem.tree(lane.device))
            self._trees.add((lane.node, lane.device))
        await self._tc(lane, one.start())
        await self._mangle(lane, one.rules(self._chain(lane), "-A"))

    async def _passed(self, slowed: Collection[Slowed]) -> Counter[Link]:
        counts: Counter[Link] = Counter()
        lanes = {(one.lane.node, one.lane.device) for one in slowed}
        for node, device in (each for each in lanes if each[0] not in self._down):
            printed = await self._channel(node).run(netem.read(device))
            here = [one for one in slowed if (one.lane.node, one.lane.device) == (node, device)]
            counts.update(netem.counted(printed, here))
        return counts

    async def _tc(self, lane: Lane, commands: list[str]) -> None:
        if lane.node not in self._down:
            await self._channel(lane.node).run(netem.BATCH, text="\n".join([*commands, ""]))

    async def _mangle(self, lane: Lane, lines: list[str]) -> None:
        if lane.node not in self._down:
            await self._channel(lane.node).run(rules.CHANGE, text=netem.table(lines))

    def _chain(self, lane: Lane) -> str:
        return f"wt-{self._site.run_id}-slow"
