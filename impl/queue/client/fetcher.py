"""Fetches ahead from every leader, and finds out where to begin and whether a new leader agrees.

Each broker has one fetch under way, for all of its partitions that have room. What comes back counts
only if the position that it was asked for still stands.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from impl.queue.client.cluster import Cluster
from impl.queue.client.connection import Disconnected
from impl.queue.client.errors import DidNotHappen, NoOffset, Refused, Truncated, moved, passes
from impl.queue.client.metadata import NO_EPOCH, NO_LEADER, TopicPartition
from impl.queue.client.positions import EARLIEST, LATEST, Position
from impl.queue.protocol import decode
from impl.queue.protocol.batches import Damaged
from impl.queue.protocol.errors import Code
from impl.queue.protocol.fetches import FetchedPart
from impl.queue.protocol.keys import ApiKey

_log = logging.getLogger(__name__)
_CONSUMER = -1
_READ_UNCOMMITTED = 0
RESETS: Mapping[str, int | None] = MappingProxyType(
    {"earliest": EARLIEST, "latest": LATEST, "none": None}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """How to fetch. ``reset_to`` is the time that stands for ``auto_offset_reset``; None for none."""

    min_bytes: int
    max_bytes: int
    partition_bytes: int
    max_wait_s: float
    request_timeout_s: float
    reset_to: int | None
    backoff_s: tuple[float, float]


class _Asked(NamedTuple):
    position: Position
    stamp: int
    offset: int


class Fetcher:
    """See the module. ``arrived`` is called when a poll may find something.

    ``truncated`` is told of a partition, the position in it, and where its log diverged.
    """

    def __init__(
        self,
        cluster: Cluster,
        fetching: Fetching,
        *,
        random: random.Random,
        positions: Callable[[], Iterable[Position]],
        arrived: Callable[[], None],
        truncated: Callable[[TopicPartition, int, int], None],
    ) -> None:
        self._cluster = cluster
        self._fetching = fetching
        self._random = random
        self._positions = positions
        self._arrived = arrived
        self._truncated = truncated
        self._loop = asyncio.get_running_loop()
        self._fetched_from: dict[int, None] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        cluster.listen(self.wake)

    def wake(self) -> None:
        """Look at what there is to fetch, soon."""
        if not self._scheduled and not self._stopped:
            self._scheduled = True
            self._loop.call_soon(self._work)

    async def stop(self) -> None:
        """Fetch nothing more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what to do ---------------------------------------------------------------------------

    def _work(self) -> None:
        self._scheduled = False
        if self._stopped:
            return
        now_s = self._loop.time()
        to_fetch: dict[int, list[Position]] = {}
        to_reset: dict[int, list[Position]] = {}
        to_check: dict[int, list[Position]] = {}
        later: list[float] = []
        for position in self._positions():
            if position.busy or position.error is not None:
                continue
            if position.not_before_s > now_s:
                later.append(position.not_before_s)
                continue
            self._sort(position, to_fetch, to_reset, to_check)
        for node, positions in to_reset.items():
            self._spawn(self._reset(node, positions), positions)
        for node, positions in to_check.items():
            self._spawn(self._check(node, positions), positions)
        for node, positions in to_fetch.items():
            self._fetch(node, positions)
        self._set_timer(min(later, default=None))

    def _sort(
        self,
        position: Position,
        to_fetch: dict[int, list[Position]],
        to_reset: dict[int, list[Position]],
        to_check: dict[int, list[Position]],
    ) -> None:
        if position.offset is None and position.reset_to is None:
            return
        leadership = self._cluster.metadata.leadership(position.partition)
        if leadership is None or leadership.leader == NO_LEADER:
            self._cluster.stale()
            return
        if position.offset is None:
            to_reset.setdefault(leadership.leader, []).append(position)
        elif self._must_check(position, leadership.leader, leadership.epoch):
            to_check.setdefault(leadership.leader, []).append(position)
        elif not position.paused and position.buffered_bytes < self._fetching.partition_bytes:
            to_fetch.setdefault(leadership.leader, []).append(position)

    def _must_check(self, position: Position, leader: int, epoch: int) -> bool:
        """Whether a new leader has to say that it has what was read (KIP-320).

        What was fetched from the old one and not handed out is forgotten then.
        """
        if epoch == NO_EPOCH or position.checked_epoch >= epoch:
            return False
        if position.checked_epoch != NO_EPOCH:
            position.forget()
        if position.epoch == NO_EPOCH:
            position.checked_epoch = epoch
            return False
        connection = self._cluster.link(leader)
        if connection is not None and ApiKey.OFFSET_FOR_LEADER_EPOCH not in connection.versions:
            position.checked_epoch = epoch
            return False
        return True

    def _spawn(self, work: Coroutine[Any, Any, None], positions: list[Position]) -> None:
        for position in positions:
            position.busy = True
        task = self._loop.create_task(work)
        self._tasks[task] = None

        def done(task: asyncio.Task[None]) -> None:
            del self._tasks[task]
            for position in positions:
                position.busy = False
            if not task.cancelled() and (error := task.exception()) is not None:
                if not isinstance(error, DidNotHappen):
                    _log.error("fetching failed", exc_info=error)
                for position in positions:
                    self._later(position)
            self.wake()

        task.add_done_callback(done)

    def _later(self, position: Position) -> None:
        first_s, last_s = self._fetching.backoff_s
        wait_s = self._random.uniform(first_s / 2, min(first_s * 2, last_s))
        position.not_before_s = self._loop.time() + wait_s

    def _set_timer(self, at_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at_s is not None:
            self._timer = self._loop.call_at(at_s, self._work)

    # --- fetching -----------------------------------------------------------------------------

    def _fetch(self, node: int, positions: list[Position]) -> None:
        if node in self._fetched_from:
            return
        connection = self._cluster.link(node)
        if connection is None:
            return
        asked: dict[TopicPartition, _Asked] = {}
        topics: dict[str, list[dict[str, Any]]] = {}
        for position in positions:
            topic, number = position.partition
            asked[position.partition] = _Asked(position, position.stamp, position.fetch_offset)
            topics.setdefault(topic, []).append(
                {
                    "partition": number,
                    "current_leader_epoch": position.checked_epoch,
                    "fetch_offset": position.fetch_offset,
                    "partition_max_bytes": self._fetching.partition_bytes,
                }
            )
        fetching = self._fetching
        values = {
            "max_wait": round(fetching.max_wait_s * 1000),
            "min_bytes": fetching.min_bytes,
            "max_bytes": fetching.max_bytes,
            "isolation_level": _READ_UNCOMMITTED,
            "topics": [{"topic": name, "partitions": parts} for name, parts in topics.items()],
            "forgotten_topics_data": (),
            "rack_id": "",
            "replica_id": _CONSUMER,
        }
        timeout_s = fetching.request_timeout_s + fetching.max_wait_s
        self._fetched_from[node] = None
        future = connection.ask(ApiKey.FETCH, values, timeout_s=timeout_s)
        future.add_done_callback(partial(self._fetched, node, asked))

    def _fetched(
        self, node: int, asked: dict[TopicPartition, _Asked], future: asyncio.Future[Any]
    ) -> None:
        del self._fetched_from[node]
        if self._stopped:
            return
        try:
            answered: list[FetchedPart] = future.result()
        except Disconnected as error:
            _log.info("fetch: %s", error)
            for each in asked.values():
                self._later(each.position)
            self.wake()
            return
        for told in answered:
            found = asked.get(TopicPartition(told.topic, told.partition))
            if found is not None and found.stamp == found.position.stamp:
                self._take(found.position, found.offset, told)
        self.wake()
        self._arrived()

    def _take(self, position: Position, asked_offset: int, told: FetchedPart) -> None:
        code = told.error_code
        if code is Code.none:
            self._take_records(position, told)
        elif code is Code.offset_out_of_range:
            self._out_of_range(position, asked_offset)
        elif moved(code) or passes(code):
            if moved(code):
                self._cluster.stale()
            self._later(position)
        else:
            where = "{}-{}".format(*position.partition)
            position.error = Refused(f"fetch of {where}: {code.name}", code)

    def _take_records(self, position: Position, told: FetchedPart) -> None:
        position.high_watermark = told.high_watermark
        position.log_start_offset = told.log_start_offset
        try:
            for batch in decode.whole(told.data, told.at, told.end):
                if batch.header.next_offset > position.fetch_offset:
                    position.add(batch)
        except Damaged as error:
            position.error = Refused(f"fetch of {position.partition}: {error}")

    def _out_of_range(self, position: Position, asked_offset: int) -> None:
        """Only for the position itself: what is fetched ahead is asked for again when it gets there."""
        if position.has_records:
            self._later(position)
            return
        where = "{}-{}".format(*position.partition)
        self._cluster.stale()
        if self._fetching.reset_to is None:
            position.error = NoOffset(
                f"{where} has no offset {asked_offset}, and auto_offset_reset is none",
                Code.offset_out_of_range,
            )
            return
        _log.warning("%s has no offset %d; reset", where, asked_offset)
        position.reset(self._fetching.reset_to)

    def _epoch(self, position: Position) -> int:
        leadership = self._cluster.metadata.leadership(position.partition)
        return leadership.epoch if leadership is not None else NO_EPOCH

    # --- where to begin -----------------------------------------------------------------------

    async def _reset(self, node: int, positions: list[Position]) -> None:
        """Look the offsets up by time: the beginning, the end, or what was asked for."""
        wanted = {each.partition: (each, each.stamp) for each in positions}
        epochs = {each.partition: self._epoch(each) for each in positions}
        times = {each.partition: each.reset_to for each in positions if each.reset_to is not None}
        found = await self.offsets_at(node, times)
        for partition, (position, stamp) in wanted.items():
            if position.stamp != stamp or partition not in found:
                self._later(position)
                continue
            offset, epoch = found[partition]
            if offset < 0:  # no record is so late
                position.reset_to = LATEST
                continue
            position.seek(offset, epoch)
            position.checked_epoch = epochs[partition]
        self._arrived()

    async def offsets_at(
        self, node: int, times: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, tuple[int, int]]:
        """Offset and epoch for each time, from the leader; what it doesn't answer is left out.

        -1 for a time after the last record. Raises DidNotHappen.
        """
        topics: dict[str, list[dict[str, Any]]] = {}
        for (topic, number), time_ms in times.items():
            topics.setdefault(topic, []).append(
                {
                    "partition_index": number,
                    "current_leader_epoch": NO_EPOCH,
                    "timestamp": time_ms,
                }
            )
        values = {
            "replica_id": _CONSUMER,
            "isolation_level": _READ_UNCOMMITTED,
            "topics": [{"name": name, "partitions": parts} for name, parts in topics.items()],
        }
        body = await self._cluster.ask(node, ApiKey.LIST_OFFSETS, values, changes=False)
        found = {}
        for topic in body.topics:
            for each in topic.partitions:
                if each.error_code is Code.none:
                    place = TopicPartition(topic.name, each.partition_index)
                    found[place] = each.offset, getattr(each, "leader_epoch", NO_EPOCH)
                elif moved(each.error_code):
                    self._cluster.stale()
        return found

    # --- a new leader -------------------------------------------------------------------------

    async def _check(self, node: int, positions: list[Position]) -> None:
        """Ask where the epoch of the last record ends in the leader's log."""
        wanted = {each.partition: (each, each.stamp, each.epoch) for each in positions}
        epochs: dict[TopicPartition, int] = {}
        topics: dict[str, list[dict[str, Any]]] = {}
        for position in positions:
            topic, number = position.partition
            epochs[position.partition] = self._epoch(position)
            topics.setdefault(topic, []).append(
                {
                    "partition": number,
                    "current_leader_epoch": epochs[position.partition],
                    "leader_epoch": position.epoch,
                }
            )
        values = {
            "replica_id": _CONSUMER,
            "topics": [{"topic": name, "partitions": parts} for name, parts in topics.items()],
        }
        body = await self._cluster.ask(node, ApiKey.OFFSET_FOR_LEADER_EPOCH, values, changes=False)
        for topic in body.topics:
            for each in topic.partitions:
                place = TopicPartition(topic.topic, each.partition)
                position, stamp, epoch = wanted.pop(place)
                if position.stamp != stamp or position.epoch != epoch:
                    self._later(position)
                elif each.error_code is Code.none:
                    self._compare(position, each.end_offset, each.leader_epoch, epochs[place])
                else:
                    self._cluster.stale()
                    self._later(position)
        for position, _, _ in wanted.values():
            self._later(position)
        self._arrived()

    def _compare(self, position: Position, end: int, end_epoch: int, checked_epoch: int) -> None:
        """The log of the epoch that was read last ends at ``end``; before the position, it is gone."""
        assert position.offset is not None
        unknown = end < 0 or end_epoch == NO_EPOCH
        if not unknown and end >= position.offset:
            position.checked_epoch = checked_epoch
            return
        where = "{}-{}".format(*position.partition)
        self._truncated(position.partition, position.offset, end)
        reason = f"{where} was truncated: it was read up to {position.offset} and diverges at {end}"
        _log.warning("%s", reason)
        if self._fetching.reset_to is None:
            position.error = Truncated(reason, position.offset, end)
        elif unknown:
            position.reset(self._fetching.reset_to)
        else:
            position.seek(end, end_epoch)
            position.checked_epoch = checked_epoch
