"""Idempotent producers of one partition: which batches came, so that a retry is not written twice.

Sequences count records per producer id and partition. The last five batches of a producer are known
(KIP-98), as a client has up to five requests under way. All of it stands in the batches' headers, and
so it is rebuilt from the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from impl.queue.protocol.batches import NO_PRODUCER, NO_SEQUENCE, Header
from impl.queue.protocol.errors import ApiError, Code

KEPT = 5
_SEQUENCES = 1 << 31


class Seen(NamedTuple):
    """A batch that is in the log."""

    first_sequence: int
    last_sequence: int
    base_offset: int
    timestamp_ms: int


class Producer:
    """What is known of one producer id."""

    __slots__ = ("epoch", "recent")

    def __init__(self, epoch: int, recent: Iterable[Seen] = ()) -> None:
        self.epoch = epoch
        self.recent: deque[Seen] = deque(recent, maxlen=KEPT)


class ProducerStates:
    """All producers of a partition, by id."""

    def __init__(self) -> None:
        self._known: dict[int, Producer] = {}
        self.forgot = False

    def __len__(self) -> int:
        return len(self._known)

    def duplicate(self, batch: Header, *, whole: bool = False) -> Seen | None:
        """The batch in the log that ``batch`` is a retry of; None if it is new and in order.

        ``whole`` says that nothing was ever taken from the log: then a producer that isn't known has
        sent nothing, and begins at 0. Otherwise it may begin anywhere (KIP-360).

        Raises ApiError: INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_RECORD.
        """
        if batch.producer_id == NO_PRODUCER:
            return None
        if batch.producer_epoch < 0 or batch.base_sequence < 0:
            raise ApiError(Code.invalid_record, "a producer id without an epoch or a sequence")
        known = self._known.get(batch.producer_id)
        if known is None:
            if whole and not self.forgot:
                self._in_order(batch, 0)
            return None
        if batch.producer_epoch < known.epoch:
            raise ApiError(
                Code.invalid_producer_epoch,
                f"epoch {batch.producer_epoch} of producer {batch.producer_id} is over",
            )
        if batch.producer_epoch > known.epoch:
            self._in_order(batch, 0)
            return None
        for seen in known.recent:
            if (seen.first_sequence, seen.last_sequence) == (batch.base_sequence, batch.last_sequence):
                return seen
        if known.recent:
            self._in_order(batch, (known.recent[-1].last_sequence + 1) % _SEQUENCES)
        return None

    def _in_order(self, batch: Header, expected: int) -> None:
        if batch.base_sequence != expected:
            raise ApiError(
                Code.out_of_order_sequence_number,
                f"producer {batch.producer_id} sent {batch.base_sequence}, {expected} comes next",
            )

    def note(self, batch: Header) -> None:
        """``batch`` is in the log."""
        if batch.producer_id == NO_PRODUCER or batch.base_sequence == NO_SEQUENCE:
            return
        known = self._known.get(batch.producer_id)
        if known is None or batch.producer_epoch > known.epoch:
            known = self._known[batch.producer_id] = Producer(batch.producer_epoch)
        known.recent.append(
            Seen(batch.base_sequence, batch.last_sequence, batch.base_offset, batch.max_timestamp_ms)
        )

    def newest_offsets(self) -> frozenset[int]:
        """Base offset of the last batch of each producer; compaction must keep them."""
        return frozenset(each.recent[-1].base_offset for each in self._known.values() if each.recent)

    def expire(self, before_ms: int) -> None:
        """Forget producers whose last batch is older."""
        old = [
            id
            for id, each in self._known.items()
            if each.recent and each.recent[-1].timestamp_ms < before_ms
        ]
        for id in old:
            del self._known[id]
            self.forgot = True

    def dump(self) -> list[list[Any]]:
        """As plain lists, for ``load``."""
        return [
            [id, each.epoch, [list(seen) for seen in each.recent]] for id, each in self._known.items()
        ]

    def load(self, dumped: Iterable[Any]) -> None:
        """Take over what ``dump`` gave, in place of everything."""
        self._known = {
            id: Producer(epoch, [Seen(*seen) for seen in recent]) for id, epoch, recent in dumped
        }
