"""The group coordinator: whoever leads a group's partition of the offsets topic answers for the group.

Groups live in memory while the partition is led here; each change that must outlive the coordinator is
committed to the offsets topic before it is answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impl.host import Host
from impl.queue import topics
from impl.queue.config import Config
from impl.queue.groups import messages, store
from impl.queue.groups.group import Group, Member, State
from impl.queue.groups.messages import Commit
from impl.queue.groups.rebalance import Rebalancer, join_refused, sync_refused
from impl.queue.groups.store import Store
from impl.queue.metadata.image import PartitionKey
from impl.queue.metadata.state import ClusterState
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.replication.partition import Partition
from impl.queue.replication.replicas import Replicas

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A JoinGroup. ``requires_id``: a client that asks for an id first (KIP-394)."""

    group: str
    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_ms: int
    rebalance_ms: int
    protocol_type: str
    protocols: Mapping[str, bytes]
    requires_id: bool


class Coordinator:
    """The groups of this broker, by partition of the offsets topic."""

    def __init__(self, host: Host, config: Config, state: ClusterState, replicas: Replicas) -> None:
        self._host = host
        self._config = config
        self._state = state
        self._store = Store(replicas, config.offsets_commit_timeout_ms / 1000)
        self._replicas = replicas
        self._led: dict[int, dict[str, Group]] = {}
        self._epochs: dict[int, int] = {}
        self._rebalancer = Rebalancer(config, self._emptied)
        self._writes: dict[asyncio.Task[None], Group] = {}
        replicas.on_role(self._role)
        replicas.on_gone(self._gone)

    # --- which groups -------------------------------------------------------------------------

    def _role(self, partition: Partition) -> None:
        if partition.key.topic != topics.OFFSETS:
            return
        number = partition.key.partition
        if partition.leads and self._epochs.get(number) != partition.leader_epoch:
            self._resign(number)
            self._led[number] = store.load(partition)
            self._epochs[number] = partition.leader_epoch
            for group in self._led[number].values():
                for member in group.members.values():
                    self._rebalancer.touch(group, member)
        elif not partition.leads:
            self._resign(number)

    def _gone(self, key: PartitionKey) -> None:
        if key.topic == topics.OFFSETS:
            self._resign(key.partition)

    def _resign(self, number: int) -> None:
        self._epochs.pop(number, None)
        for group in self._led.pop(number, {}).values():
            self._rebalancer.dismiss(group, Code.not_coordinator)

    def partition_of(self, group: str) -> int:
        """The partition of the offsets topic that ``group`` belongs to.

        Raises ApiError COORDINATOR_NOT_AVAILABLE while there is no offsets topic.
        """
        topic = self._state.image.topics.get(topics.OFFSETS)
        if topic is None:
            raise ApiError(Code.coordinator_not_available)
        return store.partition_of(group, len(topic.partitions))

    def _groups(self, group: str) -> dict[str, Group]:
        if not group:
            raise ApiError(Code.invalid_group_id)
        if topics.OFFSETS not in self._state.image.topics:
            raise ApiError(Code.not_coordinator)
        number = self.partition_of(group)
        led = self._led.get(number)
        if led is None or not self._state.certain:
            raise ApiError(Code.not_coordinator)
        if not self._replicas.get(PartitionKey(topics.OFFSETS, number)).settled:
            raise ApiError(Code.coordinator_load_in_progress)
        return led

    def _group(self, id: str) -> Group:
        """The group. Raises ApiError UNKNOWN_MEMBER_ID if there is none."""
        found = self._groups(id).get(id)
        if found is None:
            raise ApiError(Code.unknown_member_id)
        return found

    # --- joining ------------------------------------------------------------------------------

    async def join(self, asked: Join) -> Mapping[str, Any]:
        """Return when the member is in a new generation. Raises ApiError."""
        groups = self._groups(asked.group)
        low, high = self._config.min_session_timeout_ms, self._config.max_session_timeout_ms
        if not low <= asked.session_ms <= high:
            raise ApiError(Code.invalid_session_timeout)
        group = groups.get(asked.group)
        if group is None:
            if asked.member_id:
                raise ApiError(Code.unknown_member_id)
            group = groups[asked.group] = Group(asked.group)
        group.check_protocols(asked.protocol_type, asked.protocols)
        answer = self._admit(group, asked)
        return answer if isinstance(answer, Mapping) else await answer

    def _admit(self, group: Group, asked: Join) -> Mapping[str, Any] | asyncio.Future[Mapping[str, Any]]:
        if not asked.member_id and asked.instance_id in group.static:
            return self._replace(group, asked)
        if not asked.member_id:
            return self._newcomer(group, asked)
        if asked.member_id in group.pending and asked.instance_id is None:
            group.pending.pop(asked.member_id).cancel()
            return self._add(group, asked, asked.member_id)
        return self._again(group, group.member(asked.member_id, asked.instance_id), asked)

    def _newcomer(
        self, group: Group, asked: Join
    ) -> Mapping[str, Any] | asyncio.Future[Mapping[str, Any]]:
        if len(group.members) + len(group.pending) >= self._config.group_max_size:
            raise ApiError(Code.group_max_size_reached)
        id = f"{asked.instance_id or asked.client_id}-{self._unique()}"
        if asked.requires_id and asked.instance_id is None:
            self._rebalancer.expect(group, id, asked.session_ms)
            return join_refused(Code.member_id_required, id)
        return self._add(group, asked, id)

    def _unique(self) -> str:
        raw = self._host.random.randbytes(16).hex()
        return "-".join((raw[:8], raw[8:12], raw[12:16], raw[16:20], raw[20:]))

    def _add(self, group: Group, asked: Join, id: str) -> asyncio.Future[Mapping[str, Any]]:
        member = Member(
            id=id,
            instance_id=asked.instance_id,
            client_id=asked.client_id,
            client_host=asked.client_host,
            session_ms=asked.session_ms,
            rebalance_ms=asked.rebalance_ms,
            protocols=dict(asked.protocols),
        )
        if not group.members:
            group.protocol_type = asked.protocol_type
        group.add(member)
        group.newcomers = True
        return self._rejoin(group, member)

    def _rejoin(self, group: Group, member: Member) -> asyncio.Future[Mapping[str, Any]]:
        """``member`` waits for the next generation."""
        if member.joining is not None and not member.joining.done():
            member.joining.set_result(join_refused(Code.rebalance_in_progress, member.id))
        member.joining = answer = asyncio.get_running_loop().create_future()
        self._rebalancer.touch(group, member)
        self._rebalancer.prepare(group)
        return answer

    def _again(
        self, group: Group, member: Member, asked: Join
    ) -> Mapping[str, Any] | asyncio.Future[Mapping[str, Any]]:
        """A member joins again: only a leader or a change of its protocols disturbs a stable group."""
        same = dict(asked.protocols) == member.protocols
        settled = group.state is State.COMPLETING or (
            group.state is State.STABLE and member.id != group.leader
        )
        if same and settled:
            return group.joined(member)
        member.protocols = dict(asked.protocols)
        member.session_ms, member.rebalance_ms = asked.session_ms, asked.rebalance_ms
        return self._rejoin(group, member)

    def _replace(
        self, group: Group, asked: Join
    ) -> Mapping[str, Any] | asyncio.Future[Mapping[str, Any]]:
        """A static member is back under a new id (KIP-345): the old id is fenced, nothing is moved."""
        before = group.members[group.static[asked.instance_id or ""]]
        place, led = list(group.members), group.leader == before.id
        id = f"{asked.instance_id}-{self._unique()}"
        old, before_assignment = dict(before.protocols), before.assignment
        self._rebalancer.drop(group, before)
        member = Member(
            id=id,
            instance_id=asked.instance_id,
            client_id=asked.client_id,
            client_host=asked.client_host,
            session_ms=asked.session_ms,
            rebalance_ms=asked.rebalance_ms,
            protocols=dict(asked.protocols),
            assignment=before_assignment,
        )
        group.add(member)
        group.leader = id if led else group.leader
        group.members = {
            key: group.members[key] for key in (id if each == before.id else each for each in place)
        }
        if group.state is State.STABLE and old == member.protocols:
            self._rebalancer.touch(group, member)
            self._write_soon(group)
            return {**group.joined(member), "skip_assignment": led}
        return self._rejoin(group, member)

    # --- the rest of the membership -----------------------------------------------------------

    async def sync(
        self,
        group_id: str,
        member_id: str,
        generation: int,
        instance_id: str | None,
        protocol: tuple[str | None, str | None],
        assignments: Mapping[str, bytes],
    ) -> Mapping[str, Any]:
        """Return when the member's assignment is known. Raises ApiError."""
        group = self._group(group_id)
        member = group.member(member_id, instance_id)
        group.check_generation(generation)
        wanted = (group.protocol_type, group.protocol)
        if any(given not in (None, has) for given, has in zip(protocol, wanted, strict=True)):
            raise ApiError(Code.inconsistent_group_protocol)
        if group.state is State.PREPARING:
            raise ApiError(Code.rebalance_in_progress)
        if group.state is State.STABLE:
            self._rebalancer.touch(group, member)
            return group.synced(member)
        if group.state is not State.COMPLETING:
            raise ApiError(Code.unknown_member_id)
        if member.syncing is not None and not member.syncing.done():
            member.syncing.set_result(sync_refused(Code.rebalance_in_progress))
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        member.syncing = answer
        if member_id == group.leader:
            await self._assign(group, assignments)
        return await answer

    async def _assign(self, group: Group, assignments: Mapping[str, bytes]) -> None:
        """Make the leader's assignment durable, then known; a new rebalance meanwhile voids it."""
        generation = group.generation
        given = {id: assignments.get(id, b"") for id in group.members}
        try:
            await self._write(group, given)
        except ApiError:
            if group.generation == generation and group.state is State.COMPLETING:
                self._rebalancer.prepare(group)
            return
        if group.generation == generation and group.state is State.COMPLETING:
            for id, assignment in given.items():
                if id in group.members:
                    group.members[id].assignment = assignment
            self._rebalancer.stable(group)

    def heartbeat(self, group_id: str, member_id: str, generation: int, instance_id: str | None) -> None:
        """The member is alive. Raises ApiError with what it has to know."""
        group = self._group(group_id)
        member = group.member(member_id, instance_id)
        group.check_generation(generation)
        self._rebalancer.touch(group, member)
        if group.state is State.PREPARING:
            raise ApiError(Code.rebalance_in_progress)

    async def leave(self, group_id: str, member_id: str, instance_id: str | None) -> None:
        """The member goes; a static one may be named by its instance alone. Raises ApiError.

        Returns once it stands in the log if it was the last: the next coordinator must not wait for it.
        """
        group = self._group(group_id)
        if instance_id is not None and not member_id:
            member_id = group.static.get(instance_id, "")
        if member_id in group.pending:
            group.pending.pop(member_id).cancel()
            self._rebalancer.maybe_complete(group)
            return
        self._rebalancer.left(group, group.member(member_id, instance_id))
        if writes := [task for task, of in self._writes.items() if of is group]:
            await asyncio.wait(writes)

    # --- offsets ------------------------------------------------------------------------------

    async def commit(
        self,
        group_id: str,
        member_id: str,
        generation: int,
        instance_id: str | None,
        offsets: Mapping[PartitionKey, Commit],
    ) -> None:
        """Return when ``offsets`` are committed. Raises ApiError, and then none is."""
        groups = self._groups(group_id)
        group = groups.get(group_id)
        if group is None:
            if generation >= 0:
                raise ApiError(Code.illegal_generation)
            group = groups[group_id] = Group(group_id)
        if generation >= 0 or member_id or instance_id is not None:
            member = group.member(member_id, instance_id)
            group.check_generation(generation)
            self._rebalancer.touch(group, member)
            if group.state is State.COMPLETING:
                raise ApiError(Code.rebalance_in_progress)
        elif group.state is not State.EMPTY:
            raise ApiError(Code.unknown_member_id)
        entries = store.commits(group_id, offsets)
        group.commit(offsets, await self._store.write(self.partition_of(group_id), entries))

    def offsets(self, group_id: str) -> Mapping[PartitionKey, Commit]:
        """What the group has committed. Raises ApiError NOT_COORDINATOR, INVALID_GROUP_ID."""
        group = self._groups(group_id).get(group_id)
        return group.offsets if group is not None else {}

    async def forget(self, topic: str) -> None:
        """``topic`` was deleted: so are the offsets committed in it."""
        for number, groups in list(self._led.items()):
            for group in list(groups.values()):
                gone = dict.fromkeys(key for key in group.offsets if key.topic == topic)
                if gone:
                    for key in gone:
                        del group.offsets[key]
                    await self._store.write(number, store.commits(group.id, gone))

    # --- looking and deleting -----------------------------------------------------------------

    def listed(self) -> Sequence[Group]:
        """Every group of this broker."""
        return [group for groups in self._led.values() for group in groups.values()]

    def described(self, group_id: str) -> Group:
        """The group; a dead one if there is none. Raises ApiError NOT_COORDINATOR."""
        return self._groups(group_id).get(group_id) or Group(group_id, State.DEAD)

    async def delete(self, group_id: str) -> None:
        """Remove an empty group. Raises ApiError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP."""
        groups = self._groups(group_id)
        group = groups.get(group_id)
        if group is None:
            raise ApiError(Code.group_id_not_found)
        if group.state is not State.EMPTY:
            raise ApiError(Code.non_empty_group)
        gone = dict.fromkeys(group.offsets)
        entries = [*store.commits(group_id, gone), (group_id, None)]
        await self._store.write(self.partition_of(group_id), entries)
        groups.pop(group_id, None)
        self._rebalancer.dismiss(group, Code.group_id_not_found)

    # --- writing ------------------------------------------------------------------------------

    async def _write(self, group: Group, assignments: Mapping[str, bytes] | None = None) -> None:
        stored = group.stored(self._replicas.now_ms(), assignments)
        entry = (group.id, messages.group(stored))
        await self._store.write(self.partition_of(group.id), [entry])

    def _emptied(self, group: Group) -> None:
        self._write_soon(group)

    def _write_soon(self, group: Group) -> None:
        task = asyncio.get_running_loop().create_task(self._write_quietly(group))
        self._writes[task] = group
        task.add_done_callback(lambda task: self._writes.pop(task, None))

    async def _write_quietly(self, group: Group) -> None:
        try:
            await self._write(group)
        except ApiError as error:
            _log.warning("group %s could not be stored: %s", group.id, error)
