"""From a request to its handler, and from what that says to a frame."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias

from impl.queue.protocol.codec import Codec, Request
from impl.queue.protocol.errors import Malformed
from impl.queue.protocol.keys import REPLICA_FETCH, ApiKey, OwnKey
from impl.queue.serving import administration, cluster, groups, offsets, placement
from impl.queue.serving.broker import Broker
from impl.queue.serving.connection import Context, Frame, ToCome
from impl.queue.serving.control import control
from impl.queue.serving.fetch import fetch
from impl.queue.serving.produce import produce

Values: TypeAlias = dict[str, Any]

_OWN = frozenset(OwnKey)
AT_ONCE: Mapping[int, Callable[[Broker, Request, Context], Values]] = MappingProxyType(
    {
        ApiKey.API_VERSIONS: cluster.api_versions,
        ApiKey.DESCRIBE_CLUSTER: cluster.describe_cluster,
        ApiKey.LIST_OFFSETS: offsets.list_offsets,
        ApiKey.OFFSET_FOR_LEADER_EPOCH: offsets.offset_for_leader_epoch,
        ApiKey.HEARTBEAT: groups.heartbeat,
        ApiKey.OFFSET_FETCH: groups.offset_fetch,
        ApiKey.LIST_GROUPS: groups.list_groups,
        ApiKey.DESCRIBE_GROUPS: groups.describe_groups,
        ApiKey.DESCRIBE_CONFIGS: administration.describe_configs,
        ApiKey.LIST_PARTITION_REASSIGNMENTS: placement.list_partition_reassignments,
        ApiKey.DESCRIBE_LOG_DIRS: placement.describe_log_dirs,
        ApiKey.ALTER_REPLICA_LOG_DIRS: placement.alter_replica_log_dirs,
    }
)
LATER: Mapping[int, Callable[[Broker, Request, Context], Awaitable[Values]]] = MappingProxyType(
    {
        ApiKey.METADATA: cluster.metadata,
        ApiKey.FIND_COORDINATOR: cluster.find_coordinator,
        ApiKey.INIT_PRODUCER_ID: offsets.init_producer_id,
        ApiKey.JOIN_GROUP: groups.join_group,
        ApiKey.SYNC_GROUP: groups.sync_group,
        ApiKey.LEAVE_GROUP: groups.leave_group,
        ApiKey.OFFSET_COMMIT: groups.offset_commit,
        ApiKey.DELETE_GROUPS: groups.delete_groups,
        ApiKey.CREATE_TOPICS: administration.create_topics,
        ApiKey.DELETE_TOPICS: administration.delete_topics,
        ApiKey.CREATE_PARTITIONS: administration.create_partitions,
        ApiKey.DELETE_RECORDS: administration.delete_records,
        ApiKey.INCREMENTAL_ALTER_CONFIGS: administration.incremental_alter_configs,
        ApiKey.ELECT_LEADERS: placement.elect_leaders,
        ApiKey.ALTER_PARTITION_REASSIGNMENTS: placement.alter_partition_reassignments,
    }
)


class Dispatcher:
    """Answers requests for ``broker``; what is known at once is answered at once."""

    def __init__(self, broker: Broker, codec: Codec) -> None:
        self._broker = broker
        self._codec = codec
        self._metadata = cluster.MetadataAnswers(codec)

    def __call__(self, request: Request, context: Context) -> Frame | ToCome:
        """The frame, None for no answer, or either to come. Raises Malformed."""
        if request.key in _OWN:
            return self._to_controller(request, context)
        if not self._broker.ready.is_set() and not _from_follower(request):
            return self._when_ready(request, context)
        return self._answer(request, context)

    def _answer(self, request: Request, context: Context) -> Frame | ToCome:
        if request.key == ApiKey.FETCH:
            return fetch(self._broker, request)
        if request.key == ApiKey.METADATA:
            known = self._metadata.get(self._broker, request, context)
            if known is not None:
                return (known,)
        if request.key in LATER:
            return self._later(request, partial(LATER[request.key], self._broker, request, context))
        if request.key == ApiKey.PRODUCE:
            answer = produce(self._broker, request.body, request.version)
        else:
            answer = AT_ONCE[request.key](self._broker, request, context)
        if answer is None:
            return None
        if isinstance(answer, dict):
            return (self._codec.response(request, answer),)
        return self._later(request, answer)

    async def _later(self, request: Request, work: Callable[[], Awaitable[Values]]) -> Frame:
        """``work`` is begun here: a connection that is lost before leaves nothing that is half begun."""
        return (self._codec.response(request, await work()),)

    async def _to_controller(self, request: Request, context: Context) -> Frame:
        """Only brokers may ask, and they have a listener for it."""
        if context.listener != self._broker.config.inter_broker:
            raise Malformed(f"API {request.key} is for brokers")
        return (self._codec.own_response(request, await control(self._broker, request)),)

    async def _when_ready(self, request: Request, context: Context) -> Frame:
        """Clients wait while a broker does not know yet what it leads."""
        await self._broker.ready.wait()
        answer = self._answer(request, context)
        return await answer if isinstance(answer, Coroutine) else answer


def _from_follower(request: Request) -> bool:
    return request.key == ApiKey.FETCH and request.version >= REPLICA_FETCH
