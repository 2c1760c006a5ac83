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
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import LogConfig

import cluster.real.agent
from cluster.api import CLIENT, Endpoint, Link, System
from cluster.docker import image
from cluster.docker.daemon import MARK, RUN, connect, explained
from cluster.docker.remains import down
from cluster.docker.stream import ContainerStream
from cluster.real.channel import Channel
from cluster.real.cluster import DEFAULT_NODES, RealCluster
from cluster.real.errors import ClusterError
from cluster.real.rules import Match
from cluster.real.site import Machine

DIRECTORY = "/var/lib/windtunnel"
_VERBS = ("kill", "terminate", "restart", "pause", "resume", "cut", "heal", "lose", "skew")
_MEMORY = "512m"
_CPUS = 1.0
_PROCESSES = 512
_LAST_LINES = 5


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
        self._containers: dict[str, Container] = {}
        self._addresses: dict[str, str] = {}

    @property
    def run_id(self) -> str:
        return self._run_id

    @property
    def client(self) -> DockerClient:
        """The daemon. Raises ClusterError when there is none."""
        if self._client is None:
            self._client = connect()
        return self._client

    def verbs(self) -> frozenset[str]:
        return frozenset(_VERBS)

    def check(self, system: System) -> None:
        image.node_image(self.client)

    # --- up and down --------------------------------------------------------------------------

    async def open(self, system: System, nodes: tuple[str, ...]) -> Mapping[str, Machine]:
        tag = await asyncio.to_thread(image.node_image, self.client)
        network = await asyncio.to_thread(self._network)
        streams = await asyncio.gather(
            *(asyncio.to_thread(self._container, node, tag, network, system) for node in nodes),
            return_exceptions=True,
        )
        machines = {}
        for node, stream in zip(nodes, streams, strict=True):
            if isinstance(stream, BaseException):
                raise stream
            machines[node] = Machine(node, Channel(node, stream), ("python3",), {})
        hosts = "".join(f"{self._addresses[node]} {node}\n" for node in nodes)
        for machine in machines.values():
            await machine.channel.ask("append", path="/etc/hosts", text=hosts)
        return machines

    async def close(self) -> None:
        if self._client is not None:
            await asyncio.to_thread(down, self._run_id, self._client)
        self._containers.clear()

    def _network(self) -> str:
        with explained(f"network of run {self._run_id}"):
            network = self.client.networks.create(
                f"windtunnel-{self._run_id}",
                driver="bridge",
                labels=self._labels(),
                check_duplicate=True,
                # Nodes have no business outside: their packets would have no way back.
                options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
            )
        return str(network.name)

    def _labels(self) -> dict[str, str]:
        return {MARK: "1", RUN: self._run_id}

    def _container(self, node: str, tag: str, network: str, system: System) -> ContainerStream:
        """A started container, and the streams of the agent in it."""
        with explained(f"container of {node}"):
            container = self.client.containers.create(
                tag,
                ["python3", "-I", "-S", "-c", _agent_source(), DIRECTORY],
                name=f"windtunnel-{self._run_id}-{node}",
                hostname=node,
                labels={**self._labels(), "windtunnel.node": node},
                network=network,
                ports={f"{port}/tcp": ("127.0.0.1", 0) for port in system.ports.values()},
                dns=["127.0.0.1"],  # a name that is not a node's is asked of nobody
                stdin_open=True,
                init=True,
                mem_limit=self._memory,
                memswap_limit=self._memory,
                nano_cpus=round(self._cpus * 1e9),
                pids_limit=_PROCESSES,
                cap_drop=["ALL"],
                cap_add=["NET_ADMIN"],
                security_opt=["no-new-privileges"],
                log_config=LogConfig(type="json-file", config={"max-size": "1m"}),
            )
            self._containers[node] = container
            wanted = {"stdin": 1, "stdout": 1, "stream": 1}
            stream = ContainerStream(self.client.api.attach_socket(str(container.id), params=wanted))
            container.start()
            container.reload()
        self._addresses[node] = self._attachment(node)["IPAddress"]
        self._addresses[CLIENT] = self._attachment(node)["Gateway"]
        return stream

    def _attachment(self, node: str) -> dict[str, Any]:
        networks: dict[str, dict[str, Any]] = self._containers[node].attrs["NetworkSettings"]["Networks"]
        return networks[f"windtunnel-{self._run_id}"]

    # --- asked by the cluster -----------------------------------------------------------------

    def endpoint(self, node: str, port: int) -> Endpoint:
        if node not in self._containers:
            raise ClusterError(f"{node} of docker is not there: the cluster is not started.")
        published = self._containers[node].attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp")
        if not published:
            raise ClusterError(f"{node} of docker publishes no port {port}: its container has ended.")
        return Endpoint(published[0]["HostIp"], int(published[0]["HostPort"]))

    def matches(self, link: Link) -> tuple[Match, ...]:
        """Packets are dropped where they arrive: to the sender they are lost on the way.

        Clients come through Docker's proxy, from the bridge's own address.
        """
        source, destination = link
        if destination == CLIENT:
            return (Match(source, "OUTPUT", ("-d", self._addresses[CLIENT])),)
        return (Match(destination, "INPUT", ("-s", self._addresses[source])),)

    def how_to_enter(self, node: str) -> str:
        """A command that opens a shell on a node."""
        return f"docker exec -it {self._containers[node].name} bash"

    def explain(self, node: str) -> str:
        container = self._containers.get(node)
        if container is None:
            return ""
        try:
            container.reload()
            state = container.attrs["State"]
            last = container.logs(stdout=False, tail=_LAST_LINES).decode("utf-8", "replace")
        except (APIError, NotFound) as error:
            return f"Docker says: {error}"
        out_of_memory = ", out of memory" if state.get("OOMKilled") else ""
        return (
            f"Its container is {state['Status']}, exit code {state['ExitCode']}{out_of_memory}.\n{last}"
        )


def _agent_source() -> str:
    return Path(cluster.real.agent.__file__).read_text()
