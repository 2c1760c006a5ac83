"""What clients ask first: which APIs there are, which brokers, which partitions, who coordinates."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from impl.queue import topics
from impl.queue.metadata.image import NO_LEADER, Image, PartitionKey, PartitionState, Topic
from impl.queue.protocol.codec import Codec, Request
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.protocol.keys import ADVERTISED
from impl.queue.serving.broker import Broker
from impl.queue.serving.connection import Context

_GROUP = 0
_MOST_ANSWERS = 100


def api_versions(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """Also the answer to a version that isn't known: in version 0, with error 35."""
    return {
        "error_code": Code.none if request.supported else Code.unsupported_version,
        "api_keys": [
            {"api_key": key, "min_version": low, "max_version": high}
            for key, (low, high) in sorted(ADVERTISED.items())
        ],
    }


def _brokers(broker: Broker, context: Context, id_name: str) -> list[dict[str, Any]]:
    """Those that can be reached by the listener that the client came in by."""
    return [
        {
            id_name: each.id,
            "host": each.listeners[context.listener][0],
            "port": each.listeners[context.listener][1],
            "rack": each.rack,
        }
        for each in broker.image.brokers.values()
        if context.listener in each.listeners
    ]


class MetadataAnswers:
    """Answers to Metadata that say only what the image says, kept as long as that is the same.

    Clients in trouble ask often, and most of them the same.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._image: Image | None = None
        self._answers: dict[tuple[int, str, tuple[str, ...] | None], bytes] = {}

    def get(self, broker: Broker, request: Request, context: Context) -> bytes | None:
        """The frame; None if a topic is asked for that there isn't, or by its id."""
        names = _names(request)
        if names is not None and not all(name in broker.image.topics for name in names):
            return None
        if self._image is not broker.image or len(self._answers) > _MOST_ANSWERS:
            self._image = broker.image
            self._answers.clear()
        key = request.version, context.listener, names
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self._codec.response(request, _known(broker, context, names))
        return self._codec.addressed(found, request.correlation_id)


def _names(request: Request) -> tuple[str, ...] | None:
    """The topics that are asked for, None for all."""
    asked = request.body.topics
    if asked is None or (request.version == 0 and not asked):
        return None
    return tuple(each.name or "" for each in asked)


def _known(broker: Broker, context: Context, names: tuple[str, ...] | None) -> dict[str, Any]:
    image = broker.image
    asked = image.topics if names is None else names
    parts = [_topic(image.topics[name], image) for name in asked]
    return {**_cluster(broker, context), "topics": parts}


async def metadata(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """Topics as asked for by name or id; missing ones may be created."""
    create = getattr(request.body, "allow_auto_topic_creation", True)
    parts = [await _asked(broker, each, create) for each in request.body.topics]
    return {**_cluster(broker, context), "topics": parts}


def _cluster(broker: Broker, context: Context) -> dict[str, Any]:
    return {
        "brokers": _brokers(broker, context, "node_id"),
        "cluster_id": broker.image.cluster_id,
        "controller_id": broker.image.controller,
    }


async def _asked(broker: Broker, asked: Any, create: bool) -> dict[str, Any]:
    name = asked.name
    if name is None:
        topic = broker.image.by_id(asked.topic_id) if asked.topic_id else None
        if topic is None:
            return _error(Code.unknown_topic_id, None, asked.topic_id)
        return _topic(topic, broker.image)
    try:
        topics.check_name(name)
        if name not in broker.image.topics and create and broker.config.auto_create_topics:
            await _create(broker, name)
    except ApiError as error:
        return _error(error.code, name)
    topic = broker.image.topics.get(name)
    return _topic(topic, broker.image) if topic else _error(Code.unknown_topic_or_partition, name)


async def _create(broker: Broker, name: str) -> None:
    if name == topics.OFFSETS:
        await broker.have_offsets_topic()
    else:
        config = broker.config
        await broker.create(name, config.num_partitions, config.default_replication_factor)


def _error(code: Code, name: str | None, id: Any = None) -> dict[str, Any]:
    return {"error_code": code, "name": name, "topic_id": id, "partitions": ()}


def _topic(topic: Topic, image: Image) -> dict[str, Any]:
    return {
        "error_code": Code.none,
        "name": topic.name,
        "topic_id": topic.id,
        "is_internal": topic.name in topics.INTERNAL,
        "partitions": [partition_values(*each, image.brokers) for each in enumerate(topic.partitions)],
    }


def partition_values(number: int, state: PartitionState, live: Container[int]) -> dict[str, Any]:
    """A leader that is gone and not replaced yet is none: clients could not reach it (as in Kafka)."""
    leader = state.leader if state.leader in live else NO_LEADER
    return {
        "error_code": Code.leader_not_available if leader == NO_LEADER else Code.none,
        "partition_index": number,
        "leader_id": leader,
        "leader_epoch": state.leader_epoch,
        "replica_nodes": state.replicas,
        "isr_nodes": state.isr,
        "offline_replicas": tuple(each for each in state.replicas if each not in live),
    }


def describe_cluster(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    return {
        "error_code": Code.none,
        "cluster_id": broker.image.cluster_id,
        "controller_id": broker.image.controller,
        "brokers": _brokers(broker, context, "broker_id"),
    }


async def find_coordinator(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """The leader of the group's partition of the offsets topic; transactions have none."""
    body = request.body
    many = request.version >= 4
    keys = body.coordinator_keys if many else (body.key,)
    found = [await _coordinator(broker, context, key, getattr(body, "key_type", 0)) for key in keys]
    return {"coordinators": found} if many else dict(found[0])


async def _coordinator(broker: Broker, context: Context, key: str, key_type: int) -> Mapping[str, Any]:
    nobody = {"key": key, "node_id": -1, "host": "", "port": -1, "error_message": None}
    if key_type != _GROUP:
        message = "transactions are not served"
        return {**nobody, "error_code": Code.invalid_request, "error_message": message}
    try:
        await broker.have_offsets_topic()
        number = broker.coordinator.partition_of(key)
    except ApiError:
        return {**nobody, "error_code": Code.coordinator_not_available}
    state = broker.image.partition(PartitionKey(topics.OFFSETS, number))
    leader = broker.image.brokers.get(state.leader) if state is not None else None
    if leader is None or context.listener not in leader.listeners:
        return {**nobody, "error_code": Code.coordinator_not_available}
    host, port = leader.listeners[context.listener]
    return {**nobody, "error_code": Code.none, "node_id": leader.id, "host": host, "port": port}
