"""Which record a consumer hands out next: partitions in turn, each one's records in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from impl.queue.client.errors import DidNotHappen, NoOffset
from impl.queue.client.metadata import TopicPartition
from impl.queue.client.positions import Position
from impl.queue.protocol.batches import Damaged
from impl.queue.protocol.decode import Record

Deserializer = Callable[[bytes], Any]


class Handout:
    """Hands out what was fetched for ``positions``, and moves them on; turns change their order.

    ``current`` is the position that records are taken from one by one; None when the next one has to
    be chosen anew.
    """

    def __init__(
        self,
        positions: dict[TopicPartition, Position],
        *,
        check_crcs: bool,
        key_deserializer: Deserializer | None,
        value_deserializer: Deserializer | None,
    ) -> None:
        self.current: Position | None = None
        self._positions = positions
        self._check_crcs = check_crcs
        self._deserialize_key = key_deserializer
        self._deserialize_value = value_deserializer
        self._deserializes = key_deserializer is not None or value_deserializer is not None

    @property
    def ready(self) -> bool:
        """Whether ``one`` has a record at hand."""
        position = self.current
        return position is not None and position.at < len(position.ready)

    def choose(self) -> bool:
        """Make the next partition in turn that has something the current one; False if none has.

        Raises what a position has as its error, DidNotHappen for a damaged batch, which is fetched anew.
        """
        self.current = self._next()
        return self.current is not None

    def one(self) -> Record:
        """The next record of the current position, which is ``ready``."""
        position = self.current
        assert position is not None
        record = position.ready[position.at]
        position.at += 1
        position.offset, position.epoch = record.offset + 1, record.leader_epoch
        return self._deserialized([record])[0] if self._deserializes else record

    def take(self, most: int) -> list[Record]:
        """Up to ``most`` records, of several partitions in turn. Raises what ``choose`` raises."""
        found: list[Record] = []
        self.current = None
        while len(found) < most:
            position = self._next()
            if position is None:
                break
            found += position.take(most - len(found))
        return self._deserialized(found) if self._deserializes else found

    def _next(self) -> Position | None:
        for partition, position in list(self._positions.items()):
            if position.paused:
                continue
            if position.error is not None and not position.has_records:
                error, position.error = position.error, None
                if isinstance(error, NoOffset):
                    position.offset = None
                raise error
            try:
                if position.has_records and position.unpack(check_crc=self._check_crcs):
                    self._positions[partition] = self._positions.pop(partition)  # to the end
                    return position
            except Damaged as error:
                position.forget()
                raise DidNotHappen(f"{partition.topic}-{partition.partition}: {error}") from error
        return None

    def _deserialized(self, records: list[Record]) -> list[Record]:
        key, value = self._deserialize_key, self._deserialize_value
        return [
            each._replace(
                key=each.key if key is None or each.key is None else key(each.key),
                value=each.value if value is None or each.value is None else value(each.value),
            )
            for each in records
        ]
