"""A consumer: reads partitions that it was assigned or that its group gave it, and commits how far.

``docs/queue-client.md`` says what each outcome promises.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from impl.queue.client.assignors import ASSIGNORS, Assignor
from impl.queue.client.cluster import Cluster
from impl.queue.client.commits import Commits, Offsets
from impl.queue.client.coordinator import Coordinator
from impl.queue.client.errors import Closed, DidNotHappen
from impl.queue.client.fetcher import RESETS, Fetcher, Fetching
from impl.queue.client.group import GroupSettings
from impl.queue.client.handout import Deserializer, Handout
from impl.queue.client.locating import Locating
from impl.queue.client.lookup import offsets_at
from impl.queue.client.metadata import NO_EPOCH, TopicPartition
from impl.queue.client.positions import EARLIEST, LATEST, OffsetAndMetadata, Position
from impl.queue.client.rebalance import RebalanceListener
from impl.queue.client.subscription import Subscription
from impl.queue.client.versions import Versions
from impl.queue.protocol.decode import Record
from impl.queue.protocol.membership import NO_GENERATION

if TYPE_CHECKING:
    from ssl import SSLContext

Truncation = Callable[[TopicPartition, int, int], None]


class Consumer:
    """Reads from the brokers that ``bootstrap``, as (host, port), leads to.

    ``random`` is the host's; times are in seconds, sizes in bytes. ``auto_offset_reset`` says where to
    begin without a commit, or when the log doesn't go so far: earliest, latest, or none for an error.
    ``auto_commit``: every ``auto_commit_interval_s``, and before partitions are given up, what earlier
    polls handed out is committed. ``assignors``: names or ``Assignor``s, the preferred one first; all
    members must have one in common, and partitions are kept during rebalances only if all of them are
    cooperative. ``group_instance_id`` makes a static member. ``isolation``: only read_uncommitted, as
    there are no transactions. ``on_truncation`` is told of a partition, the position in it, and where a
    new leader's log diverged. ``max_versions`` limits versions by API, for a broker that promises more
    than it keeps. Raises ValueError for settings that don't go together.
    """

    def __init__(
        self,
        bootstrap: Sequence[tuple[str, int]],
        *,
        random: random.Random,
        group_id: str | None = None,
        group_instance_id: str | None = None,
        client_id: str = "windtunnel-consumer",
        auto_offset_reset: str = "latest",
        auto_commit: bool | None = None,
        auto_commit_interval_s: float = 5.0,
        assignors: Sequence[str | Assignor] = ("range", "cooperative-sticky"),
        session_timeout_s: float = 45.0,
        heartbeat_s: float = 3.0,
        max_poll_interval_s: float = 300.0,
        max_poll_records: int = 500,
        fetch_min_bytes: int = 1,
        fetch_max_bytes: int = 50 << 20,
        fetch_partition_bytes: int = 1 << 20,
        fetch_max_wait_s: float = 0.5,
        check_crcs: bool = True,
        key_deserializer: Deserializer | None = None,
        value_deserializer: Deserializer | None = None,
        isolation: str = "read_uncommitted",
        request_timeout_s: float = 30.0,
        connect_timeout_s: float = 3.0,
        max_block_s: float = 60.0,
        metadata_max_age_s: float = 300.0,
        backoff_s: tuple[float, float] = (0.1, 1.0),
        create_topics: bool = True,
        on_truncation: Truncation | None = None,
        max_versions: Versions | None = None,
        ssl: SSLContext | None = None,
    ) -> None:
        if auto_offset_reset not in RESETS:
            raise ValueError(f"auto_offset_reset is {auto_offset_reset!r}; give one of {list(RESETS)}")
        if isolation != "read_uncommitted":
            raise ValueError(f"isolation {isolation!r} needs transactions, which there are none of")
        if group_id is None and (auto_commit or group_instance_id is not None):
            raise ValueError("auto_commit and group_instance_id need a group_id")
        if not 0 < heartbeat_s < session_timeout_s:
            raise ValueError("heartbeat_s is more than 0 and less than session_timeout_s")
        settings = GroupSettings(
            instance_id=group_instance_id,
            assignors=tuple(map(_assignor, assignors)),
            session_timeout_s=session_timeout_s,
            max_poll_interval_s=max_poll_interval_s,
            heartbeat_s=heartbeat_s,
        )
        self._fetching = Fetching(
            min_bytes=fetch_min_bytes,
            max_bytes=fetch_max_bytes,
            partition_bytes=fetch_partition_bytes,
            max_wait_s=fetch_max_wait_s,
            request_timeout_s=request_timeout_s,
            reset_to=RESETS[auto_offset_reset],
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
            max_versions=max_versions,
        )
        self._random = random
        self._auto_commit_interval_s = auto_commit_interval_s
        self._max_poll_records = max_poll_records
        self._max_block_s = max_block_s
        self._on_truncation = on_truncation
        self._positions: dict[TopicPartition, Position] = {}
        self._fetcher: Fetcher | None = None
        self._closed = False
        self._news = asyncio.Event()
        self._coordinator: Coordinator | None = None
        if group_id is not None:
            self._coordinator = Coordinator(
                self._cluster,
                group_id,
                random=random,
                backoff_s=backoff_s,
                request_timeout_s=request_timeout_s,
            )
        automatic = (group_id is not None) if auto_commit is None else auto_commit
        self._commits = Commits(
            self._positions,
            group=lambda: self._subscription.group,
            coordinator=self._committer,
            every_s=auto_commit_interval_s if automatic else None,
            within_s=max_block_s,
            request_timeout_s=request_timeout_s,
        )
        self._subscription = Subscription(
            self._cluster,
            self._coordinator,
            settings,
            self._positions,
            commit=self._commits.before_giving_up,
            wake=self._wake,
        )
        self._locating = Locating(
            self._positions,
            self._coordinator,
            reset_to=self._fetching.reset_to,
            within_s=max_block_s,
            done=self._moved,
        )
        self._handout = Handout(
            self._positions,
            check_crcs=check_crcs,
            key_deserializer=key_deserializer,
            value_deserializer=value_deserializer,
        )

    # --- life ---------------------------------------------------------------------------------

    async def start(self, *, within_s: float | None = None) -> None:
        """Reach some broker. Raises DidNotHappen when none answers in time."""
        self._fetcher = Fetcher(
            self._cluster,
            self._fetching,
            random=self._random,
            positions=self._positions.values,
            arrived=self._wake,
            truncated=self._truncated,
        )
        self._commits.start()
        self._cluster.listen(self._subscription.match)
        try:
            await self._cluster.start(within_s=self._max_block_s if within_s is None else within_s)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Commit, if that is automatic, leave the group, and close."""
        if self._closed:
            return
        try:
            if self._subscription.rebalance is not None:
                await self._subscription.rebalance.leave()
            elif not self._cluster.closed:
                await self._commits.before_giving_up(tuple(self._positions))
        finally:
            self._closed = True
            self._wake()
            await self._locating.stop()
            await self._commits.close()
            await self._subscription.close()
            if self._fetcher is not None:
                await self._fetcher.stop()
            await self._cluster.close()

    async def __aenter__(self) -> Consumer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- what to read -------------------------------------------------------------------------

    def subscribe(
        self,
        topics: Iterable[str] | None = None,
        listener: RebalanceListener | None = None,
        *,
        pattern: str | re.Pattern[str] | None = None,
    ) -> None:
        """Read the partitions of ``topics`` that the group gives this member, from the next poll on.

        In place of topics, ``pattern`` is what their whole names match: those that there are, internal
        ones left out, and those that come, once metadata tell of them (``metadata_max_age_s``).
        ``listener`` is told what comes and goes. Raises ValueError without a group, or after ``assign``.
        """
        if (topics is None) == (pattern is None):
            raise ValueError("subscribe needs topics or a pattern, and not both")
        self._running()
        self._subscription.subscribe(topics, listener, pattern)

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Read exactly these partitions, whatever others do. Raises ValueError after ``subscribe``."""
        self._running()
        self._subscription.assign(partitions)
        self._moved()

    async def unsubscribe(self) -> None:
        """Read nothing any more; leaves the group, and may ``subscribe`` or ``assign`` again."""
        self._running()
        await self._subscription.unsubscribe()
        self._handout.current = None

    def assignment(self) -> tuple[TopicPartition, ...]:
        """What is read at present."""
        return tuple(self._positions)

    @property
    def generation(self) -> int:
        """The group's generation in which this is a member; -1 if it is none."""
        group = self._subscription.group
        return group.generation if group is not None else NO_GENERATION

    @property
    def member_id(self) -> str:
        """As what the coordinator knows this member; empty before it has joined."""
        group = self._subscription.group
        return group.member_id if group is not None else ""

    def pause(self, *partitions: TopicPartition) -> None:
        """Hand out nothing of these until ``resume``. Raises KeyError for one that isn't assigned."""
        for partition in partitions:
            self._positions[partition].paused = True
        self._handout.current = None

    def resume(self, *partitions: TopicPartition) -> None:
        """Go on with these. Raises KeyError for one that isn't assigned."""
        for partition in partitions:
            self._positions[partition].paused = False
        self._running().wake()
        self._wake()

    def paused(self) -> tuple[TopicPartition, ...]:
        """What is paused."""
        return tuple(each.partition for each in self._positions.values() if each.paused)

    # --- reading ------------------------------------------------------------------------------

    async def poll(self, *, timeout_s: float = 1.0, max_records: int | None = None) -> list[Record]:
        """The next records, of any of the partitions, each partition's in order; none after a while.

        What a poll has handed out counts as done with when the next one begins. Rebalances happen
        in here. Raises NoOffset, Truncated, Refused, Fenced, or what the listener raises.
        """
        self._running()
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        most = self._max_poll_records if max_records is None else max_records
        while True:
            self._news.clear()
            await self._attend()
            records = self._handout.take(most)
            self._running().wake()
            if records:
                return records
            left_s = deadline_s - loop.time()
            if left_s <= 0 or not await self._wait(left_s):
                return []

    async def one(self) -> Record:
        """The next record, however long it takes. Raises what ``poll`` raises."""
        if not self._handout.ready or self._due():
            while not await self._turn():
                self._running()
        return self._handout.one()

    def __aiter__(self) -> AsyncIterator[Record]:
        return self

    async def __anext__(self) -> Record:
        try:
            return await self.one()
        except Closed:
            raise StopAsyncIteration from None

    async def _turn(self) -> bool:
        """Do what is due, and choose the partition to read from; False if none has anything."""
        self._handout.current = None
        self._news.clear()
        await self._attend()
        if self._handout.choose():
            return True
        await self._wait(self._auto_commit_interval_s)
        return False

    def _due(self) -> bool:
        return self._subscription.due or self._commits.due

    async def _attend(self) -> None:
        """Everything that is due before records are handed out."""
        self._running()
        self._commits.in_passing()
        while self._subscription.due:
            assert self._subscription.rebalance is not None
            self._handout.current = None
            await self._subscription.rebalance.attend()
            self._running().wake()
        self._locating.begin()

    async def _wait(self, timeout_s: float) -> bool:
        """Wait for news; False if there were none in time."""
        rebalance = self._subscription.rebalance
        join = rebalance.under_way if rebalance is not None else None
        if join is not None:
            join.add_done_callback(lambda _: self._wake())
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        self._news.set()

    # --- positions ----------------------------------------------------------------------------

    def seek(self, partition: TopicPartition, offset: int, leader_epoch: int = NO_EPOCH) -> None:
        """Read on from ``offset``. Raises KeyError if the partition isn't assigned."""
        if offset < 0:
            raise ValueError(f"offset {offset} is less than 0; for the end use seek_to_end")
        self._positions[partition].seek(offset, leader_epoch)
        self._moved()

    def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        """Read on from the first record there is; all partitions if none is given."""
        self._reset(partitions, EARLIEST)

    def seek_to_end(self, *partitions: TopicPartition) -> None:
        """Read on behind the last record there is; all partitions if none is given."""
        self._reset(partitions, LATEST)

    def _reset(self, partitions: Sequence[TopicPartition], time_ms: int) -> None:
        for partition in partitions or tuple(self._positions):
            self._positions[partition].reset(time_ms)
        self._moved()

    def _moved(self) -> None:
        self._handout.current = None
        self._running().wake()
        self._wake()

    async def position(self, partition: TopicPartition, *, within_s: float | None = None) -> int:
        """The offset of the next record that is handed out, once it is known.

        Raises KeyError if the partition isn't assigned, DidNotHappen after ``within_s``.
        """
        loop = asyncio.get_running_loop()
        within_s = self._max_block_s if within_s is None else within_s
        deadline_s = loop.time() + within_s
        while (offset := self._positions[partition].offset) is None:
            self._news.clear()
            self._locating.begin()
            left_s = deadline_s - loop.time()
            if (error := self._positions[partition].error) is not None:
                raise error
            if left_s <= 0 or not await self._wait(left_s):
                raise DidNotHappen(f"no position of {partition} is known after {within_s:g} s")
        return offset

    def _truncated(self, partition: TopicPartition, position: int, diverged_at: int) -> None:
        if self._on_truncation is not None:
            self._on_truncation(partition, position, diverged_at)

    # --- committing ---------------------------------------------------------------------------

    async def commit(self, offsets: Offsets | None = None, *, within_s: float | None = None) -> None:
        """Commit ``offsets``, the next to read, or else all that was handed out; return when it is done.

        Raises CommitRefused if the group has gone on without this member, DidNotHappen, or
        MayHaveHappened. An offset that is committed is never overtaken by one of an earlier call.
        """
        within_s = self._max_block_s if within_s is None else within_s
        await self._commits.at_once(offsets, within_s=within_s)

    def commit_soon(
        self,
        offsets: Offsets | None = None,
        callback: Callable[[Exception | None], None] | None = None,
    ) -> None:
        """As ``commit``, in the background and tried once; ``callback`` gets the error, or None."""
        self._commits.soon(offsets, callback)

    async def committed(
        self, *partitions: TopicPartition, within_s: float | None = None
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        """What the group has committed; None for a partition without a commit. Raises DidNotHappen."""
        within_s = self._max_block_s if within_s is None else within_s
        found = await self._committer().fetch(partitions, within_s=within_s)
        return {each: found.get(each) for each in partitions}

    # --- looking up ---------------------------------------------------------------------------

    async def beginning_offsets(self, *partitions: TopicPartition) -> dict[TopicPartition, int]:
        """The first offset of each partition. Raises DidNotHappen."""
        return await self._offsets_at(dict.fromkeys(partitions, EARLIEST))

    async def end_offsets(self, *partitions: TopicPartition) -> dict[TopicPartition, int]:
        """The offset behind the last record that can be read of each. Raises DidNotHappen."""
        return await self._offsets_at(dict.fromkeys(partitions, LATEST))

    async def offsets_for_times(
        self, times_ms: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int | None]:
        """The first offset that isn't older than each time, or None. Raises DidNotHappen."""
        found = await self._offsets_at(times_ms)
        return {each: offset if offset >= 0 else None for each, offset in found.items()}

    async def _offsets_at(self, times: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        return await offsets_at(self._cluster, self._running(), times, within_s=self._max_block_s)

    def _running(self) -> Fetcher:
        if self._fetcher is None:
            raise DidNotHappen("the consumer was not started; use it in `async with`")
        if self._closed:
            raise Closed("the consumer was closed")
        return self._fetcher

    def _committer(self) -> Coordinator:
        self._running()
        if self._coordinator is None:
            raise ValueError("offsets are committed for a group; give a group_id")
        return self._coordinator


def _assignor(wanted: str | Assignor) -> Assignor:
    if isinstance(wanted, Assignor):
        return wanted
    if wanted not in ASSIGNORS:
        raise ValueError(f"there is no assignor {wanted!r}; there are {', '.join(ASSIGNORS)}")
    return ASSIGNORS[wanted]
