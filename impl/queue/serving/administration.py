"""Topics made, enlarged and deleted, their oldest records deleted, their settings shown and changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from impl.queue import topics
from impl.queue.config import Config, shown
from impl.queue.metadata import assignment
from impl.queue.metadata.image import PartitionKey, Topic
from impl.queue.metadata.state import Assignment
from impl.queue.protocol.codec import Request
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.serving.broker import Broker
from impl.queue.serving.connection import Context

_MOST_PARTITIONS = 10_000
_TOPIC, _BROKER = 2, 4
_OF_TOPIC, _OF_BROKER, _DEFAULT = 1, 4, 5
_TYPES = MappingProxyType({bool: topics.BOOLEAN, int: topics.LONG, str: topics.STRING})
_SET, _DELETE, _APPEND, _SUBTRACT = range(4)


async def _outcome(work: Awaitable[None]) -> dict[str, Any]:
    try:
        await work
    except ApiError as error:
        return {"error_code": error.code, "error_message": error.message or error.code.name}
    return {"error_code": Code.none, "error_message": None}


# --- topics -------------------------------------------------------------------------------------------


async def create_topics(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    counts = Counter(each.name for each in request.body.topics)
    results = []
    for each in request.body.topics:
        result = await _outcome(_create(broker, each, counts, request.body.validate_only))
        topic = broker.image.topics.get(each.name) if result["error_code"] is Code.none else None
        results.append({"name": each.name, "topic_id": None, **result, **_created(topic)})
    return {"topics": results}


def _created(topic: Topic | None) -> dict[str, Any]:
    if topic is None:
        return {}
    return {
        "topic_id": topic.id,
        "num_partitions": len(topic.partitions),
        "replication_factor": len(topic.partitions[0].replicas),
        "configs": [
            {"name": name, "value": value, "read_only": False, "config_source": _OF_TOPIC}
            | {"is_sensitive": False}
            for name, value in topic.settings.items()
        ],
    }


async def _create(broker: Broker, asked: Any, counts: Mapping[str, int], only_check: bool) -> None:
    topics.check_name(asked.name)
    if counts[asked.name] > 1:
        raise ApiError(Code.invalid_request, f"{asked.name!r} stands twice in the request")
    if asked.name in broker.image.topics:
        raise ApiError(Code.topic_already_exists, f"Topic '{asked.name}' already exists.")
    settings = {each.name: each.value for each in asked.configs}
    for name, value in settings.items():
        topics.check_setting(name, value)
    spread = _spread(broker, asked)
    if not only_check:
        await broker.state.create_topic(asked.name, spread, settings)
        await broker.replicas.settled()


def _spread(broker: Broker, asked: Any) -> Assignment:
    if asked.assignments:
        if asked.num_partitions != -1 or asked.replication_factor != -1:
            raise ApiError(Code.invalid_request, "give an assignment, or partitions and replicas")
        given = sorted(asked.assignments, key=lambda each: each.partition_index)
        if [each.partition_index for each in given] != list(range(len(given))):
            raise ApiError(Code.invalid_replica_assignment, "partitions must count up from 0")
        return _checked(broker, [tuple(each.broker_ids) for each in given])
    config = broker.config
    count = config.num_partitions if asked.num_partitions == -1 else asked.num_partitions
    factor = asked.replication_factor
    factor = config.default_replication_factor if factor == -1 else factor
    if not 1 <= count <= _MOST_PARTITIONS:
        raise ApiError(Code.invalid_partitions, f"{count} partitions; give 1 to {_MOST_PARTITIONS}")
    return assignment.spread(sorted(broker.image.brokers), count, factor, broker.host.random)


def _checked(broker: Broker, given: Sequence[tuple[int, ...]]) -> Assignment:
    for replicas in given:
        assignment.check_replicas(replicas, broker.image.brokers)
    return tuple(given)


async def delete_topics(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """By name, and since version 6 by id."""
    if request.version < 6:
        asked = [(name, None) for name in request.body.topic_names]
    else:
        asked = [(each.name, each.topic_id) for each in request.body.topics]
    results = []
    for name, id in asked:
        topic = broker.image.by_id(id) if name is None and id is not None else None
        if name is None and topic is None:
            missing = {"error_code": Code.unknown_topic_id, "error_message": None}
            results.append({"name": None, "topic_id": id, **missing})
            continue
        name = topic.name if topic is not None else name
        results.append({"name": name, "topic_id": id, **await _outcome(_delete(broker, name))})
    return {"responses": results}


async def _delete(broker: Broker, name: str) -> None:
    if not broker.config.delete_topics:
        raise ApiError(Code.topic_deletion_disabled)
    await broker.state.delete_topic(name)
    await broker.replicas.settled()
    await broker.coordinator.forget(name)


async def create_partitions(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    only_check = request.body.validate_only
    return {
        "results": [
            {"name": each.name, **await _outcome(_enlarge(broker, each, only_check))}
            for each in request.body.topics
        ]
    }


async def _enlarge(broker: Broker, asked: Any, only_check: bool) -> None:
    topic = broker.image.topics.get(asked.name)
    if topic is None:
        raise ApiError(Code.unknown_topic_or_partition)
    has, more = len(topic.partitions), asked.count - len(topic.partitions)
    if more <= 0 or asked.count > _MOST_PARTITIONS:
        raise ApiError(Code.invalid_partitions, f"Topic has {has} partitions; {asked.count} asked for")
    if asked.assignments is not None and len(asked.assignments) != more:
        raise ApiError(Code.invalid_replica_assignment, f"{more} partitions need as many assignments")
    if asked.assignments is not None:
        spread = _checked(broker, [tuple(each.broker_ids) for each in asked.assignments])
    else:
        factor, brokers = len(topic.partitions[0].replicas), sorted(broker.image.brokers)
        spread = assignment.spread(brokers, more, factor, broker.host.random, first=has)
    if not only_check:
        await broker.state.add_partitions(asked.name, spread)
        await broker.replicas.settled()


async def delete_records(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """Move the start of partitions forward; -1 is to the high watermark."""
    return {
        "topics": [
            {
                "name": topic.name,
                "partitions": [
                    await _delete_before(broker, PartitionKey(topic.name, each.partition_index), each)
                    for each in topic.partitions
                ],
            }
            for topic in request.body.topics
        ]
    }


async def _delete_before(broker: Broker, key: PartitionKey, asked: Any) -> dict[str, Any]:
    low, code = -1, Code.none
    try:
        partition = broker.replicas.get(key)
        partition.check_leader()
        if not partition.log.settings.delete:
            raise ApiError(Code.policy_violation)
        offset = partition.high_watermark if asked.offset == -1 else asked.offset
        if not 0 <= offset <= partition.high_watermark:
            raise ApiError(Code.offset_out_of_range)
        await broker.replicas.delete_before(partition, offset)
        low = partition.log.start_offset
    except ApiError as error:
        code = error.code
    except OSError:
        code = Code.kafka_storage_error
    return {"partition_index": key.partition, "low_watermark": low, "error_code": code}


# --- settings -----------------------------------------------------------------------------------------


def describe_configs(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """Of topics: what they have and what they inherit. Of this broker: what topics inherit from it."""
    return {"results": [_described(broker, each) for each in request.body.resources]}


def _described(broker: Broker, asked: Any) -> dict[str, Any]:
    head = {"resource_type": asked.resource_type, "resource_name": asked.resource_name}
    try:
        own = _own(broker, asked.resource_type, asked.resource_name)
    except ApiError as error:
        message = error.message or error.code.name
        return {**head, "error_code": error.code, "error_message": message, "configs": ()}
    wanted = asked.configuration_keys
    configs = [_setting(broker, name, own, asked.resource_type) for name in topics.SETTINGS]
    if asked.resource_type == _BROKER:
        configs += _settings_of_broker(broker.config)
    configs = [each for each in configs if not wanted or each["name"] in wanted]
    return {**head, "error_code": Code.none, "error_message": None, "configs": configs}


def _own(broker: Broker, kind: int, name: str) -> Mapping[str, str]:
    if kind == _TOPIC:
        topics.check_name(name)
        topic = broker.image.topics.get(name)
        if topic is None:
            raise ApiError(Code.unknown_topic_or_partition)
        return topic.settings
    if kind == _BROKER:
        if name not in ("", str(broker.config.broker_id)):
            message = f"Unexpected broker id, expected {broker.config.broker_id}, but received {name}"
            raise ApiError(Code.invalid_request, message)
        return {}
    raise ApiError(Code.invalid_request, f"Unsupported resource type: {kind}")


def _setting(broker: Broker, name: str, own: Mapping[str, str], kind: int) -> dict[str, Any]:
    source = _OF_TOPIC if name in own else _OF_BROKER if name in broker.config.defaults else _DEFAULT
    value = topics.effective(name, own, broker.config)
    return _told(name, value, source, topics.SETTINGS[name].type, read_only=kind == _BROKER)


def _settings_of_broker(config: Config) -> list[dict[str, Any]]:
    """None of them can be changed while it runs. Those of topics go by the topics' names here."""
    told = []
    for name, value in shown(config).items():
        source = _OF_BROKER if name in config.given else _DEFAULT
        text = str(value).lower() if isinstance(value, bool) else str(value)
        told.append(_told(name, text, source, _TYPES[type(value)], read_only=True))
    return told


def _told(name: str, value: str, source: int, type: int, *, read_only: bool) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "read_only": read_only,
        "is_default": source != _OF_TOPIC,
        "config_source": source,
        "is_sensitive": False,
        "synonyms": (),
        "config_type": type,
        "documentation": None,
    }


async def incremental_alter_configs(
    broker: Broker, request: Request, context: Context
) -> dict[str, Any]:
    only_check = request.body.validate_only
    return {
        "responses": [
            {
                "resource_type": each.resource_type,
                "resource_name": each.resource_name,
                **await _outcome(_alter(broker, each, only_check)),
            }
            for each in request.body.resources
        ]
    }


async def _alter(broker: Broker, asked: Any, only_check: bool) -> None:
    if asked.resource_type != _TOPIC:
        raise ApiError(Code.invalid_request, "only the settings of topics can be changed")
    own = _own(broker, asked.resource_type, asked.resource_name)
    if len({each.name for each in asked.configs}) < len(asked.configs):
        raise ApiError(Code.invalid_request, "a setting stands twice in the request")
    changes = {each.name: _changed(broker, own, each) for each in asked.configs}
    for name, value in changes.items():
        topics.check_setting(name, topics.effective(name, {}, broker.config) if value is None else value)
    if not only_check:
        await broker.state.change_settings(asked.resource_name, changes)
        await broker.replicas.settled()


def _changed(broker: Broker, own: Mapping[str, str], asked: Any) -> str | None:
    """The new value; None takes the topic's own away."""
    if asked.name not in topics.SETTINGS:
        raise ApiError(Code.invalid_config, f"Unknown topic config name: {asked.name}")
    if asked.config_operation == _SET:
        return str(asked.value)
    if asked.config_operation == _DELETE:
        return None
    if topics.SETTINGS[asked.name].type != topics.LIST:
        raise ApiError(Code.invalid_config, f"{asked.name} is not a list")
    has = topics.effective(asked.name, own, broker.config).split(",")
    given = (asked.value or "").split(",")
    if asked.config_operation == _APPEND:
        return ",".join([*has, *(each for each in given if each not in has)])
    if asked.config_operation == _SUBTRACT:
        return ",".join(each for each in has if each not in given)
    raise ApiError(Code.invalid_request, f"there is no operation {asked.config_operation}")
