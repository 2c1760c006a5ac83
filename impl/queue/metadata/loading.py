"""What a new controller begins with: its epoch, and everything that stands in the znodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from impl.coordination.client.client import Client
from impl.coordination.client.errors import ServerError
from impl.coordination.client.results import Data
from impl.coordination.protocol.errors import Code
from impl.coordination.recipes.insist import ensure
from impl.queue.metadata import znodes
from impl.queue.metadata.image import NO_STATE, Broker, Image, PartitionKey, PartitionState, Topic
from impl.queue.metadata.znodes import TopicNode

_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """``epoch_version`` is the version of the znode that has the controller epoch."""

    image: Image
    topics: Mapping[str, TopicNode]
    epoch_version: int


async def prepare(client: Client) -> None:
    """Make the znodes that everything stands below. Raises SessionLost or ServerError."""
    for path in (znodes.BROKERS, znodes.TOPICS, znodes.CONTROLLER):
        await ensure(client, path)
    await ensure(client, znodes.CONTROLLER_EPOCH, b"0")
    await ensure(client, znodes.PRODUCER_IDS, b"0")


async def load(client: Client, me: int) -> Loaded:
    """Begin a term: raise the epoch, then read. Raises what the client raises."""
    found = await client.get(znodes.CONTROLLER_EPOCH)
    epoch = int(found.data) + 1
    changed = await client.set(znodes.CONTROLLER_EPOCH, b"%d" % epoch, version=found.stat.version)
    nodes = await _topics(client)
    image = Image(
        cluster_id=(await client.get(znodes.CLUSTER_ID)).data.decode(),
        controller=me,
        controller_epoch=epoch,
        version=0,
        topics=MappingProxyType(
            {name: await _topic(client, node) for name, node in nodes.items() if not node.deleting}
        ),
    )
    return Loaded(image=image, topics=nodes, epoch_version=changed.stat.version)


async def brokers(client: Client, watch: Any = None) -> Mapping[int, Broker]:
    """The live brokers by id; ``watch`` is called when one comes or goes."""
    names = sorted((await client.children(znodes.BROKERS, watch=watch)).names)
    found = await client.get_many(*(f"{znodes.BROKERS}/{name}" for name in names)) if names else []
    live = {}
    for name, data in zip(names, found, strict=True):
        if isinstance(data, Data):
            live[int(name)] = znodes.decode_broker(int(name), data.data, data.stat.czxid)
        elif data != Code.NO_NODE:
            raise ServerError(f"reading broker {name}", data, 0)
    if watch is not None and len(live) < len(names):
        return await brokers(client, watch)
    return MappingProxyType(live)


async def _topics(client: Client) -> dict[str, TopicNode]:
    names = sorted((await client.children(znodes.TOPICS)).names)
    data = await _read(client, [znodes.topic_path(name) for name in names])
    return {
        name: znodes.decode_topic(name, each.data, each.stat.version)
        for name, each in zip(names, data, strict=True)
        if each is not None
    }


async def _topic(client: Client, node: TopicNode) -> Topic:
    keys = [PartitionKey(node.name, number) for number in range(len(node.assignment))]
    data = await _read(client, [znodes.state_path(key) for key in keys])
    states: list[PartitionState] = [
        NO_STATE if each is None else znodes.decode_state(replicas, each.data, each.stat.version)
        for replicas, each in zip(node.assignment, data, strict=True)
    ]
    settings = MappingProxyType(dict(node.settings))
    return Topic(
        name=node.name, id=node.id, partitions=tuple(states), settings=settings, moves=node.moves
    )


async def _read(client: Client, paths: list[str]) -> list[Data | None]:
    """The data at ``paths``; None where there is none."""
    found: list[Data | None] = []
    for at in range(0, len(paths), _AT_ONCE):
        for each in await client.get_many(*paths[at : at + _AT_ONCE]):
            if not isinstance(each, Data) and each != Code.NO_NODE:
                raise ServerError("reading the cluster's state", each, 0)
            found.append(each if isinstance(each, Data) else None)
    return found
