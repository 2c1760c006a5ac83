"""Images as the controller gives them to brokers: all of it, or what has changed, as plain values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from uuid import UUID

from impl.queue.metadata.image import Broker, Image, PartitionKey, PartitionState, Topic
from impl.queue.metadata.znodes import decode_moves, encode_moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What differs from one version to the next: brokers, whole topics, single partitions."""

    brokers: bool = False
    topics: Collection[str] = ()
    partitions: Collection[PartitionKey] = field(default_factory=tuple)


def whole(image: Image) -> dict[str, Any]:
    """Everything."""
    return {**_head(image), "whole": True, "topics": [_topic(each) for each in image.topics.values()]}


def since(image: Image, changes: Collection[Change]) -> dict[str, Any]:
    """What ``changes`` touched, as it is in ``image``."""
    names = dict.fromkeys(name for change in changes for name in change.topics)
    keys = dict.fromkeys(key for change in changes for key in change.partitions)
    states = {key: image.partition(key) for key in keys if key.topic not in names}
    return {
        **_head(image),
        "whole": False,
        "topics": [_topic(image.topics[name]) for name in names if name in image.topics],
        "gone": [name for name in names if name not in image.topics],
        "states": [[*key, *_state(state)] for key, state in states.items() if state is not None],
    }


def applied(image: Image, raw: Mapping[str, Any]) -> Image:
    """The image that ``raw`` makes of ``image``. Raises KeyError, TypeError, ValueError for nonsense."""
    kept: Mapping[str, Topic] = {} if raw["whole"] else image.topics
    topics = {name: topic for name, topic in kept.items() if name not in raw.get("gone", ())}
    for each in raw["topics"]:
        topics[each["name"]] = _read_topic(each)
    brokers = {each["id"]: _read_broker(each) for each in raw["brokers"]}
    made = replace(
        image,
        cluster_id=raw["cluster_id"],
        controller=raw["controller"],
        controller_epoch=raw["epoch"],
        version=raw["version"],
        brokers=MappingProxyType(brokers),
        topics=MappingProxyType(topics),
    )
    states = {PartitionKey(each[0], each[1]): _read_state(each[2:]) for each in raw.get("states", ())}
    return made.with_states(states) if states else made


def _head(image: Image) -> dict[str, Any]:
    return {
        "cluster_id": image.cluster_id,
        "controller": image.controller,
        "epoch": image.controller_epoch,
        "version": image.version,
        "brokers": [
            {
                "id": each.id,
                "listeners": {name: list(address) for name, address in each.listeners.items()},
                "rack": each.rack,
                "epoch": each.epoch,
            }
            for each in image.brokers.values()
        ],
    }


def _topic(topic: Topic) -> dict[str, Any]:
    return {
        "name": topic.name,
        "id": topic.id.hex,
        "settings": dict(topic.settings),
        "partitions": [_state(each) for each in topic.partitions],
        "moves": encode_moves(topic.moves),
    }


def _state(state: PartitionState) -> list[Any]:
    return [
        state.leader,
        state.leader_epoch,
        list(state.replicas),
        list(state.isr),
        list(state.isr_epochs),
        state.version,
    ]


def _read_broker(raw: Mapping[str, Any]) -> Broker:
    listeners = {name: (host, port) for name, (host, port) in raw["listeners"].items()}
    return Broker(raw["id"], MappingProxyType(listeners), raw["rack"], raw["epoch"])


def _read_topic(raw: Mapping[str, Any]) -> Topic:
    return Topic(
        name=raw["name"],
        id=UUID(raw["id"]),
        partitions=tuple(_read_state(each) for each in raw["partitions"]),
        settings=MappingProxyType(raw["settings"]),
        moves=decode_moves(raw.get("moves", ())),
    )


def _read_state(raw: Any) -> PartitionState:
    leader, leader_epoch, replicas, isr, isr_epochs, version = raw
    return PartitionState(
        leader=leader,
        leader_epoch=leader_epoch,
        replicas=tuple(replicas),
        isr=tuple(isr),
        isr_epochs=tuple(isr_epochs),
        version=version,
    )
