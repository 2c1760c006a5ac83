"""The cluster's state of a broker among others: a session, a registration, and the controller's images.

One session follows another. In each the broker registers, stands for controller, and has whoever is
controller tell it of every change. A session that is over takes the registration with it: until the
next is seen in an image, this broker leads nothing that it can be sure of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from impl.coordination.client.client import Client
from impl.coordination.client.errors import OUTAGES, ServerError
from impl.coordination.protocol.errors import Code as ZkCode
from impl.coordination.recipes.insist import SessionLost, insist
from impl.host import Host
from impl.queue.metadata import registration, wire, znodes
from impl.queue.metadata.calls import Calls
from impl.queue.metadata.controller import Controller, Rules
from impl.queue.metadata.image import Broker, Image, PartitionKey, PartitionState
from impl.queue.metadata.office import hold_office
from impl.queue.metadata.state import Assignment, OnChange
from impl.queue.protocol.codec import Codec
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.protocol.keys import OwnKey
from impl.queue.protocol.peer import PEER_ERRORS

_BLOCK = 1000
_PAUSE_S = 0.1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """How this broker belongs to its cluster. ``internal`` is where other brokers reach it."""

    me: Broker
    internal: tuple[str, int]
    endpoints: tuple[tuple[str, int], ...]
    chroot: str
    session_timeout_s: float
    prefer_every_s: float | None
    cluster_id: str
    unclean: Callable[[Mapping[str, str]], bool]


class ClusterMetadata:
    """See the module, and ``state.ClusterState``."""

    alone = False

    def __init__(self, host: Host, membership: Membership, rules: Rules) -> None:
        self.image = Image(cluster_id="")
        self.controller: Controller | None = None
        self._host = host
        self._as = membership
        self._rules = rules
        self._codec = Codec()
        self._client: Client | None = None
        self._registered = -1
        self._calls = Calls(self._codec, membership.session_timeout_s)
        self._polls = Calls(self._codec, membership.session_timeout_s)
        self._watchers: list[OnChange] = []
        self._seen = asyncio.Event()

    # --- what is known ------------------------------------------------------------------------

    def watch(self, changed: OnChange) -> None:
        self._watchers.append(changed)

    @property
    def epoch(self) -> int:
        shown = self.image.brokers.get(self._as.me.id)
        return self._registered if shown is not None and shown.epoch == self._registered else -1

    @property
    def certain(self) -> bool:
        client = self._client
        return (
            client is not None
            and self.epoch >= 0
            and not client.state.final
            and asyncio.get_running_loop().time() < client.certain_until_s
        )

    async def ready(self) -> None:
        while self.epoch < 0:
            self._seen.clear()
            await self._seen.wait()

    def _show(self, image: Image) -> None:
        before, self.image = self.image, image
        self._seen.set()
        for changed in self._watchers:
            changed(before, image)

    # --- sessions -----------------------------------------------------------------------------

    async def run(self) -> None:
        while True:
            try:
                await self._session()
            except (SessionLost, ServerError, *OUTAGES) as error:
                _log.warning("broker %d: %s; a new session", self._as.me.id, error)
                await asyncio.sleep(self._host.random.uniform(0, _PAUSE_S))

    async def _session(self) -> None:
        client = Client(
            self._as.endpoints,
            session_timeout_s=self._as.session_timeout_s,
            random=self._host.random,
            chroot=self._as.chroot,
        )
        client.start()
        let_go = client.hold()
        try:
            self._registered = await registration.register(client, self._as.me, self._as.cluster_id)
            self._client = client
            _log.info("broker %d: registered, epoch %d", self._as.me.id, self._registered)
            tasks = [asyncio.ensure_future(each) for each in (self._stand(client), self._follow(client))]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
        finally:
            let_go()
            self._registered, self._client = -1, None
            await client.close()

    async def close(self) -> None:
        self._calls.close()
        self._polls.close()

    # --- being controller ---------------------------------------------------------------------

    async def _stand(self, client: Client) -> None:
        """Campaign, control, campaign again. Raises SessionLost."""
        while True:
            await hold_office(client, self._as, self._rules, self._in_office)
            await asyncio.sleep(client.random.uniform(0, _PAUSE_S))

    def _in_office(self, controller: Controller | None) -> None:
        self.controller = controller

    # --- following the controller -------------------------------------------------------------

    async def _follow(self, client: Client) -> None:
        """Take the images of whoever is controller. Raises SessionLost."""
        while True:
            changed = asyncio.Event()
            address = await insist(client, partial(registration.controller, client, changed))
            self._calls.at(address)
            self._polls.at(address)
            if address is None:
                await _either(client, changed)
                continue
            polling = asyncio.ensure_future(self._poll())
            waiting = asyncio.ensure_future(_either(client, changed))
            try:
                await asyncio.wait((polling, waiting), return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    waiting.result()
            finally:
                polling.cancel()
                waiting.cancel()
                await asyncio.wait((polling, waiting))

    async def _poll(self) -> None:
        """Ask for one image after the other."""
        wait_s = self._as.session_timeout_s
        while True:
            asked = {
                "broker": self._as.me.id,
                "broker_epoch": self._registered,
                "epoch": self.image.controller_epoch,
                "version": self.image.version,
                "wait_ms": round(wait_s * 500),
            }
            try:
                answer = await self._polls.ask(OwnKey.FETCH_IMAGE, asked, wait_s)
                self._take(answer)
            except (*PEER_ERRORS, ApiError) as error:
                _log.debug("no image from the controller: %s", error)
                self._polls.close()
                await asyncio.sleep(self._host.random.uniform(0, _PAUSE_S))

    def _take(self, answer: Mapping[str, Any]) -> None:
        place = (answer["epoch"], answer["version"])
        if place <= (self.image.controller_epoch, self.image.version):
            return
        if not answer["whole"] and answer["epoch"] != self.image.controller_epoch:
            return
        self._show(wire.applied(self.image, answer))

    # --- asking for changes -------------------------------------------------------------------

    async def leave(self) -> None:
        mine = {"broker": self._as.me.id, "broker_epoch": self.epoch}
        with suppress(ApiError, *PEER_ERRORS):
            await self._calls.ask(OwnKey.SHUT_DOWN, mine, self._as.session_timeout_s)

    async def create_topic(self, name: str, assignment: Assignment, settings: Mapping[str, str]) -> None:
        id = UUID(bytes=self._host.random.randbytes(16), version=4).hex
        await self._change("create", name, id=id, assignment=assignment, settings=dict(settings))

    async def delete_topic(self, name: str) -> None:
        await self._change("delete", name)

    async def add_partitions(self, name: str, assignment: Assignment) -> None:
        topic = self.image.topics.get(name)
        if topic is None:
            raise ApiError(Code.unknown_topic_or_partition)
        await self._change("enlarge", name, assignment=assignment, has=len(topic.partitions))

    async def change_settings(self, name: str, settings: Mapping[str, str | None]) -> None:
        await self._change("settings", name, settings=dict(settings))

    async def prefer(self, name: str, partitions: Collection[int]) -> None:
        await self._change("prefer", name, partitions=sorted(partitions))

    async def move(self, name: str, targets: Mapping[int, Sequence[int] | None]) -> None:
        await self._change("move", name, targets=list(targets.items()))

    async def _change(self, what: str, name: str, **further: Any) -> None:
        asked = {"what": what, "name": name, **further}
        try:
            answer = await self._calls.ask(OwnKey.CHANGE_TOPIC, asked, 2 * self._as.session_timeout_s)
            place = (answer["epoch"], answer["version"])
            async with asyncio.timeout(2 * self._as.session_timeout_s):
                while (self.image.controller_epoch, self.image.version) < place:
                    self._seen.clear()
                    await self._seen.wait()
        except PEER_ERRORS as error:
            raise ApiError(Code.request_timed_out, f"the controller does not answer: {error}") from error

    async def change_isr(
        self, key: PartitionKey, members: Mapping[int, int], seen: PartitionState
    ) -> None:
        asked = {
            "broker": self._as.me.id,
            "broker_epoch": self.epoch,
            "topic": key.topic,
            "partition": key.partition,
            "leader_epoch": seen.leader_epoch,
            "version": seen.version,
            "members": [list(each) for each in members.items()],
        }
        try:
            await self._calls.ask(OwnKey.CHANGE_ISR, asked, self._as.session_timeout_s)
        except PEER_ERRORS as error:
            raise ApiError(Code.request_timed_out, f"the controller does not answer: {error}") from error

    async def producer_ids(self) -> range:
        while True:
            client = self._client
            if client is None:
                raise ApiError(Code.coordinator_not_available)
            try:
                found = await client.get(znodes.PRODUCER_IDS)
                first = int(found.data)
                data = b"%d" % (first + _BLOCK)
                await client.set(znodes.PRODUCER_IDS, data, version=found.stat.version)
                return range(first, first + _BLOCK)
            except ServerError as error:
                if error.code != ZkCode.BAD_VERSION:
                    raise ApiError(Code.coordinator_not_available) from error
            except OUTAGES as error:
                raise ApiError(Code.coordinator_not_available) from error


async def _either(client: Client, changed: asyncio.Event) -> None:
    """Return when ``changed`` is set. Raises SessionLost when the session is over before."""
    stop = client.listen(lambda transition: changed.set() if transition.state.final else None)
    try:
        if not client.state.final:
            await changed.wait()
    finally:
        stop()
    if client.state.final:
        raise SessionLost(client)
