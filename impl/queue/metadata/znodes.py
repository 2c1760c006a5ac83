"""Where the cluster's state stands in the tree, and in what form.

``/brokers/<id>`` is ephemeral and has a live broker's addresses; its czxid is the broker's epoch.
``/controller/leader`` is ephemeral and has who controls, ``/controller_epoch`` how many did so far.
``/topics/<name>`` has a topic's id, settings, the replicas of its partitions and where those are being
moved, ``/topics/<name>/<n>`` the state of one. ``/producer_ids`` has the first id that nobody reserved,
``/cluster_id`` the cluster's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson

from impl.queue.metadata.image import Broker, Move, PartitionKey, PartitionState

BROKERS, TOPICS, CONTROLLER = "/brokers", "/topics", "/controller"
CONTROLLER_EPOCH, PRODUCER_IDS, CLUSTER_ID = "/controller_epoch", "/producer_ids", "/cluster_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicNode:
    """What the znode of a topic says; ``version`` is its own."""

    name: str
    id: UUID
    assignment: tuple[tuple[int, ...], ...]
    settings: Mapping[str, str]
    deleting: bool = False
    moves: Mapping[int, Move] = field(default_factory=lambda: MappingProxyType({}))
    version: int = 0


def broker_path(id: int) -> str:
    return f"{BROKERS}/{id}"


def topic_path(name: str) -> str:
    return f"{TOPICS}/{name}"


def state_path(key: PartitionKey) -> str:
    return f"{TOPICS}/{key.topic}/{key.partition}"


def encode_broker(broker: Broker) -> bytes:
    listeners = {name: list(address) for name, address in broker.listeners.items()}
    return orjson.dumps({"listeners": listeners, "rack": broker.rack})


def decode_broker(id: int, data: bytes, epoch: int) -> Broker:
    """Raises ValueError for what is no such data; so do the others."""
    raw = _read(data)
    listeners = {name: (str(host), int(port)) for name, (host, port) in raw["listeners"].items()}
    return Broker(id, MappingProxyType(listeners), raw["rack"], epoch)


def encode_topic(topic: TopicNode) -> bytes:
    return orjson.dumps(
        {
            "id": topic.id.hex,
            "partitions": [list(replicas) for replicas in topic.assignment],
            "settings": dict(topic.settings),
            "deleting": topic.deleting,
            "moves": encode_moves(topic.moves),
        }
    )


def decode_topic(name: str, data: bytes, version: int) -> TopicNode:
    raw = _read(data)
    return TopicNode(
        name=name,
        id=UUID(raw["id"]),
        assignment=tuple(tuple(replicas) for replicas in raw["partitions"]),
        settings=MappingProxyType(dict(raw["settings"])),
        deleting=raw["deleting"],
        moves=decode_moves(raw.get("moves", ())),
        version=version,
    )


def encode_moves(moves: Mapping[int, Move]) -> list[Any]:
    return [[number, list(move.target), list(move.origin)] for number, move in sorted(moves.items())]


def decode_moves(raw: Sequence[Any]) -> Mapping[int, Move]:
    return MappingProxyType(
        {int(n): Move(target=tuple(target), origin=tuple(origin)) for n, target, origin in raw}
    )


def encode_state(state: PartitionState) -> bytes:
    """The replicas stand in the topic's znode."""
    return orjson.dumps(
        {
            "leader": state.leader,
            "leader_epoch": state.leader_epoch,
            "isr": list(state.isr),
            "isr_epochs": list(state.isr_epochs),
        }
    )


def decode_state(replicas: Sequence[int], data: bytes, version: int) -> PartitionState:
    raw = _read(data)
    return PartitionState(
        leader=raw["leader"],
        leader_epoch=raw["leader_epoch"],
        replicas=tuple(replicas),
        isr=tuple(raw["isr"]),
        isr_epochs=tuple(raw["isr_epochs"]),
        version=version,
    )


def _read(data: bytes) -> Mapping[str, Any]:
    raw = orjson.loads(data)
    if not isinstance(raw, dict):
        raise ValueError(f"a znode has {data[:40]!r} in place of an object")
    return raw
