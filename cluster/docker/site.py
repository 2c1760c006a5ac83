"""Containers on one bridge network, each with an agent that does what the harness asks.

The agent is the container's program; the node's process is its child, so that it can be killed and
started again while its machine lives on. Harness and agent talk over the container's standard streams:
nothing is published but the node's own ports, on 127.0.0.1. When the harness dies the streams end, the
agent ends, and the container stops.

A container has the capability NET_ADMIN, for its own packet filter, and no other.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from functools import cache

from docker import DockerClient
from docker.errors import ContainerError as ContainerFailed

from cluster.api import CLIENT, Endpoint, Link, System
from cluster.docker import image
from cluster.docker.containers import DIRECTORY, DockerContainers
from cluster.docker.daemon import MARK, RUN, connect, explained
from cluster.docker.remains import down
from cluster.real import netem
from cluster.real.channel import Channel
from cluster.real.cluster import DEFAULT_NODES, RealCluster
from cluster.real.netem import Lane
from cluster.real.rules import Match
from cluster.real.site import NO_POWER_CUT, Machine

__all__ = ["DIRECTORY", "DockerSite", "docker_cluster"]

_MEMORY = "512m"
_CPUS = 1.0
_LAST_LINES = 5
_DEVICE = "eth0"


def docker_cluster(
    system: System,
    *,
    nodes: tuple[str, ...] = DEFAULT_NODES,
    run_id: str | None = None,
    memory: str = _MEMORY,
    cpus: float = _CPUS,
) -> RealCluster:
    """Nodes of ``system`` as containers, each with ``memory`` (as Docker takes it) and ``cpus`` at most.

    ``run_id``, a few letters and digits, names everything that is made; drawn unless given.
    """
    site = DockerSite(run_id or secrets.token_hex(3), memory=memory, cpus=cpus)
    return RealCluster(system, site, nodes=nodes)


class DockerSite:
    """``cluster.real.site.Site`` in the Docker daemon of this machine."""

    name = "docker"

    def __init__(self, run_id: str, *, memory: str = _MEMORY, cpus: float = _CPUS) -> None:
        self._run_id = run_id
        self._memory = memory
        self._cpus = cpus
        self._client: DockerClient | None = None
        self._containers: DockerContainers | None = None

    @property
    def run_id(self) -> str:
        return self._run_id

    @property
    def client(self) -> DockerClient:
        """The daemon. Raises ClusterError when there is none."""
        if self._client is None:
            self._client = connect()
        return self._client

    @property
    def containers(self) -> DockerContainers:
        """The containers of this run."""
        if self._containers is None:
            self._containers = DockerContainers(
                self.client, self._run_id, memory=self._memory, cpus=self._cpus
            )
        return self._containers

    def why_not(self, verb: str) -> str:
        if verb == "slow":
            return _why_no_netem(image.base_tag())
        return NO_POWER_CUT if verb == "power_off" else ""

    def check(self, system: System) -> None:
        image.image_of(self.client, system)

    # --- up and down --------------------------------------------------------------------------

    async def open(self, system: System, nodes: tuple[str, ...]) -> Mapping[str, Machine]:
        tag = await asyncio.to_thread(image.image_of, self.client, system)
        await asyncio.to_thread(self.containers.network, nodes)
        ports = tuple(system.ports.values())
        streams = await asyncio.gather(
            *(asyncio.to_thread(self.containers.start, node, tag, ports) for node in nodes),
            return_exceptions=True,
        )
        machines = {}
        for node, stream in zip(nodes, streams, strict=True):
            if isinstance(stream, BaseException):
                raise stream
            machines[node] = Machine(node, Channel(node, stream), ("python3",), {})
        return machines

    async def close(self) -> None:
        if self._client is not None:
            await asyncio.to_thread(down, self._run_id, self._client)
        self._containers = None

    # --- asked by the cluster -----------------------------------------------------------------

    def endpoint(self, node: str, port: int) -> Endpoint:
        return self.containers.endpoint(node, port)

    def matches(self, link: Link) -> tuple[Match, ...]:
        """Packets are dropped where they arrive: to the sender they are lost on the way.

        Clients come through Docker's proxy, from the bridge's own address.
        """
        source, destination = link
        addresses = self.containers.addresses
        if destination == CLIENT:
            return (Match(source, "OUTPUT", ("-d", addresses[CLIENT])),)
        return (Match(destination, "INPUT", ("-s", addresses[source])),)

    def lane(self, link: Link) -> Lane | None:
        """What leaves a container; what clients send leaves the host, where nothing is changed."""
        source, destination = link
        if source == CLIENT:
            return None
        return Lane(source, _DEVICE, (("-d", self.containers.addresses[destination]),))

    def how_to_enter(self, node: str) -> str:
        """A command that opens a shell on a node."""
        return f"docker exec -it {self.containers[node].name} bash"

    def explain(self, node: str) -> str:
        return "" if self._containers is None else self._containers.explain(node, _LAST_LINES)


@cache
def _why_no_netem(tag: str) -> str:
    """Why packets cannot be delayed in a container of image ``tag``: tried out, once."""
    with explained("trial of netem"):
        try:
            connect().containers.run(
                tag,
                ["sh", "-c", netem.TRIAL],
                labels={MARK: "1", RUN: "trial"},
                network_mode="none",
                cap_drop=["ALL"],
                cap_add=["NET_ADMIN"],
                remove=True,
                stderr=True,
            )
        except ContainerFailed as error:
            return netem.reason(_text(error.stderr))
    return ""


def _text(said: object) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
