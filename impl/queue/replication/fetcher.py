"""Followers: one task for each broker that leads a partition of which this one has a replica.

It fetches for all of those partitions at once, in version 15 of Fetch: each says in which leader epoch
it asks and of which epoch its last batch is, so that the leader can tell where the logs part (KIP-595).
What came is stored, as the flush policy wants it, before the next fetch tells the leader so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from impl.host import Host
from impl.queue.config import Config
from impl.queue.metadata.image import NO_LEADER, Image, PartitionKey
from impl.queue.metadata.state import ClusterState
from impl.queue.protocol.codec import Codec
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.protocol.keys import REPLICA_FETCH, ApiKey
from impl.queue.protocol.peer import PEER_ERRORS, Peer, connect
from impl.queue.replication.partition import Partition
from impl.queue.replication.replicas import Replicas

_log = logging.getLogger(__name__)
_PAUSE_S = 0.2


class Fetchers:
    """All of a broker's fetchers: one task for each leader, begun when there is one."""

    def __init__(self, host: Host, config: Config, state: ClusterState, replicas: Replicas) -> None:
        self._host = host
        self._config = config
        self._state = state
        self._replicas = replicas
        self._codec = Codec()
        self._by_leader: dict[int, dict[PartitionKey, Partition]] = {}
        self._leaders: dict[PartitionKey, int] = {}
        self._changed: dict[int, asyncio.Event] = {}
        self._peers: dict[int, Peer] = {}
        self._not_before_s: dict[PartitionKey, float] = {}
        self._begun = asyncio.Event()
        replicas.on_role(self._role)
        replicas.on_gone(self._leave)

    def _role(self, partition: Partition) -> None:
        self._leave(partition.key)
        leader = partition.state.leader if partition.state is not None else NO_LEADER
        if not partition.leads and leader != NO_LEADER:
            self._leaders[partition.key] = leader
            self._by_leader.setdefault(leader, {})[partition.key] = partition
            self._tell(leader)

    def _leave(self, key: PartitionKey) -> None:
        leader = self._leaders.pop(key, None)
        if leader is not None:
            del self._by_leader[leader][key]
            self._not_before_s.pop(key, None)

    def _tell(self, leader: int) -> None:
        """There is one more to follow: a fetch that waits for the others' news is given up."""
        if leader not in self._changed:
            self._changed[leader] = asyncio.Event()
            self._begun.set()
        self._changed[leader].set()
        if leader in self._peers:
            self._peers[leader].close()

    async def run(self) -> None:
        """Follow, forever."""
        running: dict[int, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                for leader in self._changed:
                    if leader not in running:
                        running[leader] = tasks.create_task(self._follow(leader))
                await self._begun.wait()
                self._begun.clear()

    # --- one leader ---------------------------------------------------------------------------

    async def _follow(self, leader: int) -> None:
        changed = self._changed[leader]
        while True:
            if not self._by_leader.get(leader):
                if leader in self._peers:
                    self._peers.pop(leader).close()
                await changed.wait()
            changed.clear()
            try:
                if leader not in self._peers or not self._peers[leader].open:
                    self._peers[leader] = await self._connected(leader)
                await self._fetch(leader, self._peers[leader])
            except PEER_ERRORS as error:
                _log.debug("fetching from broker %d: %s", leader, error)
                if not changed.is_set():
                    await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(self._host.random.uniform(0, _PAUSE_S))

    async def _connected(self, leader: int) -> Peer:
        broker = self._state.image.brokers.get(leader)
        if broker is None or self._config.inter_broker not in broker.listeners:
            raise ConnectionRefusedError(f"broker {leader} is not there")
        address = broker.listeners[self._config.inter_broker]
        return await connect(self._codec, *address, self._config.replica_timeout_ms / 1000)

    async def _fetch(self, leader: int, peer: Peer) -> None:
        """One fetch, and what is to be done with its answer."""
        now_s = asyncio.get_running_loop().time()
        following = self._by_leader.get(leader, {}).items()
        able = [each for key, each in following if self._not_before_s.get(key, 0.0) <= now_s]
        wanted = _wanted(able, self._state.image)
        if not wanted:
            await self._pause()
            return
        asked = self._request(wanted)
        timeout_s = (self._config.replica_timeout_ms + self._config.replica_wait_ms) / 1000
        answer = await peer.ask(ApiKey.FETCH, REPLICA_FETCH, asked, timeout_s)
        parts = [
            (*wanted[topic.topic_id, part.partition_index], part)
            for topic in answer.responses
            for part in topic.partitions
            if (topic.topic_id, part.partition_index) in wanted
        ]
        parts = [each for each in parts if _has_news(each[0], each[-1])]
        self._behind_others(leader, [partition.key for partition, _, part in parts if part.records])
        # All at once, as each may have to wait for an fsync of its own.
        taken = await asyncio.gather(*(self._take(*each) for each in parts))
        for (partition, _, _), fine in zip(parts, taken, strict=True):
            if not fine:
                delay_s = self._host.random.uniform(0, _PAUSE_S)
                self._not_before_s[partition.key] = now_s + delay_s

    def _behind_others(self, leader: int, keys: Iterable[PartitionKey]) -> None:
        """An answer has room for some partitions: who had theirs is asked for last the next time."""
        following = self._by_leader.get(leader, {})
        for key in keys:
            if key in following:
                following[key] = following.pop(key)

    def _request(self, wanted: Mapping[tuple[UUID, int], tuple[Partition, int]]) -> dict[str, Any]:
        topics: dict[UUID, list[dict[str, Any]]] = {}
        for (id, number), (partition, epoch) in wanted.items():
            topics.setdefault(id, []).append(
                {
                    "partition": number,
                    "current_leader_epoch": epoch,
                    "fetch_offset": partition.log.end_offset,
                    "last_fetched_epoch": partition.log.epochs.latest,
                    "log_start_offset": partition.log.start_offset,
                    "partition_max_bytes": self._config.replica_fetch_bytes,
                }
            )
        return {
            "replica_state": {
                "replica_id": self._config.broker_id,
                "replica_epoch": self._state.epoch,
            },
            "max_wait": self._config.replica_wait_ms,
            "min_bytes": 1,
            "max_bytes": self._config.replica_response_bytes,
            "topics": [{"topic_id": id, "partitions": parts} for id, parts in topics.items()],
            "forgotten_topics_data": (),
        }

    async def _take(self, partition: Partition, epoch: int, part: Any) -> bool:
        """What one partition's part of an answer asks for; false if it was refused.

        Nothing is done if the role has changed since it was asked for.
        """
        async with partition.changing:
            if partition.leads or partition.leader_epoch != epoch or partition.log.failed:
                return True
            try:
                return await self._apply(partition, part)
            except (ApiError, OSError) as error:
                _log.warning("%s-%d: %s", *partition.key, error)
                return False

    async def _apply(self, partition: Partition, part: Any) -> bool:
        if part.error_code is Code.offset_out_of_range:
            _log.info("%s-%d begins anew at %d", *partition.key, part.log_start_offset)
            await partition.restart_at(max(part.log_start_offset, 0))
            return True
        if part.error_code is not Code.none:
            return False
        if part.diverging_epoch.end_offset >= 0:
            diverging = part.diverging_epoch
            _log.info("%s-%d leaves its leader's log in epoch %d", *partition.key, diverging.epoch)
            await partition.diverge(diverging.epoch, diverging.end_offset)
            return True
        partition.take(part.records or b"", part.high_watermark)
        await partition.stored()
        if part.log_start_offset > partition.log.start_offset:
            await self._replicas.delete_before(partition, part.log_start_offset)
        return True


def _has_news(partition: Partition, part: Any) -> bool:
    """Whether there is anything to do: of a thousand partitions most have nothing."""
    return bool(
        part.records
        or part.error_code is not Code.none
        or part.diverging_epoch.end_offset >= 0
        or part.high_watermark != partition.high_watermark
        or part.log_start_offset > partition.log.start_offset
    )


def _wanted(
    partitions: Iterable[Partition], image: Image
) -> dict[tuple[UUID, int], tuple[Partition, int]]:
    """The partitions to fetch, by topic id and number, with the leader epochs they are fetched in."""
    found = {}
    for each in partitions:
        topic = image.topics.get(each.key.topic)
        if topic is not None and not each.log.failed:
            found[topic.id, each.key.partition] = each, each.leader_epoch
    return found
