"""What clients ask of partitions: offsets by time, ends of epochs; and producer ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from impl.queue.log import times
from impl.queue.log.times import TimedOffset
from impl.queue.metadata.image import PartitionKey
from impl.queue.protocol.codec import Request
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.replication.partition import Partition
from impl.queue.serving.broker import Broker
from impl.queue.serving.connection import Context


def list_offsets(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """For a time the first record that is not older; the ends of the log; the newest time."""

    unsettled = Code.offset_not_available if request.version >= 5 else Code.leader_not_available

    def one(key: PartitionKey, asked: Any) -> dict[str, Any]:
        partition = broker.replicas.get(key)
        partition.check_leader(getattr(asked, "current_leader_epoch", -1))
        if not partition.settled:
            raise ApiError(unsettled)
        found = _at(partition, asked.timestamp)
        if found is None:
            return {"error_code": Code.none}
        return {
            "error_code": Code.none,
            "timestamp": found.timestamp_ms,
            "offset": found.offset,
            "leader_epoch": found.leader_epoch,
        }

    return {"topics": [_each(topic.name, topic.partitions, one) for topic in request.body.topics]}


def _at(partition: Partition, time_ms: int) -> TimedOffset | None:
    log, high = partition.log, partition.high_watermark
    match time_ms:
        case -1:
            return TimedOffset(-1, high, partition.leader_epoch)
        case -2:
            return TimedOffset(-1, log.start_offset, log.epochs.at(log.start_offset))
        case -3:
            return times.latest(log, high)
    if time_ms < 0:
        raise ApiError(Code.unsupported_for_message_format)
    return times.first_after(log, time_ms, high)


def _each(
    name: str, asked: Iterable[Any], one: Callable[[PartitionKey, Any], dict[str, Any]]
) -> dict[str, Any]:
    parts = []
    for each in asked:
        try:
            answer = one(PartitionKey(name, each.partition_index), each)
        except ApiError as error:
            answer = {"error_code": error.code}
        parts.append({"partition_index": each.partition_index, **answer})
    return {"name": name, "partitions": parts}


def offset_for_leader_epoch(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """Where an epoch ends in this leader's log: what a reader's own log is compared with."""
    return {
        "topics": [
            {
                "topic": topic.topic,
                "partitions": [_epoch_end(broker, topic.topic, each) for each in topic.partitions],
            }
            for topic in request.body.topics
        ]
    }


def _epoch_end(broker: Broker, topic: str, asked: Any) -> dict[str, Any]:
    try:
        partition = broker.replicas.get(PartitionKey(topic, asked.partition))
        partition.check_leader(asked.current_leader_epoch)
    except ApiError as error:
        return {"error_code": error.code, "partition": asked.partition}
    epoch, end = asked.leader_epoch, partition.log.end_offset
    if epoch != partition.leader_epoch:
        epoch, end = partition.log.epochs.end_of(epoch, end)
    return {
        "error_code": Code.none,
        "partition": asked.partition,
        "leader_epoch": epoch,
        "end_offset": end,
    }


async def init_producer_id(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """A new id; a producer that has one and must begin anew gets another one (KIP-360)."""
    if request.body.transactional_id is not None:
        return {"error_code": Code.invalid_request, "producer_epoch": -1}
    try:
        id = await broker.producer_ids.next()
    except ApiError as error:
        return {"error_code": error.code, "producer_epoch": -1}
    return {"error_code": Code.none, "producer_id": id, "producer_epoch": 0}
