"""Records on their way to one partition together, and what each of their senders holds of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

from impl.queue.client.errors import DidNotHappen, MayHaveHappened, Refused
from impl.queue.client.metadata import TopicPartition
from impl.queue.protocol import decode, encode
from impl.queue.protocol.decode import Record
from impl.queue.protocol.encode import Encoder, Headers
from impl.queue.protocol.errors import Code
from impl.queue.protocol.producing import BatchBytes

UNKNOWN_OFFSET = -1
SEQUENCES = 1 << 31
"""How many sequence numbers there are, until they begin anew."""


class Placed(NamedTuple):
    """Where a record stands. ``offset`` is -1 where the broker doesn't say: with acks=0, or for a
    retry of a batch that it remembers no more."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Failure(NamedTuple):
    """Why there is no result; made into an exception for whoever asks."""

    kind: type[DidNotHappen] | type[MayHaveHappened]
    message: str
    code: Code | None = None

    def exception(self) -> DidNotHappen | MayHaveHappened:
        return self.kind(self.message, self.code)


class Identity(NamedTuple):
    """A producer id and its epoch in one partition."""

    producer_id: int
    epoch: int


Order = tuple[int, ...]
"""Of batches; the parts of one come where it was."""


class Batch:
    """Open, then closed, then sent as often as it takes, then done: placed or failed, once.

    ``order`` grows with each batch of the producer. ``uncertain`` once some attempt may have succeeded.
    One that was too large is done when its ``parts`` are.
    """

    __slots__ = (
        "_append_ms",
        "_base_offset",
        "_body",
        "_codec",
        "_encoder",
        "_listeners",
        "attempts",
        "bytes",
        "created_s",
        "done",
        "failure",
        "identity",
        "order",
        "partition",
        "parts",
        "ripe",
        "sequence",
        "uncertain",
    )

    def __init__(
        self, partition: TopicPartition, *, order: Order, created_s: float, now_ms: int
    ) -> None:
        self.partition = partition
        self.parts: tuple[Batch, ...] = ()
        self.order = order
        self.created_s = created_s
        self.bytes = 0
        self.ripe = False
        self.attempts = 0
        self.uncertain = False
        self.identity: Identity | None = None
        self.sequence: int | None = None
        self.done = False
        self.failure: Failure | None = None
        self._encoder = Encoder(now_ms)
        self._body: bytes | None = None
        self._codec = "none"
        self._base_offset = UNKNOWN_OFFSET
        self._append_ms = -1
        self._listeners: list[Callable[[Batch], None]] = []

    # --- filling and sending ------------------------------------------------------------------

    @property
    def count(self) -> int:
        return self._encoder.count

    @property
    def size(self) -> int:
        """Bytes of the records as they would go out; less once they were compressed."""
        return self._encoder.size if self._body is None else len(self._body)

    def append(
        self, key: bytes | None, value: bytes | None, timestamp_ms: int, headers: Headers, cost: int
    ) -> Delivery:
        """Add a record that is counted with ``cost`` bytes."""
        self.bytes += cost
        return Delivery(self, self._encoder.append(key, value, timestamp_ms, headers), timestamp_ms)

    def close(self, codec: str) -> None:
        """Pack the records; a codec that makes them larger is not used."""
        raw_bytes = self._encoder.size
        body = self._encoder.packed(codec)
        self._codec, self._body = codec, body
        assert codec != "none" or len(body) == raw_bytes

    def wire(self) -> BatchBytes:
        """The batch as it goes out, numbered if it has an identity."""
        body, identity = self._body, self.identity
        assert body is not None
        if identity is None or self.sequence is None:
            head = encode.head(self._encoder, body, self._codec)
        else:
            head = encode.head(
                self._encoder,
                body,
                self._codec,
                producer_id=identity.producer_id,
                producer_epoch=identity.epoch,
                base_sequence=self.sequence,
            )
        return BatchBytes(self.partition.partition, head, body)

    def split(self) -> tuple[Batch, Batch]:
        """Two closed batches of half its records each, with its numbers; it is done when they are.

        Halves, as nobody says how much the topic takes: pieces of a given size may be refused for ever
        (KAFKA-8350).
        """
        data = b"".join(self.wire()[1:])
        (whole,) = decode.whole(data, 0, len(data))
        records = decode.records("", 0, whole)
        middle = len(records) // 2
        first, second = (
            self._part(number, some) for number, some in enumerate((records[:middle], records[middle:]))
        )
        self.parts = (first, second)
        for part in self.parts:
            part.when_done(self._part_done)
        return first, second

    def _part(self, number: int, records: Sequence[Record]) -> Batch:
        part = Batch(
            self.partition,
            order=(*self.order, number),
            created_s=self.created_s,
            now_ms=records[0].timestamp_ms,
        )
        for each in records:
            part.append(each.key, each.value, each.timestamp_ms, each.headers, 0)
        part.close(self._codec)
        part.identity = self.identity
        if self.sequence is not None:
            part.sequence = (self.sequence + records[0].offset) % SEQUENCES
        return part

    def pieces(self) -> list[Batch]:
        """What there is of it to send: itself, or of its parts those that are not done."""
        if not self.parts:
            return [self]
        return [piece for part in self.parts if not part.done for piece in part.pieces()]

    def _part_done(self, _: Batch) -> None:
        if all(part.done for part in self.parts):
            self._finish()

    # --- the outcome --------------------------------------------------------------------------

    def place(self, base_offset: int, append_ms: int = -1) -> None:
        """The broker has it, from ``base_offset`` on."""
        self._base_offset, self._append_ms = base_offset, append_ms
        self._finish()

    def fail(self, message: str, code: Code | None = None) -> None:
        """Give it up; what is said depends on whether some attempt may have succeeded."""
        if self.parts:
            for part in self.parts:
                part.fail(message, code)
            return
        kind: type[DidNotHappen] | type[MayHaveHappened] = DidNotHappen
        if self.uncertain:
            kind = MayHaveHappened
        elif code is not None:
            kind = Refused
        where = f"{self.partition.topic}-{self.partition.partition}"
        self.failure = self.failure or Failure(kind, f"{where}: {message}", code)
        self._finish()

    def _finish(self) -> None:
        if self.done:
            return
        self.done = True
        self._body = None
        listeners, self._listeners = self._listeners, []
        for call in listeners:
            call(self)

    def when_done(self, call: Callable[[Batch], None]) -> None:
        """Call ``call`` once it is done; at once if it is."""
        if self.done:
            call(self)
        else:
            self._listeners.append(call)

    async def wait(self) -> None:
        """Return when it is done."""
        if self.done:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listeners.append(lambda _: None if future.done() else future.set_result(None))
        await future

    def placed(self, number: int, timestamp_ms: int) -> Placed:
        """Where its record ``number`` is. Raises DidNotHappen or MayHaveHappened."""
        for part in self.parts:
            if number < part.count:
                return part.placed(number, timestamp_ms)
            number -= part.count
        if self.failure is not None:
            raise self.failure.exception()
        offset = self._base_offset
        return Placed(
            self.partition.topic,
            self.partition.partition,
            offset + number if offset >= 0 else offset,
            timestamp_ms if self._append_ms < 0 else self._append_ms,
        )


class Delivery:
    """A record that is on its way. Await it for its ``Placed``, DidNotHappen or MayHaveHappened.

    It can be awaited any number of times or never; cancelling who waits does not take the record back.
    """

    __slots__ = ("_batch", "_number", "_timestamp_ms")

    def __init__(self, batch: Batch, number: int, timestamp_ms: int) -> None:
        self._batch = batch
        self._number = number
        self._timestamp_ms = timestamp_ms

    def __await__(self) -> Generator[Any, None, Placed]:
        if not self._batch.done:
            yield from self._batch.wait().__await__()
        return self._batch.placed(self._number, self._timestamp_ms)

    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._batch.done

    def result(self) -> Placed:
        """The outcome, once it is known. Raises DidNotHappen, MayHaveHappened."""
        if not self._batch.done:
            raise asyncio.InvalidStateError("the record is still on its way; await it")
        return self._batch.placed(self._number, self._timestamp_ms)

    def when_done(self, call: Callable[[Delivery], None]) -> None:
        """Call ``call`` with this delivery once the outcome is known."""
        self._batch.when_done(lambda _: call(self))
