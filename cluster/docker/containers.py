"""The containers of one run, on one bridge network: made, killed, started again, frozen.

Addresses and published ports are chosen before a container is made, so that it has them again when it is
started once more after its death: what was told to clients and other nodes stays true.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool, LogConfig

import cluster.real.agent
from cluster.api import CLIENT, Endpoint
from cluster.docker import ranges
from cluster.docker.daemon import MARK, NO_RANGE, RUN, explained, port_is_taken, range_is_taken
from cluster.docker.stream import ContainerStream
from cluster.real.channel import Channel
from cluster.real.errors import ClusterError
from cluster.real.site import ContainerState, Machine

DIRECTORY = "/var/lib/windtunnel"
LOOPBACK = "127.0.0.1"
_PROCESSES = 512
_PORTS = range(20_000, 32_000)
"""Below those that kernels give to whoever asks for any, so that nobody gets them meanwhile."""
_TRIES = 5
_DEAD_WITHIN_S = 20
_FREEZERS = ("/sys/fs/cgroup/freezer{path}/freezer.state", "/sys/fs/cgroup{path}/cgroup.events")


class DockerContainers:
    """``cluster.real.site.Containers``: of ``run_id``, each with ``memory`` and ``cpus`` at most."""

    def __init__(self, client: DockerClient, run_id: str, *, memory: str, cpus: float) -> None:
        self._client, self._run_id = client, run_id
        self._memory, self._cpus = memory, cpus
        self._made: dict[str, Container] = {}
        self._published: dict[str, dict[int, int]] = {}
        self._taken: set[int] = set()
        self._choosing = threading.Lock()
        self.addresses: dict[str, str] = {}

    def __getitem__(self, node: str) -> Container:
        if node not in self._made:
            raise ClusterError(f"{node} of docker is not there: the cluster is not started.")
        return self._made[node]

    def __contains__(self, node: str) -> bool:
        return node in self._made

    def endpoint(self, node: str, port: int) -> Endpoint:
        """Where a port is published."""
        published = self._published[node] if node in self else {}
        if port not in published:
            raise ClusterError(f"{node} of docker publishes no port {port}: it is not started.")
        return Endpoint(LOOPBACK, published[port])

    # --- made ---------------------------------------------------------------------------------

    def network(self, nodes: Sequence[str]) -> None:
        """Make the network, and say which address each node and the clients' machine will have.

        The daemon gives containers addresses of one's own choice only in a range that was asked for by
        number: one is drawn that no other network has.
        """
        with explained(f"network of run {self._run_id}"):
            for subnet in ranges.free(self._client, _TRIES, addresses=len(nodes) + 1):
                names = (CLIENT, *nodes)
                hosts = map(str, subnet.hosts())
                self.addresses = dict(zip(names, hosts, strict=False))
                try:
                    self._network(IPAMPool(subnet=str(subnet), gateway=self.addresses[CLIENT]))
                except APIError as error:
                    if not range_is_taken(error):
                        raise
                else:
                    return
        raise ClusterError(f"network of run {self._run_id}: {NO_RANGE}.")

    def _network(self, pool: IPAMPool) -> None:
        self._client.networks.create(
            f"windtunnel-{self._run_id}",
            driver="bridge",
            labels=self._labels(),
            check_duplicate=True,
            ipam=IPAMConfig(pool_configs=[pool]),
            # Nodes have no business outside: their packets would have no way back.
            options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
        )

    def start(self, node: str, tag: str, ports: Sequence[int]) -> ContainerStream:
        """A started container, and the streams of the agent in it. Raises ClusterError."""
        with explained(f"container of {node}"):
            for _ in range(_TRIES - 1):
                self._create(node, tag, ports)
                try:
                    return self._start(node)
                except APIError as error:
                    if not port_is_taken(error):
                        raise
                    self._made.pop(node).remove(force=True)
            self._create(node, tag, ports)
            return self._start(node)

    def _create(self, node: str, tag: str, ports: Sequence[int]) -> None:
        published = {port: self._free_port() for port in sorted(set(ports))}
        network = f"windtunnel-{self._run_id}"
        address = self._client.api.create_endpoint_config(ipv4_address=self.addresses[node])
        self._made[node] = self._client.containers.create(
            tag,
            ["python3", "-I", "-S", "-c", _agent_source(), DIRECTORY],
            name=f"{network}-{node}",
            hostname=node,
            labels={**self._labels(), "windtunnel.node": node},
            network=network,
            networking_config={network: address},
            extra_hosts=self._peers(node),
            ports={f"{port}/tcp": (LOOPBACK, on) for port, on in published.items()},
            dns=[LOOPBACK],  # a name that is not a node's is asked of nobody
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
        self._published[node] = published

    def _peers(self, node: str) -> dict[str, str]:
        """The others' names; its own has a line of Docker's, and MariaDB would bind both and fail."""
        return {name: at for name, at in self.addresses.items() if name not in (CLIENT, node)}

    def _start(self, node: str) -> ContainerStream:
        container = self._made[node]
        wanted = {"stdin": 1, "stdout": 1, "stream": 1}
        stream = ContainerStream(self._client.api.attach_socket(str(container.id), params=wanted))
        try:
            container.start()
        except BaseException:
            stream.close()
            raise
        return stream

    def _free_port(self) -> int:
        """One that nobody listens on now, and that was not given out before."""
        with self._choosing:
            for _ in range(len(_PORTS)):
                port = random.SystemRandom().choice(_PORTS)
                if port not in self._taken and _is_free(port):
                    self._taken.add(port)
                    return port
        raise ClusterError(f"no port of {LOOPBACK} from {_PORTS[0]} to {_PORTS[-1]} is free: end some.")

    def _labels(self) -> dict[str, str]:
        return {MARK: "1", RUN: self._run_id}

    # --- hurt ---------------------------------------------------------------------------------

    async def kill(self, node: str) -> None:
        await asyncio.to_thread(self._kill, node)

    def _kill(self, node: str) -> None:
        with explained(f"container of {node}"):
            self[node].kill()
            self[node].wait(timeout=_DEAD_WITHIN_S)

    async def revive(self, node: str) -> Machine:
        stream = await asyncio.to_thread(self._revive, node)
        return Machine(node, Channel(node, stream), ("python3",), {})

    def _revive(self, node: str) -> ContainerStream:
        with explained(f"container of {node}"):
            return self._start(node)

    async def freeze(self, node: str) -> None:
        await asyncio.to_thread(self._freeze, node)

    def _freeze(self, node: str) -> None:
        with explained(f"container of {node}"):
            self[node].pause()

    async def thaw(self, node: str) -> None:
        await asyncio.to_thread(self._thaw, node)

    def _thaw(self, node: str) -> None:
        with explained(f"container of {node}"):
            self[node].unpause()

    async def state(self, node: str) -> ContainerState:
        return await asyncio.to_thread(self._state, node)

    def _state(self, node: str) -> ContainerState:
        with explained(f"container of {node}"):
            self[node].reload()
        said = self[node].attrs["State"]
        frozen = bool(said["Paused"])
        if frozen and (in_kernel := frozen_in_kernel(int(said["Pid"]))) is not None:
            frozen = in_kernel
        return ContainerState(bool(said["Running"]), frozen, str(said["StartedAt"]))

    def explain(self, node: str, last_lines: int) -> str:
        """How a container ended, and what it said last; empty when there is none."""
        if node not in self:
            return ""
        try:
            self[node].reload()
            state = self[node].attrs["State"]
            last = self[node].logs(stdout=False, tail=last_lines).decode("utf-8", "replace")
        except (APIError, NotFound) as error:
            return f"Docker says: {error}"
        out_of_memory = ", out of memory" if state.get("OOMKilled") else ""
        return (
            f"Its container is {state['Status']}, exit code {state['ExitCode']}{out_of_memory}.\n{last}"
        )


def frozen_in_kernel(pid: int) -> bool | None:
    """What the kernel says of a process's freezer; None where the daemon's kernel is not this one."""
    with suppress(OSError, IndexError):
        lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
        paths = {kinds: path for _, kinds, path in lines}
        for pattern, kinds in zip(_FREEZERS, ("freezer", ""), strict=True):
            state = Path(pattern.format(path=paths.get(kinds, "/nowhere")))
            if state.exists():
                return state.read_text().split()[-1] in ("FROZEN", "1")
    return None


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            trial.bind((LOOPBACK, port))
            return True
    return False


def _agent_source() -> str:
    return Path(cluster.real.agent.__file__).read_text()
