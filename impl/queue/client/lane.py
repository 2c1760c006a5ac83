"""The batches of one partition, in order: open, waiting, under way; and their sequence numbers.

What keeps the order over retries: a batch that comes back goes to where it was in the line, and nothing
is sent until everything that was under way has come back as well. With an identity the broker refuses
whatever arrives out of turn, so that nothing can be overtaken or doubled. A batch that was given up
leaves a hole in the sequence: the next ones start anew in a higher epoch (KIP-360), except those that
may be in the log already under their old number, which can't be sent again and are uncertain for good.
"""

from __future__ import annotations

from collections import deque

from impl.queue.client.batch import SEQUENCES, Batch, Identity
from impl.queue.client.metadata import TopicPartition
from impl.queue.protocol.batches import NO_PRODUCER

_LAST_EPOCH = 0x7FFF


class Lane:
    """See the module. ``identity`` None: batches have no numbers, at least for now; ``spent`` is a
    producer id whose epochs have been used up.
    """

    def __init__(self, partition: TopicPartition) -> None:
        self.partition = partition
        self.open: Batch | None = None
        self.waiting: deque[Batch] = deque()
        self.flying: deque[Batch] = deque()
        self.flies_to: object = None
        self.identity: Identity | None = None
        self.spent = NO_PRODUCER
        self.not_before_s = 0.0
        self.failures = 0
        self._next_sequence = 0
        self._proven = False
        self._recovering = False
        self._hole = False

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return self.open is None and not self.waiting and not self.flying

    def may_send(self, to: object) -> bool:
        """Whether the next batch may go out now over the connection ``to``.

        Not before all that went elsewhere has come back, and one alone until the broker has accepted the
        identity: a broker that doesn't know it takes any sequence number for the first.
        """
        if not self.flying:
            return bool(self.waiting)
        numbered = self.identity is not None
        blocked = self._recovering or self.flies_to is not to or (numbered and not self._proven)
        return bool(self.waiting) and not blocked

    def take(self, to: object) -> Batch:
        """The next batch, which goes out over ``to`` now; it gets its number."""
        batch = self.waiting.popleft()
        if self.identity is not None and batch.sequence is None:
            batch.identity, batch.sequence = self.identity, self._next_sequence
            self._next_sequence = (self._next_sequence + batch.count) % SEQUENCES
        batch.attempts += 1
        self.flying.append(batch)
        self.flies_to = to
        return batch

    def leads(self, batch: Batch) -> bool:
        """Whether no earlier batch is unsettled: a sequence out of order isn't another one's fault."""
        others = [*self.waiting, *self.flying]
        return all(each.order >= batch.order for each in others)

    def landed(self, batch: Batch) -> None:
        """The broker has ``batch``."""
        self.flying.remove(batch)
        self._proven = True
        self.failures = 0
        self._settle()

    def returned(self, batch: Batch, not_before_s: float) -> None:
        """``batch`` has to be sent again."""
        self.not_before_s = not_before_s
        self._come_back(batch, (batch,))

    def split(self, batch: Batch) -> None:
        """``batch`` was too large: its parts go out where it was."""
        self._come_back(batch, batch.split())

    def _come_back(self, batch: Batch, instead: tuple[Batch, ...]) -> None:
        self.flying.remove(batch)
        later = [each for each in self.waiting if each.order > batch.order]
        for _ in later:
            self.waiting.pop()
        self.waiting.extend((*instead, *later))
        self._recovering = True
        self._settle()

    def dropped(self, batch: Batch) -> None:
        """``batch`` is not sent any more."""
        if batch in self.flying:
            self.flying.remove(batch)
        elif batch in self.waiting:
            self.waiting.remove(batch)
        self._hole = self._hole or batch.sequence is not None
        self._settle()

    def renumber(self) -> None:
        """The broker doesn't accept the sequence as it is: begin anew as after a hole."""
        self._hole = True
        self._settle()

    def _settle(self) -> None:
        if self.flying:
            return
        self._recovering = False
        if self._hole:
            self._hole = False
            self._begin_anew()

    def _begin_anew(self) -> None:
        lost = [each for each in self.waiting if each.sequence is not None and each.uncertain]
        self.waiting = deque(each for each in self.waiting if each not in lost)
        for batch in self.waiting:
            batch.identity = batch.sequence = None
        identity = self.identity
        if identity is not None and identity.epoch < _LAST_EPOCH:
            self.identity = identity._replace(epoch=identity.epoch + 1)
        elif identity is not None:
            self.identity, self.spent = None, identity.producer_id
        self._next_sequence = 0
        self._proven = False
        for batch in lost:
            batch.fail("its outcome is unknown, and a batch before it was given up")
