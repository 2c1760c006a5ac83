"""One replica of a partition: takes a leader's appends, knows what is committed, wakes who waits.

The high watermark is the smallest log end of the in-sync replicas, the leader's own counted as far as
the flush policy has it. Consumers read below it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from impl.queue.log.log import PartitionLog
from impl.queue.metadata.image import PartitionKey, PartitionState
from impl.queue.protocol import batches
from impl.queue.protocol.batches import BadMagic, Damaged, Header
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.replication.followers import Followers
from impl.queue.replication.rules import RULES, ReplicaRules

_ZSTD = 4
_ZSTD_SINCE = 7


class Appended(NamedTuple):
    """Where a batch stands; ``end_offset`` is behind it, ``append_ms`` -1 if its own times count."""

    base_offset: int
    end_offset: int
    append_ms: int = -1


class Rules(NamedTuple):
    """What a topic's settings say of its appends."""

    max_bytes: int
    stamp: bool
    min_isr: int
    keyed: bool


class Partition:
    """See the module. ``state`` is the newest that is known; this broker is ``me``.

    ``certain()`` says whether the leader may still believe that it leads; ``on_proposal`` is called when
    the in-sync set should change, ``on_flush_due`` when the flush policy wants an fsync. ``changing`` is
    held by whoever changes the role or cuts the log.
    """

    def __init__(
        self,
        key: PartitionKey,
        log: PartitionLog,
        me: int,
        rules: Rules,
        *,
        replica_rules: ReplicaRules = RULES,
        certain: Callable[[], bool] = lambda: True,
        on_proposal: Callable[[Partition], None] = lambda partition: None,
        on_flush_due: Callable[[Partition], None] = lambda partition: None,
    ) -> None:
        self.key = key
        self.log = log
        self.rules = rules
        self.high_watermark = log.start_offset
        self.state: PartitionState | None = None
        self.followers = Followers(me)
        self.changing = asyncio.Lock()
        self.epoch_start = 0
        self._me = me
        self._by = replica_rules
        self._certain = certain
        self._on_proposal = on_proposal
        self._on_flush_due = on_flush_due
        self._on_append: dict[Callable[[], None], None] = {}
        self._on_commit: dict[Callable[[], None], None] = {}

    # --- roles --------------------------------------------------------------------------------

    @property
    def leads(self) -> bool:
        """Whether this replica is the leader."""
        return self.state is not None and self.state.leader == self._me

    @property
    def leader_epoch(self) -> int:
        return self.state.leader_epoch if self.state is not None else -1

    def become(self, state: PartitionState) -> None:
        """Take up the role that ``state`` gives; waits that depend on the old one end."""
        if state.leader_epoch != self.leader_epoch:
            self.epoch_start = self.log.end_offset
        self.state = state
        self.followers.follow(state)
        self.high_watermark = min(self.high_watermark, self.log.end_offset)
        self.advance()
        self._wake(self._on_append)
        self._wake(self._on_commit)

    def retire(self) -> None:
        """This broker has no replica any more; whoever waits is told."""
        self.state = None
        self._wake(self._on_append)
        self._wake(self._on_commit)

    def check_leader(self, epoch: int = -1, *, replica: bool = False) -> None:
        """Raises ApiError unless this is the leader, in the asker's ``epoch`` if it says one.

        A follower's own epoch proves enough. Anybody else is answered only while nobody can have become
        leader without our knowing.
        """
        if not self.leads or not (replica or self._certain()):
            raise ApiError(Code.not_leader_or_follower)
        if epoch >= 0 and epoch < self.leader_epoch:
            raise ApiError(Code.fenced_leader_epoch)
        if epoch > self.leader_epoch:
            raise ApiError(Code.unknown_leader_epoch)
        if self.log.failed:
            raise ApiError(Code.kafka_storage_error)

    # --- appending ----------------------------------------------------------------------------

    def append(self, data: bytes, *, acks: int = -1, version: int = 11) -> Appended:
        """Append one batch as the leader; a retry of one that is there gives the place of that.

        Raises ApiError with what is wrong, and then the log is untouched.
        """
        self.check_leader()
        batch = self._checked(data, version)
        if acks == -1 and not self._enough():
            raise ApiError(Code.not_enough_replicas)
        whole = self.log.start_offset == 0
        if (seen := self.log.producers.duplicate(batch, whole=whole)) is not None:
            return Appended(seen.base_offset, seen.base_offset + batch.record_count)
        append_ms = -1
        if self.rules.stamp:
            append_ms = self.log.now_ms()
            data = batches.stamped(data, append_ms)
            batch = batches.header(data)
        base = self._write(data, batch)
        self.advance()
        self._wake(self._on_append)
        if self.flush_due:
            self._on_flush_due(self)
        return Appended(base, base + batch.record_count, append_ms)

    def _write(self, data: bytes, batch: Header) -> int:
        try:
            return self.log.append(data, batch, self.leader_epoch)
        except ApiError:
            self._propose(self.followers.others())
            raise

    def _enough(self) -> bool:
        return self.state is not None and self._by.enough(len(self.state.isr), self.rules.min_isr)

    def _checked(self, data: bytes, version: int) -> Header:
        if len(data) > self.rules.max_bytes:
            raise ApiError(Code.message_too_large)
        try:
            batch = batches.check(data)
        except BadMagic as error:
            raise ApiError(Code.unsupported_for_message_format, str(error)) from error
        except Damaged as error:
            raise ApiError(Code.corrupt_message, str(error)) from error
        if batch.codec >= len(batches.CODECS) or (batch.codec == _ZSTD and version < _ZSTD_SINCE):
            raise ApiError(Code.unsupported_compression_type)
        if batch.control:
            raise ApiError(Code.invalid_record, "clients don't write control batches")
        if batch.transactional:
            raise ApiError(Code.invalid_txn_state, "transactions are not served")
        return batch

    @property
    def flush_due(self) -> bool:
        """Whether the flush policy wants an fsync before anything more is acknowledged."""
        unflushed = self.log.end_offset - self.log.flushed_offset
        return unflushed >= self.log.settings.flush_messages

    async def stored(self) -> None:
        """Return when what was appended is as safe on this broker as the flush policy wants.

        Raises ApiError KAFKA_STORAGE_ERROR.
        """
        if self.flush_due:
            await self.log.flush()
            self.advance()

    async def committed(self, end_offset: int, epoch: int) -> None:
        """Return when all before ``end_offset`` is below the high watermark.

        Raises ApiError NOT_LEADER_OR_FOLLOWER once this replica isn't the leader of ``epoch`` any more,
        NOT_ENOUGH_REPLICAS_AFTER_APPEND if too few are in sync in the end.
        """
        await self.stored()
        while True:
            if self.leader_epoch != epoch or not self.leads:
                raise ApiError(Code.not_leader_or_follower)
            if self.is_committed(end_offset):
                break
            await self._committed_more()
        if not self._enough():
            raise ApiError(Code.not_enough_replicas_after_append)

    def is_committed(self, end_offset: int) -> bool:
        """Whether acks=all may be given for what ends there."""
        return self.high_watermark >= end_offset

    def advance(self) -> None:
        """Move the high watermark as far as the in-sync replicas allow; it never goes back."""
        if not self.leads:
            return
        followers = self.followers
        end = self._by.committed_end(self.log.safe_offset, followers.ends, followers.in_force())
        if end > self.high_watermark:
            self.high_watermark = end
            self._wake(self._on_commit)

    @property
    def settled(self) -> bool:
        """Whether the high watermark is known to be no less than any earlier leader's (KIP-207)."""
        return self.high_watermark >= min(self.epoch_start, self.log.end_offset)

    # --- followers ----------------------------------------------------------------------------

    def fetched(self, replica: int, epoch: int, end_offset: int) -> None:
        """A follower has stored all before ``end_offset``; it may be in sync now."""
        self.followers.note(replica, epoch, end_offset, self.log.end_offset)
        self.advance()
        if self._by.may_join(end_offset, self.high_watermark, self.epoch_start):
            self._propose(self.followers.with_joined(replica))

    def drop_laggards(self, longest_s: float) -> None:
        """Propose an in-sync set without those that lag, or without this one if its disk has failed."""
        if self.leads and self.log.failed:
            self._propose(self.followers.others())
        elif self.leads:
            self._propose(self.followers.without_laggards(longest_s, self.log.end_offset))

    def _propose(self, members: Mapping[int, int] | None) -> None:
        if members is not None:
            self.followers.proposed = members
            self._on_proposal(self)

    def refused(self, seen: PartitionState) -> None:
        """The controller refused what was proposed over ``seen``."""
        if self.state is not None and self.state.version == seen.version:
            self.followers.proposed = None
            self.advance()

    # --- following ----------------------------------------------------------------------------

    def take(self, data: bytes, high_watermark: int) -> None:
        """As a follower: append what the leader gave, and what it says is committed.

        Raises ApiError.
        """
        if data:
            self.log.append_copy(data)
        self.high_watermark = max(self.high_watermark, min(high_watermark, self.log.end_offset))

    async def diverge(self, epoch: int, end: int) -> None:
        """As a follower: cut off what the leader, in whose log ``epoch`` ends at ``end``, hasn't."""
        await self.log.truncate(self._by.cut(self.log, epoch, end))
        self.high_watermark = min(self.high_watermark, self.log.end_offset)

    async def restart_at(self, offset: int) -> None:
        """As a follower: begin anew, as the leader's log has nothing in common with this one."""
        await self.log.restart_at(offset)
        self.high_watermark = offset

    # --- reading ------------------------------------------------------------------------------

    def read(
        self, offset: int, max_bytes: int, *, replica: bool = False, first: bool = True
    ) -> bytes | memoryview:
        """Whole batches from ``offset``, below the high watermark unless a ``replica`` reads.

        Raises ApiError OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR.
        """
        limit = self.log.end_offset if replica else self.high_watermark
        return self.log.read(offset, max_bytes, limit, first=first)

    # --- waiting ------------------------------------------------------------------------------

    def listen(self, call: Callable[[], None], *, replica: bool = False) -> None:
        """Call ``call`` whenever there is more to read, or the role has changed."""
        (self._on_append if replica else self._on_commit)[call] = None

    def unlisten(self, call: Callable[[], None]) -> None:
        """Don't any more."""
        self._on_append.pop(call, None)
        self._on_commit.pop(call, None)

    async def _committed_more(self) -> None:
        event = asyncio.Event()
        self.listen(event.set)
        try:
            await event.wait()
        finally:
            self.unlisten(event.set)

    def _wake(self, listeners: Mapping[Callable[[], None], None]) -> None:
        for call in tuple(listeners):
            call()
