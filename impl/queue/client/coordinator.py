"""Asking a group's coordinator: finding it, and what it keeps for the group: committed offsets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from impl.coordination.client.backoff import Backoff
from impl.queue.client.cluster import GROUP, Cluster
from impl.queue.client.connection import Address
from impl.queue.client.errors import CommitRefused, DidNotHappen, MayHaveHappened, Refused, passes
from impl.queue.client.metadata import NO_EPOCH, TopicPartition
from impl.queue.client.positions import OffsetAndMetadata
from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ApiKey

_MANY_KEYS_SINCE = 4
_GROUP_KEY = 0
_ELSEWHERE = (Code.not_coordinator, Code.coordinator_not_available)
_UNCERTAIN = (*_ELSEWHERE, Code.request_timed_out, Code.unknown_server_error)
OUT = (
    Code.illegal_generation,
    Code.unknown_member_id,
    Code.fenced_instance_id,
    Code.rebalance_in_progress,
)
"""What a coordinator says to a member that the group has gone on without."""


class Coordinator:
    """The coordinator of group ``id``, whichever broker that is at present."""

    def __init__(
        self,
        cluster: Cluster,
        id: str,
        *,
        random: random.Random,
        backoff_s: tuple[float, float],
        request_timeout_s: float,
    ) -> None:
        self.id = id
        self._cluster = cluster
        self._random = random
        self._backoff_s = backoff_s
        self._request_timeout_s = request_timeout_s
        self._node: int | None = None

    def backoff(self) -> Backoff:
        """A new series of waits between tries."""
        first_s, last_s = self._backoff_s
        return Backoff(self._random, free=0, base_s=first_s, cap_s=last_s)

    def lost(self) -> None:
        """It isn't where it was: find it anew."""
        self._node = None

    async def ask(
        self, key: int, values: Mapping[str, Any], *, changes: bool, timeout_s: float | None = None
    ) -> Any:
        """Ask the coordinator once. Raises DidNotHappen, MayHaveHappened."""
        node = self._node if self._node is not None else await self._find()
        if timeout_s is None:
            timeout_s = self._request_timeout_s
        try:
            return await self._cluster.ask(
                node, key, values, changes=changes, timeout_s=timeout_s, purpose=GROUP
            )
        except (DidNotHappen, MayHaveHappened):
            self.lost()
            raise

    def heard(self, code: Code) -> Code:
        """Take note of what an answer's code says of the coordinator; returns it."""
        if code in _ELSEWHERE:
            self.lost()
        return code

    async def _find(self) -> int:
        values = {"key": self.id, "coordinator_keys": (self.id,), "key_type": _GROUP_KEY}
        body = await self._cluster.ask(
            None,
            ApiKey.FIND_COORDINATOR,
            values,
            changes=False,
            timeout_s=self._request_timeout_s,
        )
        found = body.coordinators[0] if hasattr(body, "coordinators") else body
        if found.error_code is not Code.none:
            kind = DidNotHappen if passes(found.error_code) else Refused
            raise kind(f"group {self.id}: {found.error_code.name}", found.error_code)
        self._cluster.introduce(found.node_id, Address(found.host, found.port))
        self._node = int(found.node_id)
        return self._node

    # --- offsets ------------------------------------------------------------------------------

    async def fetch(
        self, partitions: Iterable[TopicPartition], *, within_s: float
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """What is committed; partitions without a commit are left out. Raises DidNotHappen."""
        by_topic: dict[str, list[int]] = {}
        for topic, number in partitions:
            by_topic.setdefault(topic, []).append(number)
        topics = [{"name": topic, "partition_indexes": numbers} for topic, numbers in by_topic.items()]
        asked = {"group_id": self.id, "topics": topics}
        values = {**asked, "groups": [asked], "require_stable": False}
        loop, backoff = asyncio.get_running_loop(), self.backoff()
        deadline_s = loop.time() + within_s
        while True:
            try:
                body = await self.ask(ApiKey.OFFSET_FETCH, values, changes=False)
                return self._committed(body)
            except Refused:
                raise
            except DidNotHappen:
                wait_s = backoff.next_s()
                if loop.time() + wait_s >= deadline_s:
                    raise
                await asyncio.sleep(wait_s)

    def _committed(self, body: Any) -> dict[TopicPartition, OffsetAndMetadata]:
        told = body.groups[0] if hasattr(body, "groups") else body
        self._accept(getattr(told, "error_code", Code.none))
        found = {}
        for topic in told.topics:
            for each in topic.partitions:
                self._accept(each.error_code)
                if each.committed_offset >= 0:
                    found[TopicPartition(topic.name, each.partition_index)] = OffsetAndMetadata(
                        each.committed_offset,
                        each.metadata or "",
                        getattr(each, "committed_leader_epoch", NO_EPOCH),
                    )
        return found

    def _accept(self, code: Code) -> None:
        code = Code(code)
        if self.heard(code) is not Code.none:
            kind = DidNotHappen if passes(code) else Refused
            raise kind(f"group {self.id}: {code.name}", code)

    async def commit(
        self,
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
        member: tuple[str, int, str | None],
        *,
        within_s: float,
        tries: int | None = None,
    ) -> None:
        """Commit for ``member``: id, generation, instance id; as often as there is time, or ``tries``.

        Raises CommitRefused if the group has gone on without it, DidNotHappen, MayHaveHappened.
        """
        values = self._commit_values(offsets, member)
        loop, backoff = asyncio.get_running_loop(), self.backoff()
        deadline_s, uncertain, tried = loop.time() + within_s, False, 0
        reason: DidNotHappen | MayHaveHappened
        while True:
            tried += 1
            try:
                body = await self.ask(ApiKey.OFFSET_COMMIT, values, changes=True)
                self._done(body)
                return
            except MayHaveHappened as error:
                uncertain, reason = True, error
            except Refused as error:
                if uncertain:
                    raise MayHaveHappened(f"{error}, and a try before may have succeeded") from error
                raise
            except DidNotHappen as error:
                reason = error
            wait_s = backoff.next_s()
            if loop.time() + wait_s >= deadline_s or tried == tries:
                raise (MayHaveHappened if uncertain else DidNotHappen)(str(reason), reason.code)
            await asyncio.sleep(wait_s)

    def _commit_values(
        self,
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
        member: tuple[str, int, str | None],
    ) -> dict[str, Any]:
        by_topic: dict[str, list[dict[str, Any]]] = {}
        for (topic, number), commit in offsets.items():
            by_topic.setdefault(topic, []).append(
                {
                    "partition_index": number,
                    "committed_offset": commit.offset,
                    "committed_leader_epoch": commit.leader_epoch,
                    "committed_metadata": commit.metadata,
                }
            )
        member_id, generation, instance_id = member
        return {
            "group_id": self.id,
            "generation_id_or_member_epoch": generation,
            "member_id": member_id,
            "group_instance_id": instance_id,
            "topics": [{"name": name, "partitions": parts} for name, parts in by_topic.items()],
        }

    def _done(self, body: Any) -> None:
        """Raises unless all was committed: a part of it may have been."""
        codes: Sequence[Code] = [
            self.heard(Code(each.error_code)) for topic in body.topics for each in topic.partitions
        ]
        wrong = [code for code in codes if code is not Code.none]
        if not wrong:
            return
        reason = f"group {self.id}: the coordinator answers {wrong[0].name} to the commit"
        if len(wrong) < len(codes) or any(code in _UNCERTAIN for code in wrong):
            raise MayHaveHappened(reason, wrong[0])
        if wrong[0] in OUT:
            raise CommitRefused(reason, wrong[0])
        raise (DidNotHappen if passes(wrong[0]) else Refused)(reason, wrong[0])
