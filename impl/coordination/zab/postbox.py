"""Carries notifications between servers: to each peer the newest one only, until it is received.

Each server dials each other for what it has to say. A notification that is not confirmed within a tick
is sent again over a new connection, since the old one may hang for long after a partition has healed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from impl.coordination.config import Config, Server
from impl.coordination.protocol.jute import Malformed
from impl.coordination.zab.link import Link, answer, dial
from impl.coordination.zab.listener import Listener
from impl.coordination.zab.messages import Notification, Receipt

_log = logging.getLogger(__name__)
_AGAIN_AFTER_S = 0.1
_LONGEST_PAUSE_S = 2.0


class Postbox:
    """``send`` puts a notification on its way; what arrives goes to ``receive``."""

    def __init__(self, config: Config, receive: Callable[[Notification], None]) -> None:
        self._config = config
        self._receive = receive
        self._newest: dict[int, Notification] = {}
        self._waiting = {id: asyncio.Event() for id in config.servers if id != config.me}

    def send(self, server: int, notification: Notification) -> None:
        """Tell ``server``, in place of what it was not told yet."""
        if server in self._waiting:
            self._newest[server] = notification
            self._waiting[server].set()

    async def run(self) -> None:
        """Listen and deliver until cancelled. Raises OSError if the port cannot be used."""
        me = self._config.servers[self._config.me]
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        async with (
            Listener(me.host, me.election_port, self._listen, failed.set_exception),
            asyncio.TaskGroup() as tasks,
        ):
            for id in self._waiting:
                tasks.create_task(self._deliver(self._config.servers[id]))
            await failed

    async def _listen(self, link: Link) -> None:
        try:
            await answer(link, self._config.tick_s)
            while True:
                heard = await link.expect(Notification)
                link.send(Receipt(heard.round))
                self._receive(heard)
        except (OSError, Malformed, TimeoutError):
            return

    async def _deliver(self, peer: Server) -> None:
        waiting, pause_s = self._waiting[peer.id], _AGAIN_AFTER_S
        while True:
            await waiting.wait()
            try:
                link = await dial(peer.host, peer.election_port, self._config.me, self._config.tick_s)
                try:
                    while True:
                        await self._deliver_newest(link, peer.id)
                        pause_s = _AGAIN_AFTER_S
                finally:
                    link.close()
            except (OSError, Malformed, TimeoutError):
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _deliver_newest(self, link: Link, peer: int) -> None:
        await self._waiting[peer].wait()
        notification = self._newest[peer]
        link.send(notification)
        async with asyncio.timeout(self._config.tick_s):
            await link.expect(Receipt)
        if self._newest[peer] is notification:
            self._waiting[peer].clear()
