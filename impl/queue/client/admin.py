"""Administration, as far as workloads need it: topics and groups, made, described and deleted.

A change that isn't answered may have happened; asking what there is tells.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from impl.queue.client.cluster import Cluster
from impl.queue.client.connection import Address
from impl.queue.client.coordinator import Coordinator
from impl.queue.client.errors import DidNotHappen, MayHaveHappened, Refused
from impl.queue.client.metadata import Leadership, TopicPartition
from impl.queue.client.positions import OffsetAndMetadata
from impl.queue.protocol.errors import Code
from impl.queue.protocol.keys import ApiKey

if TYPE_CHECKING:
    from ssl import SSLContext

_UNCERTAIN = (Code.request_timed_out, Code.unknown_server_error)


class Described(NamedTuple):
    """The brokers by id, the controller's id, and who leads which partition, by topic."""

    brokers: Mapping[int, Address]
    controller: int
    topics: Mapping[str, Mapping[int, Leadership]]


class GroupMember(NamedTuple):
    """A member of a group, as its coordinator knows it."""

    id: str
    instance_id: str | None
    client_id: str
    assignment: bytes


class GroupDescribed(NamedTuple):
    """A group, as its coordinator knows it."""

    state: str
    protocol: str
    members: tuple[GroupMember, ...]


class Admin:
    """Asks the brokers that ``bootstrap``, as (host, port), leads to; settings as ``Producer``'s."""

    def __init__(
        self,
        bootstrap: Sequence[tuple[str, int]],
        *,
        random: random.Random,
        client_id: str = "windtunnel-admin",
        request_timeout_s: float = 30.0,
        connect_timeout_s: float = 3.0,
        max_block_s: float = 60.0,
        backoff_s: tuple[float, float] = (0.1, 1.0),
        ssl: SSLContext | None = None,
    ) -> None:
        self._random = random
        self._request_timeout_s = request_timeout_s
        self._max_block_s = max_block_s
        self._backoff_s = backoff_s
        self._cluster = Cluster(
            bootstrap,
            client_id=client_id,
            random=random,
            request_timeout_s=request_timeout_s,
            connect_timeout_s=connect_timeout_s,
            metadata_max_age_s=max_block_s,
            backoff_s=backoff_s,
            create_topics=False,
            ssl=ssl,
        )

    async def start(self, *, within_s: float | None = None) -> None:
        """Reach some broker. Raises DidNotHappen when none answers in time."""
        try:
            await self._cluster.start(within_s=self._max_block_s if within_s is None else within_s)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self._cluster.close()

    async def __aenter__(self) -> Admin:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- topics -------------------------------------------------------------------------------

    async def create_topic(
        self,
        name: str,
        *,
        partitions: int = 1,
        replication_factor: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Make a topic. Raises Refused (``code`` topic_already_exists, ...), MayHaveHappened."""
        configs = [{"name": key, "value": value} for key, value in (settings or {}).items()]
        topic = {
            "name": name,
            "num_partitions": partitions,
            "replication_factor": replication_factor,
            "assignments": (),
            "configs": configs,
        }
        body = await self._change(ApiKey.CREATE_TOPICS, {"topics": [topic], **self._timeout()})
        self._done(f"topic {name}", body.topics[0])

    async def delete_topic(self, name: str) -> None:
        """Delete a topic and what is in it. Raises Refused, MayHaveHappened."""
        values = {
            "topic_names": (name,),
            "topics": [{"name": name, "topic_id": None}],
            **self._timeout(),
        }
        body = await self._change(ApiKey.DELETE_TOPICS, values)
        self._done(f"topic {name}", body.responses[0])

    async def create_partitions(self, name: str, count: int) -> None:
        """Give a topic ``count`` partitions in all. Raises Refused, MayHaveHappened."""
        topic = {"name": name, "count": count, "assignments": None}
        values = {"topics": [topic], "validate_only": False, **self._timeout()}
        body = await self._change(ApiKey.CREATE_PARTITIONS, values)
        self._done(f"topic {name}", body.results[0])

    async def delete_records(self, before: Mapping[TopicPartition, int]) -> None:
        """Let logs begin at these offsets. Raises Refused or MayHaveHappened for the first failure."""
        for partition, offset in before.items():
            await self._cluster.topic(partition.topic, within_s=self._max_block_s)
            leadership = self._cluster.metadata.leadership(partition)
            if leadership is None:
                raise DidNotHappen(f"{partition} is not known")
            parts = [{"partition_index": partition.partition, "offset": offset}]
            values = {
                "topics": [{"name": partition.topic, "partitions": parts}],
                **self._timeout(),
            }
            body = await self._change(ApiKey.DELETE_RECORDS, values, node=leadership.leader)
            self._done(str(partition), body.topics[0].partitions[0])

    async def describe(self) -> Described:
        """The cluster as one broker knows it now. Raises DidNotHappen."""
        self._cluster.watch_all()
        await self._cluster.refresh(within_s=self._max_block_s)
        known = self._cluster.metadata
        topics = {name: topic.partitions for name, topic in known.topics.items()}
        return Described(known.brokers, known.controller, topics)

    # --- groups -------------------------------------------------------------------------------

    async def describe_group(self, id: str) -> GroupDescribed:
        """A group's state and members. Raises DidNotHappen, Refused."""
        body = await self._coordinator(id).ask(
            ApiKey.DESCRIBE_GROUPS,
            {"groups": (id,), "include_authorized_operations": False},
            changes=False,
        )
        found = body.groups[0]
        if found.error_code is not Code.none:
            raise Refused(f"group {id}: {found.error_code.name}", found.error_code)
        members = tuple(
            GroupMember(
                each.member_id,
                getattr(each, "group_instance_id", None),
                each.client_id,
                each.member_assignment,
            )
            for each in found.members
        )
        return GroupDescribed(found.group_state, found.protocol_data, members)

    async def committed(
        self, group: str, *partitions: TopicPartition
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """What a group has committed; partitions without a commit are left out. Raises DidNotHappen."""
        return await self._coordinator(group).fetch(partitions, within_s=self._max_block_s)

    async def delete_group(self, id: str) -> None:
        """Delete a group that has no members. Raises Refused, MayHaveHappened."""
        values = {"groups_names": (id,)}
        body = await self._coordinator(id).ask(ApiKey.DELETE_GROUPS, values, changes=True)
        self._done(f"group {id}", body.results[0])

    # --- parts --------------------------------------------------------------------------------

    def _coordinator(self, id: str) -> Coordinator:
        return Coordinator(
            self._cluster,
            id,
            random=self._random,
            backoff_s=self._backoff_s,
            request_timeout_s=self._request_timeout_s,
        )

    def _timeout(self) -> dict[str, Any]:
        milliseconds = round(self._request_timeout_s * 1000)
        return {"timeout": milliseconds}

    async def _change(self, key: int, values: Mapping[str, Any], *, node: int | None = None) -> Any:
        """Ask the controller, unless ``node`` is the one to ask."""
        if node is None:
            await self._cluster.refresh(within_s=self._max_block_s)
            controller = self._cluster.metadata.controller
            node = controller if controller in self._cluster.metadata.brokers else None
        return await self._cluster.ask(node, key, values, changes=True)

    def _done(self, what: str, answer: Any) -> None:
        code = answer.error_code
        if code is Code.none:
            return
        message = getattr(answer, "error_message", None)
        reason = f"{what}: {code.name}" + (f" ({message})" if message else "")
        raise (MayHaveHappened if code in _UNCERTAIN else Refused)(reason, code)
