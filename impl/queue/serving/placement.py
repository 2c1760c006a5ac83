"""Where partitions lie: preferred leaders elected when asked, replicas moved, log directories.

A broker has one log directory: what is asked of that is answered as by a Kafka for which it is so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from impl.queue.metadata.assignment import check_replicas
from impl.queue.metadata.image import PartitionKey, PartitionState, Topic
from impl.queue.protocol.codec import Request
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.replication.partition import Partition
from impl.queue.serving.broker import Broker
from impl.queue.serving.connection import Context

_PREFERRED = 0
_UNKNOWN_BYTES = -1


# --- leaders ------------------------------------------------------------------------------------------


async def elect_leaders(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """Have partitions led by their first replicas; all that aren't, if none are named."""
    asked = request.body.topic_partitions
    if request.version >= 1 and request.body.election_type != _PREFERRED:
        return {"error_code": Code.invalid_request, "replica_election_results": ()}
    if asked is None:
        wanted = {name: _astray(each.partitions) for name, each in broker.image.topics.items()}
    else:
        wanted = {each.topic: each.partitions for each in asked}
    results = [
        {"topic": name, "partition_result": await _elect(broker, name, numbers)}
        for name, numbers in wanted.items()
        if numbers or asked is not None
    ]
    return {"error_code": Code.none, "replica_election_results": results}


def _astray(states: Collection[PartitionState]) -> tuple[int, ...]:
    return tuple(number for number, each in enumerate(states) if each.leader != each.replicas[0])


async def _elect(broker: Broker, name: str, numbers: Collection[int]) -> list[dict[str, Any]]:
    before = {each: broker.image.partition(PartitionKey(name, each)) for each in numbers}
    astray = [n for n, state in before.items() if state and state.leader != state.replicas[0]]
    failed = Code.none
    if astray:
        try:
            await broker.state.prefer(name, astray)
        except ApiError as error:
            failed = error.code
    return [_elected(broker, PartitionKey(name, each), before[each], failed) for each in numbers]


def _elected(
    broker: Broker, key: PartitionKey, before: PartitionState | None, failed: Code
) -> dict[str, Any]:
    after = broker.image.partition(key)
    code = Code.none
    if before is None:
        code = Code.unknown_topic_or_partition
    elif before.leader == before.replicas[0]:
        code = Code.election_not_needed
    elif failed is not Code.none:
        code = failed
    elif after is None or after.leader != after.replicas[0]:
        code = Code.preferred_leader_not_available
    message = None if code is Code.none else code.name
    return {"partition_id": key.partition, "error_code": code, "error_message": message}


# --- replicas -----------------------------------------------------------------------------------------


async def alter_partition_reassignments(
    broker: Broker, request: Request, context: Context
) -> dict[str, Any]:
    """Have replicas moved, or a move called off; answered once that is under way."""
    return {
        "error_code": Code.none,
        "error_message": None,
        "responses": [
            {"name": topic.name, "partitions": await _move(broker, topic)}
            for topic in request.body.topics
        ],
    }


async def _move(broker: Broker, asked: Any) -> list[dict[str, Any]]:
    targets = {each.partition_index: each.replicas for each in asked.partitions}
    outcomes = {number: _refusal(broker, asked.name, number, to) for number, to in targets.items()}
    able = {number: to for number, to in targets.items() if outcomes[number] is None}
    try:
        if able:
            await broker.state.move(asked.name, able)
    except ApiError as error:
        outcomes |= dict.fromkeys(able, error)
    return [
        {
            "partition_index": number,
            "error_code": error.code if error is not None else Code.none,
            "error_message": error.message or error.code.name if error is not None else None,
        }
        for number, error in outcomes.items()
    ]


def _refusal(broker: Broker, name: str, number: int, target: Sequence[int] | None) -> ApiError | None:
    topic = broker.image.topics.get(name)
    if topic is None or not 0 <= number < len(topic.partitions):
        return ApiError(Code.unknown_topic_or_partition)
    if target is None:
        return None if number in topic.moves else ApiError(Code.no_reassignment_in_progress)
    try:
        check_replicas(target, broker.image.brokers)
    except ApiError as error:
        return error
    return None


def list_partition_reassignments(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """The moves that are under way, of all partitions or of those that are asked for."""
    asked = request.body.topics
    wanted = None if asked is None else {each.name: each.partition_indexes for each in asked}
    topics = [
        {"name": name, "partitions": list(_moving(topic, None if wanted is None else wanted[name]))}
        for name, topic in broker.image.topics.items()
        if wanted is None or name in wanted
    ]
    return {
        "error_code": Code.none,
        "error_message": None,
        "topics": [each for each in topics if each["partitions"]],
    }


def _moving(topic: Topic, wanted: Collection[int] | None) -> Iterator[dict[str, Any]]:
    for number, move in topic.moves.items():
        if wanted is None or number in wanted:
            yield {
                "partition_index": number,
                "replicas": topic.partitions[number].replicas,
                "adding_replicas": tuple(each for each in move.target if each not in move.origin),
                "removing_replicas": tuple(each for each in move.origin if each not in move.target),
            }


# --- log directories ----------------------------------------------------------------------------------


def describe_log_dirs(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """The one directory, and how many bytes the partitions in it have."""
    asked = request.body.topics
    wanted = None if asked is None else {each.topic: each.partitions for each in asked}
    found = sorted((each for each in broker.replicas.all() if _is_wanted(each.key, wanted)), key=_key)
    described = {
        "error_code": Code.none,
        "log_dir": broker.config.log_dir,
        "topics": [
            {"name": topic, "partitions": [_size(each) for each in some]}
            for topic, some in groupby(found, lambda each: each.key.topic)
        ],
        "total_bytes": _UNKNOWN_BYTES,
        "usable_bytes": _UNKNOWN_BYTES,
    }
    return {"error_code": Code.none, "results": [described]}


def _is_wanted(key: PartitionKey, wanted: Mapping[str, Collection[int]] | None) -> bool:
    return wanted is None or key.partition in wanted.get(key.topic, ())


def _key(partition: Partition) -> PartitionKey:
    return partition.key


def _size(partition: Partition) -> dict[str, Any]:
    """``offset_lag`` is what the high watermark is ahead of the replica's end."""
    lag = max(partition.high_watermark - partition.log.end_offset, 0)
    return {
        "partition_index": partition.key.partition,
        "partition_size": partition.log.size,
        "offset_lag": lag,
        "is_future_key": False,
    }


def alter_replica_log_dirs(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """A replica stays where it is, and can go nowhere else."""
    return {
        "results": [
            {
                "topic_name": topic.name,
                "partitions": [
                    {
                        "partition_index": number,
                        "error_code": _moved(broker, each.path, topic.name, number),
                    }
                    for number in topic.partitions
                ],
            }
            for each in request.body.dirs
            for topic in each.topics
        ]
    }


def _moved(broker: Broker, path: str, topic: str, number: int) -> Code:
    if path != broker.config.log_dir:
        return Code.log_dir_not_found
    here = {each.key for each in broker.replicas.all()}
    return Code.none if PartitionKey(topic, number) in here else Code.replica_not_available
