"""Containers that were killed or are frozen: what is known of them while no agent can be asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from cluster.api import ProcessState
from cluster.real.channel import AgentError
from cluster.real.errors import ClusterError
from cluster.real.site import NO_CONTAINERS, Containers, Machine, Site


class Shells:
    """What was done to the containers of ``site``, and what they are."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._dead: dict[str, str] = {}
        self._frozen: dict[str, ProcessState] = {}
        self._before: Counter[str] = Counter()

    def dead(self, node: str) -> bool:
        """Whether its container was killed and has not been started again."""
        return node in self._dead

    def require_awake(self, node: str) -> None:
        """Raise AgentError if its agent cannot be asked at present, and would never answer."""
        if node in self._dead:
            raise AgentError(f"{node}: its container is dead.")
        if node in self._frozen:
            raise AgentError(f"{node}: its machine is frozen.")

    async def state(self, node: str) -> ProcessState | None:
        """The node's state as its container shows it; None if its agent knows more."""
        if node not in self._dead and node not in self._frozen:
            return None
        container = await self._containers(node).state(node)
        if node in self._dead:
            return ProcessState(container.running, False, self._before[node])
        known = self._frozen[node]
        running = known.running and container.running
        return replace(known, running=running, paused=running and container.frozen)

    def counted(self, node: str, state: ProcessState) -> ProcessState:
        """What an agent says, with the starts of those before it added."""
        return replace(state, incarnation=self._before[node] + state.incarnation)

    async def kill(self, node: str, last: ProcessState) -> None:
        """Kill its container; ``last`` is the state of its process just before."""
        if node not in self._dead:
            containers = self._containers(node)
            self._dead[node] = (await containers.state(node)).started_at
            self._before[node] = last.incarnation
            await containers.kill(node)

    async def revive(self, node: str) -> Machine:
        """Start its container again; its agent can be asked after ``is_back``."""
        return await self._containers(node).revive(node)

    async def is_back(self, node: str) -> None:
        """Raise ClusterError unless the daemon says that it was started anew."""
        container = await self._containers(node).state(node)
        if not container.running or container.started_at == self._dead[node]:
            raise ClusterError(f"{node}: its container was not started again.")
        del self._dead[node]

    async def freeze(self, node: str, last: ProcessState) -> None:
        """Freeze its container, if it runs; ``last`` is the state of its process just before."""
        if node not in self._dead and node not in self._frozen:
            self._frozen[node] = last
            await self._containers(node).freeze(node)

    async def thaw(self, node: str) -> None:
        """Let it go on, if it is frozen."""
        if node in self._frozen:
            await self._containers(node).thaw(node)
            del self._frozen[node]

    def _containers(self, node: str) -> Containers:
        containers = self._site.containers
        if containers is None:
            raise ClusterError(f"{self._site.name}, {node}: {NO_CONTAINERS}.")
        return containers
