"""Where partitions lie: preferred leaders elected when asked, log directories, moves of replicas.

A broker has one log directory, and replicas never move: what is asked of that is answered as by a Kafka
for which it is so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import groupby
from typing import Any

from impl.queue.metadata.image import PartitionKey, PartitionState
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


def alter_partition_reassignments(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """Replicas stay where they are: only that can be asked for."""
    return {
        "error_code": Code.none,
        "error_message": None,
        "responses": [
            {
                "name": topic.name,
                "partitions": [
                    {"partition_index": each.partition_index}
                    | _reassigned(broker, PartitionKey(topic.name, each.partition_index), each.replicas)
                    for each in topic.partitions
                ],
            }
            for topic in request.body.topics
        ],
    }


def _reassigned(broker: Broker, key: PartitionKey, replicas: Collection[int] | None) -> dict[str, Any]:
    state = broker.image.partition(key)
    if state is None:
        code, message = Code.unknown_topic_or_partition, None
    elif replicas is None:
        code, message = Code.no_reassignment_in_progress, None
    elif tuple(replicas) == state.replicas:
        code, message = Code.none, None
    else:
        code, message = Code.invalid_replica_assignment, "replicas cannot be moved"
    return {"error_code": code, "error_message": message}


def list_partition_reassignments(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """None is ever under way."""
    return {"error_code": Code.none, "error_message": None, "topics": ()}


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
