"""The cluster from a client's side: connections to its brokers, and metadata that is kept fresh."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from impl.coordination.client.backoff import Backoff
from impl.queue.client.connection import Address, Connection, Disconnected, connect
from impl.queue.client.errors import Closed, DidNotHappen, MayHaveHappened
from impl.queue.client.metadata import Metadata, Topic, updated
from impl.queue.client.versions import SPOKEN, Versions
from impl.queue.protocol.calls import Calls
from impl.queue.protocol.errors import Code, Malformed
from impl.queue.protocol.keys import ApiKey

if TYPE_CHECKING:
    from ssl import SSLContext

_log = logging.getLogger(__name__)
_OUT_OF_REACH = (OSError, TimeoutError, Malformed)
MAIN, GROUP = "main", "group"
"""Connections to one broker, by what they are for: a group's requests must not wait for fetches."""


class Cluster:
    """See the module. Who listens is called after metadata changed, or a connection came or went.

    ``backoff_s`` are the first and the last limit of a random wait before a broker, or the metadata, are
    asked again.
    """

    def __init__(
        self,
        bootstrap: Sequence[tuple[str, int]],
        *,
        client_id: str,
        random: random.Random,
        request_timeout_s: float,
        connect_timeout_s: float,
        metadata_max_age_s: float,
        backoff_s: tuple[float, float],
        create_topics: bool,
        ssl: SSLContext | None,
        max_versions: Versions | None = None,
    ) -> None:
        if not bootstrap:
            raise ValueError("bootstrap names no broker; give at least one (host, port)")
        self.metadata = Metadata()
        self.request_timeout_s = request_timeout_s
        self.closed = False
        self._bootstrap = [Address(*each) for each in bootstrap]
        self._calls = Calls(client_id)
        self._random = random
        self._connect_timeout_s = connect_timeout_s
        self._max_age_s = metadata_max_age_s
        self._backoff_s = backoff_s
        self._create_topics = create_topics
        self._ssl = ssl
        self._max_versions = max_versions or {}
        self._connections: dict[tuple[int, str], Connection] = {}
        self._dialling: dict[tuple[int, str], asyncio.Task[Connection]] = {}
        self._waits: dict[tuple[int, str], tuple[Backoff, float]] = {}
        self._introduced: dict[int, Address] = {}
        self._topics: dict[str, None] = {}
        self._all_topics = False
        self._listeners: list[Callable[[], None]] = []
        self._wanted = asyncio.Event()
        self._new_topics = asyncio.Event()
        self._refreshed: asyncio.Future[None] | None = None
        self._keeper: asyncio.Task[None] | None = None

    # --- life ---------------------------------------------------------------------------------

    async def start(self, *, within_s: float) -> None:
        """Reach some broker. Raises DidNotHappen when none answers in time."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep())
        await self.refresh(within_s=within_s)

    async def close(self) -> None:
        """Close all connections."""
        self.closed = True
        tasks = [task for task in (self._keeper, *self._dialling.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self._connections.values()):
            connection.fail("the client was closed")
        if self._refreshed is not None and not self._refreshed.done():
            self._refreshed.set_exception(Closed("the client was closed"))
            self._refreshed.exception()

    def listen(self, call: Callable[[], None]) -> None:
        """Call ``call`` after each change."""
        self._listeners.append(call)

    def _changed(self) -> None:
        for call in self._listeners:
            call()

    # --- metadata -----------------------------------------------------------------------------

    def watch(self, topics: Iterable[str]) -> None:
        """Keep metadata of these topics as well."""
        new = [topic for topic in topics if topic not in self._topics]
        if new:
            self._topics.update(dict.fromkeys(new))
            self._new_topics.set()
            self.stale()

    def watch_all(self) -> None:
        """Keep metadata of every topic that there is."""
        if not self._all_topics:
            self._all_topics = True
            self._new_topics.set()
        self.stale()

    def stale(self) -> None:
        """What is known may be wrong: ask soon."""
        self._wanted.set()

    async def refresh(self, *, within_s: float) -> None:
        """Return when metadata have been asked for anew. Raises DidNotHappen after ``within_s``."""
        if self.closed:
            raise Closed("the client was closed")
        if self._refreshed is None or self._refreshed.done():
            self._refreshed = asyncio.get_running_loop().create_future()
        self._wanted.set()
        try:
            async with asyncio.timeout(within_s):
                await asyncio.shield(self._refreshed)
        except TimeoutError:
            names = ", ".join(f"{each.host}:{each.port}" for each in self._bootstrap)
            raise DidNotHappen(f"no broker of {names} told its metadata in {within_s:g} s") from None

    async def topic(self, name: str, *, within_s: float) -> Topic:
        """The topic ``name`` once it has partitions. Raises DidNotHappen after ``within_s``."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + within_s
        self.watch((name,))
        while (topic := self.metadata.topics.get(name)) is None or not topic.partitions:
            left_s = deadline_s - loop.time()
            code = topic.error if topic is not None else None
            if code in (Code.invalid_topic_exception, Code.topic_authorization_failed):
                raise DidNotHappen(f"topic {name}: {code.name}", code)
            if left_s <= 0:
                reason = code.name if code is not None else "no broker told of it"
                raise DidNotHappen(f"topic {name} is not known after {within_s:g} s: {reason}", code)
            await self.refresh(within_s=left_s)
        return topic

    async def _keep(self) -> None:
        """Ask for metadata when they are wanted or old; after a failure, wait longer and longer."""
        backoff = self._backoff(free=0)
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._max_age_s):
                    await self._wanted.wait()
            self._wanted.clear()
            self._new_topics.clear()
            asked = self._refreshed
            try:
                await self._ask_metadata()
            except _OUT_OF_REACH as error:
                _log.info("metadata: %s", error)
                self._wanted.set()
                await asyncio.sleep(backoff.next_s())
                continue
            backoff.reset()
            if asked is not None and not asked.done():
                asked.set_result(None)
            self._changed()
            # Whoever finds the answer no better asks again at once: not more often than this.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._random.uniform(0.5, 1.0) * self._backoff_s[0]):
                    await self._new_topics.wait()

    async def _ask_metadata(self) -> None:
        names = None if self._all_topics else list(self._topics)
        connection = await self.any_connection()
        values = {
            "topics": None if names is None else [{"name": name, "topic_id": None} for name in names],
            "allow_auto_topic_creation": self._create_topics,
            "include_cluster_authorized_operations": False,
            "include_topic_authorized_operations": False,
        }
        timeout_s = self.request_timeout_s
        body = await connection.ask(ApiKey.METADATA, values, timeout_s=timeout_s)
        self.metadata = updated(self.metadata, body, all_topics=names is None)
        self._adopt()
        if any(each.error_code is Code.leader_not_available for each in body.topics):
            self._wanted.set()

    # --- connections --------------------------------------------------------------------------

    def introduce(self, node: int, address: Address) -> None:
        """A broker that may not be in the metadata yet."""
        self._introduced[node] = address

    def link(self, node: int, purpose: str = MAIN) -> Connection | None:
        """The connection to a broker, if there is one; else it is being made, and listeners are told."""
        connection = self._connections.get((node, purpose))
        if connection is not None:
            return connection
        if not self.closed and (node, purpose) not in self._dialling:
            self._dial(node, purpose)
        return None

    async def connection(self, node: int, purpose: str = MAIN) -> Connection:
        """The connection to a broker. Raises OSError, TimeoutError, Malformed, or Closed."""
        if self.closed:
            raise Closed("the client was closed")
        connection = self.link(node, purpose)
        if connection is not None:
            return connection
        return await asyncio.shield(self._dialling[node, purpose])

    async def any_connection(self) -> Connection:
        """A connection to whichever broker can be reached: known ones first, then the given ones."""
        open_ones = [each for (_, purpose), each in self._connections.items() if purpose == MAIN]
        if open_ones:
            least = min(each.under_way for each in open_ones)
            return self._random.choice([each for each in open_ones if each.under_way == least])
        nodes = list(self.metadata.brokers)
        self._random.shuffle(nodes)
        for node in nodes:
            with suppress(*_OUT_OF_REACH):
                return await self.connection(node)
        return await self._bootstrapped()

    async def _bootstrapped(self) -> Connection:
        error: Exception = ConnectionError("no broker is known")
        for number in self._random.sample(range(len(self._bootstrap)), len(self._bootstrap)):
            try:
                connection = await self._connect(self._bootstrap[number])
            except _OUT_OF_REACH as caught:
                error = caught
                continue
            self._keep_connection((-1 - number, MAIN), connection)
            return connection
        raise ConnectionError(f"no broker can be reached: {error}")

    def _adopt(self) -> None:
        """Connections made by a given address belong to the broker that has it, or are not kept."""
        for key in [key for key in self._connections if key[0] < 0]:
            connection = self._connections.pop(key)
            address = self._bootstrap[-1 - key[0]]
            nodes = [node for node, where in self.metadata.brokers.items() if where == address]
            if nodes and (nodes[0], MAIN) not in self._connections:
                self._connections[nodes[0], MAIN] = connection
            else:
                connection.fail("another connection is used")

    def _dial(self, node: int, purpose: str) -> None:
        task = asyncio.get_running_loop().create_task(self._reach(node, purpose))
        self._dialling[node, purpose] = task

        def done(task: asyncio.Task[Connection]) -> None:
            self._dialling.pop((node, purpose), None)
            if not task.cancelled() and task.exception() is not None:
                _log.info("broker %d: %s", node, task.exception())
                self.stale()
            self._changed()

        task.add_done_callback(done)

    async def _reach(self, node: int, purpose: str) -> Connection:
        loop = asyncio.get_running_loop()
        backoff, not_before_s = self._waits.get((node, purpose)) or (self._backoff(free=1), 0.0)
        self._waits[node, purpose] = backoff, not_before_s
        if not_before_s > loop.time():
            await asyncio.sleep(not_before_s - loop.time())
        try:
            connection = await self._connect(self._address(node))
            self._keep_connection((node, purpose), connection)
        except _OUT_OF_REACH:
            self._waits[node, purpose] = backoff, loop.time() + backoff.next_s()
            raise
        self._waits.pop((node, purpose), None)
        return connection

    def _address(self, node: int) -> Address:
        """Raises ConnectionError: metadata may name a leader that has just died, and no address."""
        address = self.metadata.brokers.get(node) or self._introduced.get(node)
        if address is None:
            raise ConnectionError(f"broker {node} is not in the metadata")
        return address

    async def _connect(self, address: Address) -> Connection:
        return await connect(
            self._calls,
            address,
            timeout_s=self._connect_timeout_s,
            ssl=self._ssl,
            max_versions=self._max_versions,
        )

    def _keep_connection(self, key: tuple[int, str], connection: Connection) -> None:
        if not connection.open:
            raise ConnectionError(f"{connection.name} closed the connection")
        self._connections[key] = connection
        connection.on_lost = self._lost
        connection.on_writable = self._changed

    def _lost(self, connection: Connection) -> None:
        for key in [key for key, each in self._connections.items() if each is connection]:
            del self._connections[key]
        self.stale()
        self._changed()

    def _backoff(self, *, free: int) -> Backoff:
        first_s, last_s = self._backoff_s
        return Backoff(self._random, free=free, base_s=first_s, cap_s=last_s)

    # --- asking -------------------------------------------------------------------------------

    async def ask(
        self,
        node: int | None,
        key: int,
        values: Mapping[str, Any],
        *,
        changes: bool,
        timeout_s: float | None = None,
        purpose: str = MAIN,
    ) -> Any:
        """Ask one broker, any for None. Raises DidNotHappen, or MayHaveHappened if it ``changes``."""
        what = ApiKey(key).name
        try:
            connection = await (
                self.any_connection() if node is None else self.connection(node, purpose)
            )
            if key not in connection.versions:
                low, high = SPOKEN[key]
                reason = f"{connection.name} has no {what} of versions {low} to {high}"
                raise DidNotHappen(reason, Code.unsupported_version)
            timeout_s = self.request_timeout_s if timeout_s is None else timeout_s
            return await connection.ask(key, values, timeout_s=timeout_s)
        except Disconnected as error:
            if changes and error.sent:
                raise MayHaveHappened(f"{what}: {error}") from error
            raise DidNotHappen(f"{what}: {error}") from error
        except _OUT_OF_REACH as error:
            raise DidNotHappen(f"{what}: {_words(error)}") from error

    def version(self, node: int, key: int, purpose: str = MAIN) -> int:
        """The version in which a broker is asked; that of the last for one that isn't connected."""
        connection = self._connections.get((node, purpose))
        return connection.versions.get(key, -1) if connection is not None else -1


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
