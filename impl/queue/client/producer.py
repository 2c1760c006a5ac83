"""A producer: records go into batches by partition and are sent in the background.

``docs/queue-client.md`` says what each outcome promises.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from impl.queue.client.batch import Batch, Delivery, Placed
from impl.queue.client.cluster import Cluster
from impl.queue.client.errors import Closed, DidNotHappen
from impl.queue.client.lane import Lane
from impl.queue.client.metadata import TopicPartition
from impl.queue.client.partitioners import Partitioner, Partitions, standard
from impl.queue.client.sender import Sender, Sending
from impl.queue.protocol.compression import NUMBERS
from impl.queue.protocol.encode import RECORD_OVERHEAD, Headers, headers_bytes

if TYPE_CHECKING:
    from ssl import SSLContext

_ACKS = {0: 0, 1: 1, "all": -1, -1: -1}.get
_MOST_IN_FLIGHT_NUMBERED = 5
_NS_PER_MS = 1_000_000

Serializer = Callable[[Any], "bytes | None"]


class Producer:
    """Sends records to the brokers that ``bootstrap``, as (host, port), leads to.

    ``random`` and ``wall_clock_ns`` are the host's; times are in seconds, sizes in bytes.
    ``acks``: 0 sends and forgets, 1 waits for the leader, "all" for every replica in sync.
    ``idempotent``, which needs "all": retries neither double nor reorder; the default where it is
    possible. ``compression``: none, gzip, snappy, lz4 or zstd. ``linger_s`` is how long a batch that
    isn't full waits for more. ``partitioner``: see ``partitioners``. ``buffer_bytes`` bounds what is on
    its way; beyond it ``send`` waits, ``max_block_s`` at most. ``delivery_timeout_s`` bounds all tries
    of a record together, ``request_timeout_s`` one of them, ``retries`` their number unless None, and
    ``backoff_s`` the random wait between them: its first and its last limit.
    Raises ValueError for settings that don't go together.
    """

    def __init__(
        self,
        bootstrap: Sequence[tuple[str, int]],
        *,
        random: random.Random,
        wall_clock_ns: Callable[[], int],
        client_id: str = "windtunnel-producer",
        acks: int | str = "all",
        idempotent: bool | None = None,
        compression: str = "none",
        linger_s: float = 0.005,
        batch_bytes: int = 16 << 10,
        buffer_bytes: int = 32 << 20,
        max_request_bytes: int = 1 << 20,
        max_in_flight: int = 5,
        partitioner: Partitioner | None = None,
        key_serializer: Serializer | None = None,
        value_serializer: Serializer | None = None,
        delivery_timeout_s: float = 120.0,
        request_timeout_s: float = 30.0,
        connect_timeout_s: float = 3.0,
        max_block_s: float = 60.0,
        metadata_max_age_s: float = 300.0,
        retries: int | None = None,
        backoff_s: tuple[float, float] = (0.1, 1.0),
        create_topics: bool = True,
        ssl: SSLContext | None = None,
    ) -> None:
        level = _ACKS(acks)
        if level is None:
            raise ValueError(f"acks is {acks!r}; give 0, 1 or 'all'")
        if compression not in NUMBERS:
            raise ValueError(f"compression is {compression!r}; give one of {', '.join(NUMBERS)}")
        possible = level == -1 and 1 <= max_in_flight <= _MOST_IN_FLIGHT_NUMBERED and retries != 0
        if idempotent and not possible:
            raise ValueError("idempotent needs acks 'all', retries and a max_in_flight of 1 to 5")
        if max_in_flight < 1 or not 1 <= batch_bytes <= min(buffer_bytes, max_request_bytes):
            raise ValueError(
                "max_in_flight is at least 1, and so is batch_bytes, which is not more than "
                "max_request_bytes and buffer_bytes"
            )
        if not 0 < request_timeout_s <= delivery_timeout_s:
            raise ValueError("request_timeout_s is more than 0 and delivery_timeout_s not less than it")
        self._sending = Sending(
            acks=level,
            idempotent=possible if idempotent is None else idempotent,
            codec=compression,
            linger_s=linger_s,
            batch_bytes=batch_bytes,
            max_request_bytes=max_request_bytes,
            max_in_flight=max_in_flight,
            request_timeout_s=request_timeout_s,
            delivery_timeout_s=delivery_timeout_s,
            retries=retries,
            backoff_s=backoff_s,
        )
        self._cluster = Cluster(
            bootstrap,
            client_id=client_id,
            random=random,
            request_timeout_s=request_timeout_s,
            connect_timeout_s=connect_timeout_s,
            metadata_max_age_s=metadata_max_age_s,
            backoff_s=backoff_s,
            create_topics=create_topics,
            ssl=ssl,
        )
        self._random = random
        self._wall_clock_ns = wall_clock_ns
        self._partitioner = partitioner or standard(random)
        self._batch_closed = getattr(self._partitioner, "batch_closed", None)
        self._serialize_key = key_serializer
        self._serialize_value = value_serializer
        self._buffer_bytes = buffer_bytes
        self._most_bytes = min(buffer_bytes, max_request_bytes)
        self._max_block_s = max_block_s
        self._used_bytes = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._choices: dict[str, Partitions] = {}
        self._orders = 0
        self._sender: Sender | None = None
        self._closed = False

    # --- life ---------------------------------------------------------------------------------

    async def start(self, *, within_s: float | None = None) -> None:
        """Reach some broker. Raises DidNotHappen when none answers in time."""
        self._cluster.listen(self._choices.clear)
        self._sender = Sender(
            self._cluster, self._sending, random=self._random, closed=self._batch_complete
        )
        try:
            await self._cluster.start(within_s=self._max_block_s if within_s is None else within_s)
        except BaseException:
            await self.close(flush=False)
            raise

    async def close(self, *, flush: bool = True) -> None:
        """Send what is there, unless told otherwise, and close; what is not sent then fails."""
        try:
            if flush and not self._closed and self._sender is not None:
                await self.flush()
        finally:
            self._closed = True
            if self._sender is not None:
                self._sender.stop("the producer was closed")
            for _, future in self._queue:
                if not future.done():
                    future.set_exception(Closed("the producer was closed"))
            await self._cluster.close()

    async def __aenter__(self) -> Producer:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.close(flush=kind is None)

    # --- sending ------------------------------------------------------------------------------

    async def send(
        self,
        topic: str,
        value: Any = None,
        *,
        key: Any = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers = (),
    ) -> Delivery:
        """Put a record into its batch; what is returned can be awaited for where it was placed.

        Waits, ``max_block_s`` at most, for the topic to be known and for room in the buffer. Records
        of one caller to one partition keep their order. Raises DidNotHappen if the record was not taken.
        """
        if self._serialize_key is not None:
            key = self._serialize_key(key)
        if self._serialize_value is not None:
            value = self._serialize_value(value)
        choice = self._choices.get(topic)
        if choice is None:
            choice = await self._partitions(topic)
        if partition is None:
            partition = self._partitioner(topic, key, choice)
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = await self._lane(topic, partition, choice)
        cost = RECORD_OVERHEAD
        if key is not None:
            cost += len(key)
        if value is not None:
            cost += len(value)
        if headers:
            cost += headers_bytes(headers)
        if cost > self._most_bytes:
            most, name = self._most_bytes, "max_request_bytes or buffer_bytes"
            raise DidNotHappen(f"a record of {cost} bytes; {name} is {most}")
        if self._closed or self._queue or self._used_bytes + cost > self._buffer_bytes:
            await self._room(cost)
        else:
            self._used_bytes += cost
        now_ms = self._wall_clock_ns() // _NS_PER_MS if timestamp_ms is None else timestamp_ms
        batch = lane.open
        if batch is None or batch.bytes + cost > self._sending.batch_bytes:
            batch = self._next_batch(lane, now_ms)
        return batch.append(key, value, now_ms, headers, cost)

    async def send_and_wait(self, topic: str, value: Any = None, **options: Any) -> Placed:
        """``send``, and where the record was placed. Raises DidNotHappen, MayHaveHappened."""
        return await (await self.send(topic, value, **options))

    async def flush(self) -> None:
        """Return when the outcome of all that was sent so far is known; nothing lingers meanwhile."""
        sender = self._running()
        sender.hurry += 1
        try:
            sender.ripen()
            for batch in sender.unfinished():
                await batch.wait()
        finally:
            sender.hurry -= 1

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has. Raises DidNotHappen if it isn't known in ``max_block_s``."""
        return (await self._partitions(topic)).number

    @property
    def buffered_bytes(self) -> int:
        """What is on its way at present; never more than ``buffer_bytes``."""
        return self._used_bytes

    # --- parts of sending ---------------------------------------------------------------------

    async def _partitions(self, topic: str) -> Partitions:
        self._running()
        found = await self._cluster.topic(topic, within_s=self._max_block_s)
        choice = Partitions(len(found.partitions), found.available)
        self._choices[topic] = choice
        return choice

    async def _lane(self, topic: str, partition: int, choice: Partitions) -> Lane:
        if not 0 <= partition < choice.number:
            await self._cluster.refresh(within_s=self._max_block_s)
            choice = await self._partitions(topic)
        if not 0 <= partition < choice.number:
            raise DidNotHappen(f"topic {topic} has {choice.number} partitions, and no {partition}")
        return self._lanes.setdefault((topic, partition), Lane(TopicPartition(topic, partition)))

    async def _room(self, cost: int) -> None:
        """Return when ``cost`` more bytes are reserved, first come first served."""
        sender = self._running()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((cost, future))
        sender.ripen()
        try:
            async with asyncio.timeout(self._max_block_s):
                await future
            self._running()
        except BaseException as error:
            if future.done() and not future.cancelled():
                self._used_bytes -= cost
            self._admit()
            if isinstance(error, TimeoutError):
                raise DidNotHappen(f"the buffer was full for {self._max_block_s:g} s") from None
            raise

    def _admit(self) -> None:
        """Reserve room for those who wait, as far as there is."""
        while self._queue:
            cost, future = self._queue[0]
            if not future.done():
                if self._used_bytes + cost > self._buffer_bytes:
                    return
                self._used_bytes += cost
                future.set_result(None)
            self._queue.popleft()

    def _next_batch(self, lane: Lane, now_ms: int) -> Batch:
        sender = self._running()
        if lane.open is not None:
            sender.full(lane)
        self._orders += 1
        batch = Batch(
            lane.partition,
            order=(self._orders,),
            created_s=asyncio.get_running_loop().time(),
            now_ms=now_ms,
        )
        lane.open = batch
        batch.when_done(self._finished)
        sender.opened(lane, batch)
        return batch

    def _finished(self, batch: Batch) -> None:
        self._used_bytes -= batch.bytes
        if self._queue:
            self._admit()

    def _batch_complete(self, partition: TopicPartition) -> None:
        if self._batch_closed is not None:
            self._batch_closed(*partition)

    def _running(self) -> Sender:
        if self._sender is None:
            raise DidNotHappen("the producer was not started; use it in `async with`")
        if self._closed:
            raise Closed("the producer was closed")
        return self._sender
