"""Produce: append what came, and answer when it is as safe as the producer asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from impl.queue import topics
from impl.queue.metadata.image import PartitionKey
from impl.queue.protocol.errors import ApiError, Code, Malformed
from impl.queue.replication.partition import Appended, Partition
from impl.queue.serving.broker import Broker

_ACKS = (-1, 0, 1)


class _Outcome(NamedTuple):
    """Of one partition: where it was appended, or the error."""

    key: PartitionKey
    partition: Partition | None
    appended: Appended | None
    epoch: int
    error: ApiError | None


def produce(
    broker: Broker, body: Any, version: int
) -> dict[str, Any] | Callable[[], Awaitable[dict[str, Any]]] | None:
    """Append every batch now; the answer, or what waits for it, or None if none is wanted.

    Raises Malformed if none is wanted and a batch is refused: Kafka closes the connection then.
    """
    outcomes = [_append(broker, key, data, body.acks, version) for key, data in _batches(body)]
    if body.acks == 0 and not any(each.error for each in outcomes):
        return None
    if body.acks == 0:
        raise Malformed("a batch is refused, and acks=0 leaves no other way to say so")
    if all(_is_safe(each, body.acks) for each in outcomes):
        return _answer(outcomes)
    return partial(_when_safe, outcomes, body.acks, max(body.timeout.total_seconds(), 0.0))


def _batches(body: Any) -> Iterator[tuple[PartitionKey, bytes]]:
    for topic in body.topic_data:
        for each in topic.partition_data:
            yield PartitionKey(topic.name, each.index), each.records or b""


def _append(broker: Broker, key: PartitionKey, data: bytes, acks: int, version: int) -> _Outcome:
    try:
        if acks not in _ACKS:
            raise ApiError(Code.invalid_required_acks)
        if key.topic in topics.INTERNAL:
            raise ApiError(Code.invalid_topic_exception)
        partition = broker.replicas.get(key)
        appended = partition.append(data, acks=acks, version=version)
        return _Outcome(key, partition, appended, partition.leader_epoch, None)
    except ApiError as error:
        return _Outcome(key, None, None, -1, error)


def _is_safe(outcome: _Outcome, acks: int) -> bool:
    partition, appended = outcome.partition, outcome.appended
    if partition is None or appended is None:
        return True
    if acks == -1:
        return partition.is_committed(appended.end_offset)
    return partition.log.safe_offset >= appended.end_offset and not partition.flush_due


async def _when_safe(outcomes: list[_Outcome], acks: int, timeout_s: float) -> dict[str, Any]:
    waits = [_settle(each, acks, timeout_s) for each in outcomes]
    return _answer(list(await asyncio.gather(*waits)) if len(waits) > 1 else [await waits[0]])


async def _settle(outcome: _Outcome, acks: int, timeout_s: float) -> _Outcome:
    partition, appended = outcome.partition, outcome.appended
    if partition is None or appended is None:
        return outcome
    try:
        if acks == 1:
            await partition.stored()
        else:
            async with asyncio.timeout(timeout_s):
                await partition.committed(appended.end_offset, outcome.epoch)
    except ApiError as error:
        return outcome._replace(error=error)
    except TimeoutError:
        return outcome._replace(error=ApiError(Code.request_timed_out))
    return outcome


def _answer(outcomes: list[_Outcome]) -> dict[str, Any]:
    by_topic: dict[str, list[dict[str, Any]]] = {}
    for each in outcomes:
        by_topic.setdefault(each.key.topic, []).append(_partition(each))
    return {
        "responses": [{"name": name, "partition_responses": parts} for name, parts in by_topic.items()]
    }


def _partition(outcome: _Outcome) -> dict[str, Any]:
    if outcome.error is not None or outcome.appended is None or outcome.partition is None:
        error = outcome.error or ApiError(Code.unknown_server_error)
        return {
            "index": outcome.key.partition,
            "error_code": error.code,
            "base_offset": -1,
            "record_errors": (),
            "error_message": error.message,
        }
    return {
        "index": outcome.key.partition,
        "error_code": Code.none,
        "base_offset": outcome.appended.base_offset,
        "log_append_time": outcome.appended.append_ms,
        "log_start_offset": outcome.partition.log.start_offset,
        "record_errors": (),
    }
