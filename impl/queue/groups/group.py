"""A consumer group: its members, its generation, and what state a rebalance is in. No I/O, no timers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from impl.queue.groups.messages import Commit, StoredGroup, StoredMember
from impl.queue.metadata.image import PartitionKey
from impl.queue.protocol.errors import ApiError, Code


class State(Enum):
    """Kafka's names of a group's states."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


@dataclass(slots=True, kw_only=True, eq=False)
class Member:
    """A member.

    ``joining`` and ``syncing`` are its unanswered requests, ``deadline_s`` the end of its session.
    """

    id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_ms: int
    rebalance_ms: int
    protocols: dict[str, bytes]
    assignment: bytes = b""
    joining: asyncio.Future[Mapping[str, Any]] | None = None
    syncing: asyncio.Future[Mapping[str, Any]] | None = None
    deadline_s: float = 0.0
    timer: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether a request of it is under way, so that it is alive."""
        return self.joining is not None or self.syncing is not None


@dataclass(slots=True, eq=False)
class Group:
    """See the module. ``pending`` are ids that were given out and have not joined yet.

    ``places``: where in the offsets topic each offset was committed.

    ``gathering``: a new group waits for more members; ``newcomers``: some came while it did.
    """

    id: str
    state: State = State.EMPTY
    generation: int = 0
    protocol_type: str = ""
    protocol: str | None = None
    leader: str | None = None
    members: dict[str, Member] = field(default_factory=dict)
    static: dict[str, str] = field(default_factory=dict)
    pending: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    offsets: dict[PartitionKey, Commit] = field(default_factory=dict)
    places: dict[PartitionKey, int] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None
    gathering: bool = False
    newcomers: bool = False

    def member(self, id: str, instance_id: str | None = None) -> Member:
        """The member. Raises ApiError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID."""
        if instance_id is not None and self.static.get(instance_id, id) != id:
            raise ApiError(Code.fenced_instance_id)
        found = self.members.get(id)
        if found is None or (instance_id is not None and instance_id not in self.static):
            raise ApiError(Code.unknown_member_id)
        return found

    def check_generation(self, generation: int) -> None:
        """Raises ApiError ILLEGAL_GENERATION for any but the group's."""
        if generation != self.generation:
            raise ApiError(Code.illegal_generation)

    def check_protocols(self, protocol_type: str, names: Iterable[str]) -> None:
        """Raises ApiError INCONSISTENT_GROUP_PROTOCOL if a member can't join with these."""
        names = list(names)
        if not protocol_type or not names:
            raise ApiError(Code.inconsistent_group_protocol)
        if not self.members:
            return
        if protocol_type != self.protocol_type or not self._common() & set(names):
            raise ApiError(Code.inconsistent_group_protocol)

    def _common(self) -> set[str]:
        return set.intersection(*(set(each.protocols) for each in self.members.values()))

    def add(self, member: Member) -> None:
        """A new member; the first is the leader."""
        self.members[member.id] = member
        if member.instance_id is not None:
            self.static[member.instance_id] = member.id
        if self.leader is None:
            self.leader = member.id

    def remove(self, member: Member) -> None:
        """``member`` is out; another leads if it did."""
        self.members.pop(member.id, None)
        if member.instance_id is not None and self.static.get(member.instance_id) == member.id:
            del self.static[member.instance_id]
        if self.leader == member.id:
            self.leader = next(iter(self.members), None)

    def vote(self) -> str:
        """The protocol that most members prefer, of those that all understand; ties go by name."""
        common, votes = self._common(), dict[str, int]()
        for member in self.members.values():
            choice = next(name for name in member.protocols if name in common)
            votes[choice] = votes.get(choice, 0) + 1
        return max(sorted(votes), key=lambda name: votes[name])

    @property
    def all_joined(self) -> bool:
        return not self.pending and all(each.joining is not None for each in self.members.values())

    @property
    def rebalance_ms(self) -> int:
        """The longest that any member may take to come back."""
        return max((each.rebalance_ms for each in self.members.values()), default=0)

    def joined(self, member: Member) -> dict[str, Any]:
        """The answer to a JoinGroup; the leader's has everybody's metadata."""
        known = self.members.values() if member.id == self.leader else ()
        return {
            "error_code": Code.none,
            "generation_id": self.generation,
            "protocol_type": self.protocol_type,
            "protocol_name": self.protocol or "",
            "leader": self.leader or "",
            "member_id": member.id,
            "members": [
                {
                    "member_id": each.id,
                    "group_instance_id": each.instance_id,
                    "metadata": each.protocols.get(self.protocol or "", b""),
                }
                for each in known
            ],
        }

    def synced(self, member: Member) -> dict[str, Any]:
        """The answer to a SyncGroup."""
        return {
            "error_code": Code.none,
            "protocol_type": self.protocol_type,
            "protocol_name": self.protocol,
            "assignment": member.assignment,
        }

    def commit(self, offsets: Mapping[PartitionKey, Commit], place: int) -> None:
        """``offsets`` are committed at ``place`` of the log, whose order is what counts."""
        for key, commit in offsets.items():
            if place >= self.places.get(key, -1):
                self.offsets[key], self.places[key] = commit, place

    def stored(self, now_ms: int, assignments: Mapping[str, bytes] | None = None) -> StoredGroup:
        """As it is written to the offsets topic."""
        return StoredGroup(
            protocol_type=self.protocol_type,
            generation=self.generation,
            protocol=self.protocol,
            leader=self.leader,
            timestamp_ms=now_ms,
            members=tuple(
                StoredMember(
                    id=each.id,
                    instance_id=each.instance_id,
                    client_id=each.client_id,
                    client_host=each.client_host,
                    rebalance_timeout_ms=each.rebalance_ms,
                    session_timeout_ms=each.session_ms,
                    subscription=each.protocols.get(self.protocol or "", b""),
                    assignment=(assignments or {}).get(each.id, each.assignment),
                )
                for each in self.members.values()
            ),
        )

    def restore(self, stored: StoredGroup) -> None:
        """Take over what ``stored`` gave, in place of members and generation."""
        self.members, self.static, self.leader = {}, {}, None
        self.generation, self.protocol_type = stored.generation, stored.protocol_type
        self.protocol = stored.protocol
        for each in stored.members:
            self.add(
                Member(
                    id=each.id,
                    instance_id=each.instance_id,
                    client_id=each.client_id,
                    client_host=each.client_host,
                    session_ms=each.session_timeout_ms,
                    rebalance_ms=each.rebalance_timeout_ms,
                    protocols={stored.protocol or "": each.subscription},
                    assignment=each.assignment,
                )
            )
        self.leader = stored.leader or self.leader
        self.state = State.STABLE if self.members else State.EMPTY
