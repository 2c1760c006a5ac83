"""Each node asks its peers, one after the other, how they are.

That shows in its own ``/healthz``, and it finds two nodes of one Snowflake node id: both then refuse
to hand out IDs. This guards against a mistake in the configuration once the nodes can talk to each
other; it is no substitute for distinct node ids, as two that have never met cannot know.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from itertools import cycle

import aiohttp
import orjson

from impl.ids.config import Config
from impl.ids.errors import Refused

_LOG = logging.getLogger(__name__)


class Peers:
    """What a node knows of the others: who answers, and who has its own node id."""

    __slots__ = ("_config", "_conflicts", "_name", "_state")

    def __init__(self, name: str, config: Config) -> None:
        self._name = name
        self._config = config
        self._state = {peer: "unknown" for peer in config.peers if peer != name}
        self._conflicts: set[str] = set()

    @property
    def state(self) -> Mapping[str, str]:
        """``up``, ``down`` or ``unknown`` by the peer's name."""
        return self._state

    def check(self) -> None:
        """Raises Refused ``node-id-conflict`` while a peer is known to have this node's id."""
        if self._conflicts:
            others = ", ".join(sorted(self._conflicts))
            raise Refused(
                "node-id-conflict",
                f"{self._name} has node id {self._config.node_id}, which {others} has as well; "
                "give each node its own",
            )

    async def watch(self) -> None:
        """Ask one peer after the other, for ever; all of them at once to begin with."""
        if not self._state:
            return
        timeout = aiohttp.ClientTimeout(total=self._config.peer_timeout_ms / 1000)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await asyncio.gather(*(self._ask(session, peer) for peer in self._state))
            for peer in cycle(self._state):
                await asyncio.sleep(self._config.peer_interval_ms / 1000)
                await self._ask(session, peer)

    async def _ask(self, session: aiohttp.ClientSession, peer: str) -> None:
        host, port = self._config.peers[peer]
        try:
            async with session.get(f"http://{host}:{port}/healthz") as response:
                health = orjson.loads(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError):
            self._state[peer] = "down"
        else:
            self._state[peer] = "up"
            self._compare(peer, health.get("node_id") if isinstance(health, dict) else None)

    def _compare(self, peer: str, node_id: object) -> None:
        if self._config.kind != "snowflake":
            return
        if node_id != self._config.node_id:
            self._conflicts.discard(peer)
        elif peer not in self._conflicts:
            self._conflicts.add(peer)
            _LOG.error("%s: node id %s is also that of %s", self._name, node_id, peer)
