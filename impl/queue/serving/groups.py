"""The group APIs: from requests to the coordinator and back."""

from __future__ import annotations

from typing import Any

from impl.queue.groups.coordinator import Join
from impl.queue.groups.group import Group
from impl.queue.groups.messages import Commit
from impl.queue.groups.rebalance import join_refused, sync_refused
from impl.queue.metadata.image import PartitionKey
from impl.queue.protocol.codec import Request
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.serving.broker import Broker
from impl.queue.serving.connection import Context

_REQUIRES_ID_SINCE = 4
_MANY_SINCE = 8


def _milliseconds(duration: Any) -> int:
    seconds: float = duration.total_seconds()
    return round(seconds * 1000)


async def join_group(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    body = request.body
    session_ms = _milliseconds(body.session_timeout)
    rebalance = getattr(body, "rebalance_timeout", None)
    asked = Join(
        group=body.group_id,
        member_id=body.member_id,
        instance_id=getattr(body, "group_instance_id", None),
        client_id=request.client_id,
        client_host=context.client_host,
        session_ms=session_ms,
        rebalance_ms=session_ms if rebalance is None else max(0, _milliseconds(rebalance)),
        protocol_type=body.protocol_type,
        protocols={each.name: each.metadata for each in body.protocols},
        requires_id=request.version >= _REQUIRES_ID_SINCE,
    )
    try:
        answer = dict(await broker.coordinator.join(asked))
    except ApiError as error:
        answer = join_refused(error.code, body.member_id)
    if request.version >= 7 and not answer["protocol_name"]:
        answer["protocol_name"] = None
    return answer


async def sync_group(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    body = request.body
    try:
        return dict(
            await broker.coordinator.sync(
                body.group_id,
                body.member_id,
                body.generation_id,
                getattr(body, "group_instance_id", None),
                (getattr(body, "protocol_type", None), getattr(body, "protocol_name", None)),
                {each.member_id: each.assignment for each in body.assignments},
            )
        )
    except ApiError as error:
        return sync_refused(error.code)


def heartbeat(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    body, code = request.body, Code.none
    try:
        instance_id = getattr(body, "group_instance_id", None)
        broker.coordinator.heartbeat(body.group_id, body.member_id, body.generation_id, instance_id)
    except ApiError as error:
        code = error.code
    return {"error_code": code}


async def leave_group(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """Before version 3 one member leaves, since then any number, each with an error of its own."""
    body = request.body
    if request.version < 3:
        return {"error_code": await _leave(broker, body.group_id, body.member_id, None)}
    members = [
        {
            "member_id": each.member_id,
            "group_instance_id": each.group_instance_id,
            "error_code": await _leave(broker, body.group_id, each.member_id, each.group_instance_id),
        }
        for each in body.members
    ]
    overall = (Code.not_coordinator, Code.invalid_group_id)
    codes = [each["error_code"] for each in members if each["error_code"] in overall]
    return {"error_code": codes[0] if codes else Code.none, "members": members}


async def _leave(broker: Broker, group_id: str, member_id: str, instance_id: str | None) -> Code:
    try:
        await broker.coordinator.leave(group_id, member_id, instance_id)
    except ApiError as error:
        return error.code
    return Code.none


# --- offsets ------------------------------------------------------------------------------------------


async def offset_commit(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """All that may be committed is, as one batch; what may not has an error of its own."""
    body = request.body
    codes: dict[PartitionKey, Code] = {}
    good: dict[PartitionKey, Commit] = {}
    for topic in body.topics:
        for each in topic.partitions:
            key = PartitionKey(topic.name, each.partition_index)
            codes[key] = _check(broker, key, each.committed_metadata or "")
            if codes[key] is Code.none:
                good[key] = Commit(
                    each.committed_offset,
                    getattr(each, "committed_leader_epoch", -1),
                    each.committed_metadata or "",
                    broker.replicas.now_ms(),
                )
    try:
        await broker.coordinator.commit(
            body.group_id,
            body.member_id,
            body.generation_id_or_member_epoch,
            getattr(body, "group_instance_id", None),
            good,
        )
    except ApiError as error:
        codes |= dict.fromkeys(good, error.code)
    return {
        "topics": [
            {
                "name": topic.name,
                "partitions": [
                    {
                        "partition_index": each.partition_index,
                        "error_code": codes[PartitionKey(topic.name, each.partition_index)],
                    }
                    for each in topic.partitions
                ],
            }
            for topic in body.topics
        ]
    }


def _check(broker: Broker, key: PartitionKey, metadata: str) -> Code:
    if broker.image.partition(key) is None:
        return Code.unknown_topic_or_partition
    if len(metadata.encode()) > broker.config.offsets_metadata_max_bytes:
        return Code.offset_metadata_too_large
    return Code.none


def offset_fetch(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    """What is committed, for the partitions asked for, or for all; -1 where there is nothing."""
    body = request.body
    if request.version < _MANY_SINCE:
        return _fetched(broker, body.group_id, body.topics)
    groups = [
        {"group_id": each.group_id, **_fetched(broker, each.group_id, each.topics)}
        for each in body.groups
    ]
    return {"groups": groups}


def _fetched(broker: Broker, group_id: str, asked: Any) -> dict[str, Any]:
    code = Code.none
    try:
        offsets = broker.coordinator.offsets(group_id)
    except ApiError as error:
        offsets, code = {}, error.code
    wanted: dict[str, list[int]] = {}
    if asked is None:
        for key in offsets:
            wanted.setdefault(key.topic, []).append(key.partition)
    else:
        wanted = {topic.name: list(topic.partition_indexes) for topic in asked}
    topics = [
        {
            "name": name,
            "partitions": [_committed(offsets.get(PartitionKey(name, n)), n, code) for n in numbers],
        }
        for name, numbers in wanted.items()
    ]
    return {"topics": topics, "error_code": code}


def _committed(commit: Commit | None, number: int, code: Code) -> dict[str, Any]:
    return {
        "partition_index": number,
        "committed_offset": commit.offset if commit else -1,
        "committed_leader_epoch": commit.leader_epoch if commit else -1,
        "metadata": commit.metadata if commit else "",
        "error_code": code,
    }


# --- looking and deleting -----------------------------------------------------------------------------


def list_groups(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    wanted = [each.lower() for each in getattr(request.body, "states_filter", ())]
    groups = [
        {
            "group_id": group.id,
            "protocol_type": group.protocol_type,
            "group_state": group.state.value,
        }
        for group in broker.coordinator.listed()
        if not wanted or group.state.value.lower() in wanted
    ]
    return {"error_code": Code.none, "groups": groups}


def describe_groups(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    return {"groups": [_described(broker, id) for id in request.body.groups]}


def _described(broker: Broker, id: str) -> dict[str, Any]:
    try:
        group, code = broker.coordinator.described(id), Code.none
    except ApiError as error:
        group, code = Group(id), error.code
    return {
        "error_code": code,
        "group_id": id,
        "group_state": group.state.value if code is Code.none else "",
        "protocol_type": group.protocol_type,
        "protocol_data": group.protocol or "",
        "members": [
            {
                "member_id": each.id,
                "group_instance_id": each.instance_id,
                "client_id": each.client_id,
                "client_host": each.client_host,
                "member_metadata": each.protocols.get(group.protocol or "", b""),
                "member_assignment": each.assignment,
            }
            for each in group.members.values()
        ],
    }


async def delete_groups(broker: Broker, request: Request, context: Context) -> dict[str, Any]:
    return {
        "results": [
            {"group_id": id, "error_code": await _delete(broker, id)} for id in request.body.groups_names
        ]
    }


async def _delete(broker: Broker, id: str) -> Code:
    try:
        await broker.coordinator.delete(id)
    except ApiError as error:
        return error.code
    return Code.none
