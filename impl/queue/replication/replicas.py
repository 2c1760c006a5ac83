"""The partitions that this broker has a replica of: opened, given their roles, kept, removed.

What the image says is carried out by one task, in order; until a new partition is open it is answered
for with a code that makes clients try again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import orjson

from impl.host import Host
from impl.queue import topics
from impl.queue.config import Config
from impl.queue.log import compaction, retention
from impl.queue.log.log import PartitionLog
from impl.queue.log.recovery import open_log
from impl.queue.log.settings import LogSettings
from impl.queue.metadata.image import Image, PartitionKey, Topic
from impl.queue.metadata.state import ClusterState
from impl.queue.protocol.batches import Damaged
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.replication.partition import Partition, Rules
from impl.queue.replication.rules import RULES, ReplicaRules

_log = logging.getLogger(__name__)
_UNKNOWN_OUTCOME = (Code.request_timed_out, Code.not_controller)
_PAUSE_S = 0.2
_OPENED_AT_ONCE = 16


class Replicas:
    """See the module. ``offline`` are partitions whose log could not be opened, and why; what this
    broker leads of them it gives up, if another replica is in sync.

    ``partition`` makes a replica of a log, ``compact`` compacts one.
    """

    def __init__(
        self,
        host: Host,
        config: Config,
        state: ClusterState,
        rules: ReplicaRules = RULES,
        *,
        partition: Callable[..., Partition] = Partition,
        compact: Callable[[PartitionLog, int], Awaitable[bool]] = compaction.compact,
    ) -> None:
        self.offline: dict[PartitionKey, str] = {}
        self._host = host
        self._config = config
        self._state = state
        self._by = rules
        self._partition = partition
        self._compacted = compact
        self._open: dict[PartitionKey, Partition] = {}
        self._ids: dict[PartitionKey, UUID] = {}
        self._rolled: dict[PartitionLog, None] = {}
        self._followed: Mapping[str, Topic] = {}
        self._proposals: dict[Partition, None] = {}
        self._unled: dict[PartitionKey, None] = {}
        self._proposed = asyncio.Event()
        self._due: dict[Partition, None] = {}
        self._flush_due = asyncio.Event()
        self._work = asyncio.Event()
        self._settled = asyncio.Event()
        self._on_role: list[Callable[[Partition], None]] = []
        self._on_gone: list[Callable[[PartitionKey], None]] = []
        state.watch(self._changed)

    # --- asking -------------------------------------------------------------------------------

    def get(self, key: PartitionKey) -> Partition:
        """The replica. Raises ApiError with what clients are to be told if it can't be had."""
        found = self._open.get(key)
        if found is not None:
            return found
        if key in self.offline:
            raise ApiError(Code.kafka_storage_error)
        if self._state.image.partition(key) is None:
            raise ApiError(Code.unknown_topic_or_partition)
        raise ApiError(Code.not_leader_or_follower)

    def all(self) -> list[Partition]:
        """Every replica that is open."""
        return list(self._open.values())

    def on_role(self, call: Callable[[Partition], None]) -> None:
        """Call ``call`` whenever a replica was given a role."""
        self._on_role.append(call)

    def on_gone(self, call: Callable[[PartitionKey], None]) -> None:
        """Call ``call`` when a replica is removed."""
        self._on_gone.append(call)

    async def settled(self) -> None:
        """Return when all that the image says has been carried out."""
        await self._settled.wait()

    # --- carrying out -------------------------------------------------------------------------

    def _changed(self, before: Image, after: Image) -> None:
        self._settled.clear()
        self._work.set()

    async def run(self) -> None:
        """Carry out what the image says, forever."""
        self._work.set()
        while True:
            await self._work.wait()
            self._work.clear()
            await self._follow(self._state.image)
            if not self._work.is_set():
                self._settled.set()

    async def _follow(self, image: Image) -> None:
        for key in [key for key in self._open if self._foreign(image, key)]:
            await self._close(key)
        for name, topic in image.topics.items():
            if self._followed.get(name) is not topic:
                await self._have_all(topic)
        self._followed = image.topics

    async def _have_all(self, topic: Topic) -> None:
        """Open what is not open yet, some at a time, as it waits for the disk; then give the roles."""
        settings, rules = topics.log_settings(topic.settings, self._config), self._rules(topic)
        me = self._config.broker_id
        mine = [number for number, state in enumerate(topic.partitions) if me in state.replicas]
        keys = [PartitionKey(topic.name, number) for number in mine]
        bound = asyncio.Semaphore(_OPENED_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            for key in keys:
                if key not in self._open:
                    tasks.create_task(self._open_one(key, topic, settings, rules, bound))
        for key in keys:
            if key in self._open:
                await self._have(key, topic, settings, rules)
            elif topic.partitions[key.partition].leader == me:
                self._unled[key] = None
                self._proposed.set()

    def _foreign(self, image: Image, key: PartitionKey) -> bool:
        state = image.partition(key)
        return (
            state is None
            or image.topics[key.topic].id != self._ids[key]
            or self._config.broker_id not in state.replicas
        )

    async def _close(self, key: PartitionKey) -> None:
        partition = self._open.pop(key)
        self._rolled.pop(partition.log, None)
        async with partition.changing:
            partition.retire()
            for gone in self._on_gone:
                gone(key)
            await partition.log.delete()

    async def _open_one(
        self,
        key: PartitionKey,
        topic: Topic,
        settings: LogSettings,
        rules: Rules,
        bound: asyncio.Semaphore,
    ) -> None:
        async with bound:
            try:
                self._open[key] = await self._opened(key, topic, settings, rules)
            except (OSError, ValueError) as error:
                self.offline[key] = str(error)
                _log.exception("%s-%d cannot be opened", *key)
            else:
                self.offline.pop(key, None)

    async def _have(self, key: PartitionKey, topic: Topic, settings: LogSettings, rules: Rules) -> None:
        partition, state = self._open[key], topic.partitions[key.partition]
        partition.log.settings = settings
        partition.rules = rules
        if partition.state != state:
            async with partition.changing:
                partition.become(state)
                for role in self._on_role:
                    role(partition)

    def _rules(self, topic: Topic) -> Rules:
        def value(name: str) -> str:
            return topics.effective(name, topic.settings, self._config)

        return Rules(
            max_bytes=int(value("max.message.bytes")),
            stamp=value("message.timestamp.type") == "LogAppendTime",
            min_isr=int(value("min.insync.replicas")),
            keyed="compact" in value("cleanup.policy"),
        )

    async def _opened(
        self, key: PartitionKey, topic: Topic, settings: LogSettings, rules: Rules
    ) -> Partition:
        directory = f"{key.topic}-{key.partition}"
        facts = self._facts(directory)
        log = await open_log(self._host.disk, directory, settings, self.now_ms, self._roll)
        if facts.get("topic_id") != topic.id.hex:
            try:
                await self._begun_anew(log, topic.id)
            except OSError:
                log.close()
                raise
            facts = {}
        log.advance_start(min(facts.get("start_offset", 0), log.end_offset))
        self._ids[key] = topic.id
        return self._partition(
            key,
            log,
            self._config.broker_id,
            rules,
            replica_rules=self._by,
            certain=lambda: self._state.certain,
            on_proposal=self._on_proposal,
            on_flush_due=self._on_flush_due,
        )

    async def _begun_anew(self, log: PartitionLog, topic_id: UUID) -> None:
        """What an earlier topic of that name left is not this one's."""
        if log.end_offset > 0:
            await log.restart_at(0)
        facts = orjson.dumps({"topic_id": topic_id.hex})
        await self._host.disk.replace(_path(log.directory), facts)

    def _facts(self, directory: str) -> dict[str, Any]:
        path = _path(directory)
        if not self._host.disk.exists(path):
            return {}
        facts = orjson.loads(self._host.disk.read(path))
        return facts if isinstance(facts, dict) else {}

    async def delete_before(self, partition: Partition, offset: int) -> None:
        """Let nothing before ``offset`` be read again, not after a restart either."""
        partition.log.advance_start(offset)
        facts = {"topic_id": self._ids[partition.key].hex, "start_offset": partition.log.start_offset}
        await self._host.disk.replace(_path(partition.log.directory), orjson.dumps(facts))
        await partition.log.drop_unread()

    def now_ms(self) -> int:
        """The wall clock."""
        return self._host.wall_clock_ns() // 1_000_000

    def topic_id(self, key: PartitionKey) -> UUID | None:
        """The id of the topic whose partition is open under ``key``."""
        return self._ids.get(key) if key in self._open else None

    # --- who is in sync -----------------------------------------------------------------------

    def _on_proposal(self, partition: Partition) -> None:
        self._proposals[partition] = None
        self._proposed.set()

    async def propose(self) -> None:
        """Tell the controller who is in sync, where that has changed, forever."""
        while True:
            await self._proposed.wait()
            self._proposed.clear()
            proposals, self._proposals = self._proposals, {}
            unled, self._unled = self._unled, {}
            await asyncio.gather(*map(self._propose, proposals), *map(self._give_up, unled))

    async def _propose(self, partition: Partition) -> None:
        """Ask until it is known what became of it: a new state, or a refusal."""
        seen = partition.state
        while (
            seen is not None
            and (members := partition.followers.proposed) is not None
            and partition.state is not None
            and partition.state.version == seen.version
        ):
            try:
                await self._state.change_isr(partition.key, members, seen)
                return
            except ApiError as error:
                if error.code in _UNKNOWN_OUTCOME:
                    await asyncio.sleep(self._host.random.uniform(0, _PAUSE_S))
                    continue
                _log.info("%s-%d: the in-sync set stays: %s", *partition.key, error)
                partition.refused(seen)
                return

    async def _give_up(self, key: PartitionKey) -> None:
        """Have another one lead what can't be led without a log; nobody can who is not in sync."""
        me = self._config.broker_id
        while key in self.offline:
            state = self._state.image.partition(key)
            if state is None or state.leader != me or state.isr == (me,):
                return
            members = dict(zip(state.isr, state.isr_epochs, strict=True))
            try:
                await self._state.change_isr(key, {k: v for k, v in members.items() if k != me}, state)
                return
            except ApiError as error:
                _log.info("%s-%d cannot be given up: %s", *key, error)
                await asyncio.sleep(self._host.random.uniform(0, _PAUSE_S))

    async def watch_laggards(self) -> None:
        """Look for followers that lag, forever."""
        longest_s = self._config.replica_lag_ms / 1000
        while True:
            await asyncio.sleep(longest_s / 2)
            for partition in self.all():
                partition.drop_laggards(longest_s)

    # --- keeping ------------------------------------------------------------------------------

    def _on_flush_due(self, partition: Partition) -> None:
        self._due[partition] = None
        self._flush_due.set()

    async def flush_due(self) -> None:
        """Flush what the flush policy wants flushed though nobody waits for it, forever."""
        while True:
            await self._flush_due.wait()
            self._flush_due.clear()
            due, self._due = self._due, {}
            results = await asyncio.gather(*(each.stored() for each in due), return_exceptions=True)
            for partition, error in zip(due, results, strict=True):
                if error is not None:
                    _log.warning("%s: %s", partition.log.directory, error)

    def _roll(self, log: PartitionLog) -> None:
        self._rolled[log] = None

    async def keep(self) -> None:
        """Flush by time, summarise, retain and compact, forever."""
        passes = [
            (self._config.retention_check_ms, self._retain),
            (self._config.compaction_check_ms, self._compact),
            (min(self._config.flush_check_ms, self._shortest_flush_ms()), self._flush),
        ]
        async with asyncio.TaskGroup() as tasks:
            for interval_ms, work in passes:
                if interval_ms < 1 << 50:
                    tasks.create_task(self._every(interval_ms, work))

    def _shortest_flush_ms(self) -> int:
        return int(self._config.defaults.get("flush.ms", 1 << 62))

    async def _every(self, interval_ms: int, work: Callable[[Partition], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(interval_ms / 1000)
            for partition in self.all():
                try:
                    await work(partition)
                except (OSError, ApiError, Damaged) as error:
                    _log.warning("%s: %s", partition.log.directory, error)

    async def _retain(self, partition: Partition) -> None:
        if not partition.log.failed:
            await retention.enforce(partition.log, partition.high_watermark)

    async def _compact(self, partition: Partition) -> None:
        if self._rolled.pop(partition.log, False) is None:
            await partition.log.summarise()
        if partition.log.settings.compact and not partition.log.failed:
            await self._compacted(partition.log, partition.high_watermark)

    async def _flush(self, partition: Partition) -> None:
        await partition.log.flush()
        partition.advance()

    async def close(self) -> None:
        """Flush everything and give the files back."""
        for partition in self.all():
            if not partition.log.failed:
                await partition.log.summarise()
            partition.log.close()


def _path(directory: str) -> str:
    return f"{directory}/partition.json"
