"""The message queue of the reference implementation as a system under test."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from cluster.api import Endpoint, System
from cluster.systems.composed import COMMAND as BOTH
from cluster.systems.composed import compose
from cluster.systems.coordination import CLIENT_PORT as COORDINATION_PORT
from cluster.systems.coordination import coordination_system
from cluster.systems.queue_messages import describe
from impl.host import Program
from impl.queue.config import parse
from impl.queue.protocol.codec import Codec
from impl.queue.protocol.keys import ApiKey
from impl.queue.protocol.peer import PEER_ERRORS, connect
from impl.queue.server import serve

CLIENT_PORT, BROKER_PORT = 9092, 9093
MARKS = {
    "leader": r"is controller(,| no longer)|leaves its leader's log",
    "other": r"registered, epoch|begins anew at",
}
COMMAND = ("python", "-m", "impl.queue", "server.properties")
_ANSWER_WITHIN_S = 1.0
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 7, -1)
_LENGTH = struct.Struct(">i")
ALONE: Mapping[str, System] = MappingProxyType({})


def queue_system(
    *,
    nodes: tuple[str, ...],
    program: Program = serve,
    command: tuple[str, ...] = COMMAND,
    settings: Mapping[str, Any] | None = None,
) -> System:
    """Brokers on ``nodes``, the n-th of which is broker n.

    ``settings`` are further keys of a ``server.properties``, the same for all; ``configure`` raises
    ValueError for one that is wrong. The system's facts are ``nodes`` and ``brokers`` (ids by node).
    """
    further = {
        "group.initial.rebalance.delay.ms": 100,
        "offsets.topic.num.partitions": 5,
        "offsets.topic.replication.factor": min(3, len(nodes)),
        "group.min.session.timeout.ms": 1000,
        **(settings or {}),
    }

    def configure(node: str, nodes: tuple[str, ...]) -> Mapping[str, Any]:
        addresses = f"EXTERNAL://{node}:{CLIENT_PORT},INTERNAL://{node}:{BROKER_PORT}"
        config = {
            "broker.id": nodes.index(node) + 1,
            # Clients put brokers into sets, and before Python 3.12 None hashes by its address.
            "broker.rack": node,
            "listeners": addresses,
            "inter.broker.listener.name": "INTERNAL",
            **further,
        }
        parse(config)
        return config

    def advertise(config: Mapping[str, Any], endpoints: Mapping[str, Endpoint]) -> Mapping[str, Any]:
        _, internal = str(config["listeners"]).split(",")
        host, port = endpoints["client"]
        return {**config, "advertised.listeners": f"EXTERNAL://{host}:{port},{internal}"}

    def files(node: str, nodes: tuple[str, ...]) -> Mapping[str, str]:
        config = {"log.dirs": "data", **configure(node, nodes)}
        return {"server.properties": "".join(f"{key}={value}\n" for key, value in config.items())}

    return System(
        name="queue",
        program=program,
        command=command,
        configure=configure,
        ports={"client": CLIENT_PORT, "broker": BROKER_PORT},
        port="client",
        ready=ready,
        primaries=partial(primaries, nodes),
        facts={
            "nodes": nodes,
            "brokers": {node: number for number, node in enumerate(nodes, 1)},
        },
        files=files,
        describe=describe,
        marks=MARKS,
        advertise=advertise,
    )


def queue_cluster(
    *,
    nodes: tuple[str, ...],
    program: Program = serve,
    command: tuple[str, ...] = BOTH,
    settings: Mapping[str, Any] | None = None,
    coordination: Mapping[str, Any] | None = None,
    beside: Mapping[str, System] = ALONE,
) -> System:
    """Each of ``nodes`` runs a coordination server and a broker, which together are one cluster.

    ``settings`` are as for ``queue_system``, ``coordination`` are further keys of the ``zoo.cfg``.
    ``beside`` are further services of each node by name, or another ``coordination``.
    Ports and facts are those of all; clients reach the broker unless they name another port.
    """
    ensemble = ",".join(f"{node}:{COORDINATION_PORT}" for node in nodes)
    further = {
        "zookeeper.connect": ensemble,
        "zookeeper.session.timeout.ms": 2000,
        **(settings or {}),
    }
    return compose(
        "queue",
        {
            "coordination": coordination_system(nodes=nodes, settings=coordination),
            "queue": queue_system(nodes=nodes, program=program, settings=further),
            **beside,
        },
        main="queue",
        command=command,
    )


async def ready(endpoint: Endpoint) -> None:
    """Return when the broker at ``endpoint`` answers ApiVersions. Raises OSError or TimeoutError."""
    async with asyncio.timeout(_ANSWER_WITHIN_S):
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        try:
            writer.write(_API_VERSIONS)
            (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            await reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise OSError(f"{endpoint.host}:{endpoint.port} closed the connection") from error
        finally:
            writer.close()


async def primaries(nodes: tuple[str, ...], endpoints: Mapping[str, Endpoint]) -> list[str]:
    """The controller and the leaders of all topics' first partitions, as the brokers say.

    Brokers that don't answer are passed over; ``nodes`` are all, in the order of their ids.
    """
    answers = await asyncio.gather(*(_metadata(endpoint) for endpoint in endpoints.values()))
    ids = dict.fromkeys(id for answer in answers for id in _leading(answer))
    return [nodes[id - 1] for id in ids if 0 < id <= len(nodes)]


def _leading(metadata: Any) -> list[int]:
    if metadata is None:
        return []
    topics = [topic for topic in metadata.topics if topic.partitions]
    return [metadata.controller_id, *(topic.partitions[0].leader_id for topic in topics)]


async def _metadata(endpoint: Endpoint) -> Any:
    """The answer to a Metadata request; None if there is none."""
    try:
        peer = await connect(Codec(), endpoint.host, endpoint.port, _ANSWER_WITHIN_S)
        try:
            return await peer.ask(ApiKey.METADATA, 1, {"topics": None}, _ANSWER_WITHIN_S)
        finally:
            peer.close()
    except PEER_ERRORS:
        return None
