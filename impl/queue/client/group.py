"""A member of a group: joins, deals partitions out if it is the leader, beats its heart, leaves.

What it owns, and what has to happen before it may own something else, is ``rebalance``'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from impl.queue.client.assignors import Assignor
from impl.queue.client.assignors.assignor import Member
from impl.queue.client.cluster import Cluster
from impl.queue.client.coordinator import Coordinator
from impl.queue.client.errors import DidNotHappen, Fenced, MayHaveHappened, Refused, passes
from impl.queue.client.metadata import TopicPartition
from impl.queue.protocol.errors import Code, Malformed
from impl.queue.protocol.keys import ApiKey
from impl.queue.protocol.membership import (
    NO_GENERATION,
    PROTOCOL_TYPE,
    Assignment,
    Subscription,
    read_assignment,
    read_subscription,
    write_assignment,
    write_subscription,
)

_log = logging.getLogger(__name__)
_JOIN_GRACE_S = 5.0
_LEAVE_WITHIN_S = 3.0
_GONE = (Code.illegal_generation, Code.unknown_member_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """How to be a member; ``max_poll_interval_s`` is also how long others wait for it to rejoin."""

    instance_id: str | None
    assignors: tuple[Assignor, ...]
    session_timeout_s: float
    max_poll_interval_s: float
    heartbeat_s: float

    @property
    def cooperative(self) -> bool:
        """Whether partitions are kept during a rebalance: if every strategy is made for it."""
        return all(each.cooperative for each in self.assignors)


class Joined(NamedTuple):
    """What a member got, by which strategy, in which generation."""

    partitions: tuple[TopicPartition, ...]
    assignor: Assignor
    generation: int


class Lost(Exception):
    """The group has gone on without this member: what it owned isn't its own any more."""


class Group:
    """See the module. ``wake`` is called whenever the consumer's next poll has to look here.

    ``lost`` says why the membership is over; ``fatal`` is what every poll raises from then on.
    """

    def __init__(
        self,
        cluster: Cluster,
        coordinator: Coordinator,
        settings: GroupSettings,
        *,
        wake: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.coordinator = coordinator
        self.member_id = ""
        self.generation = NO_GENERATION
        self.rejoin = False
        self.lost: str | None = None
        self.fatal: Exception | None = None
        self.assignor: Assignor | None = None
        self._cluster = cluster
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._joining = False
        self._tries = 0
        self._heard_s = 0.0
        self._polled_s = self._loop.time()
        self._beating: asyncio.Task[None] | None = None
        self._dealt: Mapping[str, int] | None = None
        self._remembered: tuple[tuple[TopicPartition, ...], int] = ((), NO_GENERATION)
        cluster.listen(self._look_at_topics)

    @property
    def member(self) -> tuple[str, int, str | None]:
        """Member id, generation and instance id, as a commit needs them."""
        return self.member_id, self.generation, self.settings.instance_id

    def polled(self) -> None:
        """The consumer is alive; and if the session isn't any more, it knows from now on.

        The coordinator counts from when it hears a heartbeat, which is after it was sent. So nothing is
        handed out on the strength of a membership that may be over, even if this process stood still.
        """
        now_s = self._loop.time()
        self._polled_s = now_s
        if self.generation == NO_GENERATION or self._joining or self.lost is not None:
            return
        if now_s - self._heard_s > self.settings.session_timeout_s:
            self.lost = f"no heartbeat was answered for {self.settings.session_timeout_s:g} s"

    def forget(self, *, member: bool = True) -> None:
        """The membership is over; ``member``: the id as well."""
        self.lost = None
        self.generation = NO_GENERATION
        self._dealt = None
        self._remembered = ((), NO_GENERATION)
        if member:
            self.member_id = ""

    # --- joining ------------------------------------------------------------------------------

    async def join(self, topics: Sequence[str], owned: Sequence[TopicPartition]) -> Joined:
        """Join, or join again, for as long as it takes.

        Raises Lost if ``owned`` isn't owned any more, Fenced, Refused.
        """
        backoff = self.coordinator.backoff()
        self._joining = True
        try:
            while True:
                try:
                    self.rejoin = False
                    self._tries += 1
                    joined = await self._try(topics, owned)
                    if joined is not None:
                        return joined
                except Refused:
                    raise
                except (DidNotHappen, MayHaveHappened) as error:
                    _log.info("group %s: %s; joining again", self.coordinator.id, error)
                    await asyncio.sleep(backoff.next_s())
        finally:
            self._joining = False

    async def _try(self, topics: Sequence[str], owned: Sequence[TopicPartition]) -> Joined | None:
        """One try; None if the next may follow at once."""
        settings = self.settings
        values = {
            "group_id": self.coordinator.id,
            "session_timeout": round(settings.session_timeout_s * 1000),
            "rebalance_timeout": round(settings.max_poll_interval_s * 1000),
            "member_id": self.member_id,
            "group_instance_id": settings.instance_id,
            "protocol_type": PROTOCOL_TYPE,
            "protocols": [
                {"name": each.name, "metadata": self._subscription(each, topics, owned)}
                for each in settings.assignors
            ],
            "reason": None,
        }
        timeout_s = settings.max_poll_interval_s + _JOIN_GRACE_S
        body = await self.coordinator.ask(ApiKey.JOIN_GROUP, values, changes=True, timeout_s=timeout_s)
        if body.error_code is Code.member_id_required:
            self.member_id = body.member_id
            return None
        if not self._accepted(body.error_code, owned):
            return None
        self.member_id, self.generation = body.member_id, body.generation_id
        assignor = self._named(body.protocol_name)
        dealt = await self._deal(body, assignor)
        return await self._sync(assignor, dealt, owned)

    def _subscription(
        self, assignor: Assignor, topics: Sequence[str], owned: Sequence[TopicPartition]
    ) -> bytes:
        remembered, generation = self._remembered
        return write_subscription(
            Subscription(
                tuple(topics),
                assignor.user_data(remembered, generation),
                tuple(owned),
                self.generation if owned else NO_GENERATION,
            )
        )

    def _accepted(self, code: Code, owned: Sequence[TopicPartition]) -> bool:
        """Whether ``code`` is none; False if the next try may follow at once.

        Raises Lost, Fenced, DidNotHappen for what passes, Refused.
        """
        what = f"group {self.coordinator.id}: {code.name}"
        if self.coordinator.heard(code) is Code.none:
            return True
        if code is Code.rebalance_in_progress:
            return False
        if code is Code.fenced_instance_id:
            raise Fenced(what, code)
        if code in _GONE:
            if owned:
                raise Lost(code.name)
            self.forget(member=code is Code.unknown_member_id)
            return False
        raise (DidNotHappen if passes(code) else Refused)(what, code)

    def _named(self, name: str | None) -> Assignor:
        for each in self.settings.assignors:
            if each.name == name:
                return each
        raise DidNotHappen(f"group {self.coordinator.id}: the coordinator chose {name!r}")

    async def _deal(self, body: Any, assignor: Assignor) -> list[dict[str, Any]]:
        """Every member's partitions, if this one is the leader."""
        self._dealt = None
        if body.leader != body.member_id or getattr(body, "skip_assignment", False):
            return []
        members = []
        for each in body.members:
            try:
                subscription = read_subscription(each.metadata)
            except Malformed as error:
                _log.warning("group %s: member %s: %s", self.coordinator.id, each.member_id, error)
                subscription = Subscription(())
            instance_id = getattr(each, "group_instance_id", None)
            members.append(Member(each.member_id, instance_id, subscription))
        wanted = dict.fromkeys(topic for each in members for topic in each.subscription.topics)
        counts = await self._counts(list(wanted))
        dealt = assignor.assign(members, counts)
        self._dealt = {topic: counts.get(topic, 0) for topic in wanted}
        return [
            {"member_id": id, "assignment": write_assignment(Assignment(tuple(partitions)))}
            for id, partitions in dealt.items()
        ]

    async def _counts(self, topics: list[str]) -> dict[str, int]:
        """The number of partitions of those topics that there are."""
        self._cluster.watch(topics)
        if any(topic not in self._cluster.metadata.topics for topic in topics):
            await self._cluster.refresh(within_s=self.settings.session_timeout_s)
        return self._known_counts(topics)

    def _known_counts(self, topics: Sequence[str]) -> dict[str, int]:
        known = self._cluster.metadata.topics
        return {
            topic: len(known[topic].partitions)
            for topic in topics
            if topic in known and known[topic].partitions
        }

    async def _sync(
        self, assignor: Assignor, dealt: list[dict[str, Any]], owned: Sequence[TopicPartition]
    ) -> Joined | None:
        values = {
            "group_id": self.coordinator.id,
            "generation_id": self.generation,
            "member_id": self.member_id,
            "group_instance_id": self.settings.instance_id,
            "protocol_type": PROTOCOL_TYPE,
            "protocol_name": assignor.name,
            "assignments": dealt,
        }
        sent_s = self._loop.time()
        timeout_s = self.settings.max_poll_interval_s + _JOIN_GRACE_S
        body = await self.coordinator.ask(ApiKey.SYNC_GROUP, values, changes=True, timeout_s=timeout_s)
        if not self._accepted(body.error_code, owned):
            return None
        self._heard_s = sent_s
        partitions = tuple(TopicPartition(*each) for each in read_assignment(body.assignment).partitions)
        self.assignor = assignor
        self._remembered = partitions, self.generation
        self._beat_on()
        if self._loop.time() - sent_s > self.settings.session_timeout_s / 2:
            await self._beat()  # others were slow: is this one still a member?
        return Joined(partitions, assignor, self.generation)

    def _look_at_topics(self) -> None:
        """A leader has all join again when there are other partitions than it dealt out."""
        if self._dealt is None or self._joining or self.rejoin:
            return
        known = self._known_counts(list(self._dealt))
        if any(known.get(topic, count) != count for topic, count in self._dealt.items()):
            self.rejoin = True
            self._wake()

    # --- staying and leaving ------------------------------------------------------------------

    def _beat_on(self) -> None:
        if self._beating is None or self._beating.done():
            self._beating = self._loop.create_task(self._keep_beating())

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self.settings.heartbeat_s)
            if self._joining or self.generation == NO_GENERATION or self.lost is not None:
                continue
            if self._loop.time() - self._polled_s > self.settings.max_poll_interval_s:
                self.lost = f"no poll for {self.settings.max_poll_interval_s:g} s"
                self._wake()
                await self.leave()
                continue
            await self._beat()

    async def _beat(self) -> None:
        sent_s, generation, tries = self._loop.time(), self.generation, self._tries
        values = {
            "group_id": self.coordinator.id,
            "generation_id": generation,
            "member_id": self.member_id,
            "group_instance_id": self.settings.instance_id,
        }
        try:
            body = await self.coordinator.ask(
                ApiKey.HEARTBEAT,
                values,
                changes=False,
                timeout_s=self.settings.session_timeout_s,
            )
        except (DidNotHappen, MayHaveHappened) as error:
            _log.info("group %s: %s", self.coordinator.id, error)
            return
        if tries != self._tries:
            return  # it was about a membership before this one
        code = self.coordinator.heard(body.error_code)
        if code in (Code.none, Code.rebalance_in_progress):
            self._heard_s = sent_s
            self.rejoin = self.rejoin or code is Code.rebalance_in_progress
        elif code in _GONE:
            self.lost = f"the coordinator answers {code.name}"
        elif not passes(code):
            kind = Fenced if code is Code.fenced_instance_id else Refused
            self.fatal = kind(f"group {self.coordinator.id}: {code.name}", code)
        if code is not Code.none:
            self._wake()

    def out(self, code: Code | None) -> None:
        """A commit was refused with ``code``: the same as if a heartbeat had been."""
        if code is Code.rebalance_in_progress:
            self.rejoin = True
        elif code is Code.fenced_instance_id:
            self.fatal = Fenced(f"group {self.coordinator.id}: {code.name}", code)
        elif code in _GONE and self.lost is None and not self._joining:
            self.lost = f"the coordinator answers {code.name}"
        self._wake()

    async def leave(self) -> None:
        """Have others take over at once. Static members don't: they are expected back."""
        if not self.member_id or self.settings.instance_id is not None:
            return
        member = {"member_id": self.member_id, "group_instance_id": None, "reason": None}
        values = {"group_id": self.coordinator.id, "member_id": self.member_id, "members": [member]}
        try:
            await self.coordinator.ask(
                ApiKey.LEAVE_GROUP, values, changes=True, timeout_s=_LEAVE_WITHIN_S
            )
        except (DidNotHappen, MayHaveHappened) as error:
            _log.info("group %s: leaving: %s", self.coordinator.id, error)

    async def close(self) -> None:
        """Stop the heartbeats."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
