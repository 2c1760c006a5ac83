"""Hosts reached over SSH, each with an agent that does what the harness asks.

The agent's source is its command line, its standard streams are the connection: nothing has to be
installed for it. When the connection ends, by the harness's will or its death, the agent undoes what it
did and removes the node's directory. Names of nodes are known to the node's processes alone, by an
/etc/hosts in a mount namespace of theirs: the host's own file is left as it is.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import cluster.real.agent
from cluster.api import CLIENT, Endpoint, Link, System
from cluster.real import programs
from cluster.real.channel import Channel
from cluster.real.cluster import RealCluster
from cluster.real.errors import ClusterError
from cluster.real.netem import Lane
from cluster.real.rules import Match
from cluster.real.site import NO_CONTAINERS, NO_POWER_CUT, Machine
from cluster.real.waiting import all_done
from cluster.ssh.connection import Connection, SshStream
from cluster.ssh.inventory import Host, Inventory
from cluster.ssh.survey import Survey, survey

Work: TypeAlias = Callable[[str], None]

ROOT = "/var/lib/windtunnel"
_REFUSED = {
    "power_off": NO_POWER_CUT,
    "slow": "the queues of somebody's hosts are left alone; take --cluster docker",
    **dict.fromkeys(("kill_container", "freeze", "thaw"), NO_CONTAINERS),
}
# Its own mount namespace, for its own /etc/hosts; all of it is gone with the process.
_AGENT = """\
set -e
mkdir -p "$1" && cd "$1" && printf %s "$2" >hosts
target=$(readlink -f /etc/hosts) && shift 2
exec unshare --mount sh -c 'mount --bind hosts "$0" && exec "$@"' "$target" "$@"
"""


def ssh_cluster(
    system: System,
    inventory: Inventory,
    *,
    nodes: tuple[str, ...] | None = None,
    run_id: str | None = None,
) -> RealCluster:
    """Nodes of ``system`` on the hosts of ``inventory``: all of them, unless ``nodes`` names some."""
    names = tuple(inventory.hosts) if nodes is None else nodes
    site = SshSite(inventory.of(names), run_id or secrets.token_hex(3))
    return RealCluster(system, site, nodes=names)


class SshSite:
    """``cluster.real.site.Site`` on hosts of an inventory."""

    name = "ssh"

    def __init__(self, hosts: tuple[Host, ...], run_id: str) -> None:
        self._hosts = {host.node: host for host in hosts}
        self._run_id = run_id
        self._connections: dict[str, Connection] = {}
        self._surveys: dict[str, Survey] = {}
        self._streams: dict[str, SshStream] = {}
        self._ports: tuple[int, ...] = ()

    @property
    def run_id(self) -> str:
        return self._run_id

    @property
    def containers(self) -> None:
        return None

    def why_not(self, verb: str) -> str:
        return _REFUSED.get(verb, "")

    def check(self, system: System) -> None:
        """Nothing: hosts are asked what they lack when the machines are opened."""

    # --- up and down --------------------------------------------------------------------------

    async def open(self, system: System, nodes: tuple[str, ...]) -> Mapping[str, Machine]:
        self._ports = tuple(system.ports.values())
        await self._on_each(nodes, lambda node: self._connect(node, system))
        await self._on_each(nodes, self._start_agent)
        machines = {
            node: Machine(
                node, Channel(node, self._streams[node]), ("python3",), self._env(node, system)
            )
            for node in nodes
        }
        if not system.packages:
            await all_done(self._upload(machine) for machine in machines.values())
        return machines

    async def _on_each(self, nodes: tuple[str, ...], work: Work) -> None:
        await all_done(asyncio.to_thread(work, node) for node in nodes)

    def _connect(self, node: str, system: System) -> None:
        connection = self._connections[node] = Connection(self._hosts[node])
        connection.require_root()
        self._surveys[node] = survey(connection, system)

    def _start_agent(self, node: str) -> None:
        source = Path(cluster.real.agent.__file__).read_text()
        directory = self._directory(node)
        agent = ["python3", "-I", "-S", "-c", source, directory, "remove"]
        argv = ["sh", "-c", _AGENT, "sh", directory, self._names(), *agent]
        self._streams[node] = self._connections[node].start_as_root(argv)

    async def _upload(self, machine: Machine) -> None:
        name, content = programs.wheel()
        await machine.channel.write(name, content)
        await machine.channel.ask("unpack", path=name, target="programs")
        if (found := self._surveys[machine.node]).lacks_libraries:
            libraries = await asyncio.to_thread(
                programs.libraries, python=found.python, machine=found.machine
            )
            await machine.channel.write("libraries.tar.gz", libraries)
            await machine.channel.ask("unpack", path="libraries.tar.gz", target="programs")

    def _env(self, node: str, system: System) -> dict[str, str]:
        if system.packages:
            return {}
        directory = f"{self._directory(node)}/programs"
        return {"PYTHONPATH": f"{directory}:{directory}/lib"}

    def _names(self) -> str:
        lines = [
            ("127.0.0.1", "localhost"),
            *((found.address, node) for node, found in self._surveys.items()),
        ]
        return "".join(f"{address} {name}\n" for address, name in lines)

    def _directory(self, node: str) -> str:
        return f"{ROOT}/{self._run_id}-{node}"

    async def close(self) -> None:
        streams, self._streams = self._streams, {}
        connections, self._connections = self._connections, {}
        for stream in streams.values():
            stream.close()
        ended = await asyncio.gather(*(asyncio.to_thread(each.ended) for each in streams.values()))
        for connection in connections.values():
            await asyncio.to_thread(connection.close)
        if late := [node for node, in_time in zip(streams, ended, strict=True) if not in_time]:
            raise ClusterError(
                f"ssh: the agents of {', '.join(late)} do not end: see 'windtunnel cluster down --all"
                " --inventory FILE'."
            )

    # --- asked by the cluster -----------------------------------------------------------------

    def endpoint(self, node: str, port: int) -> Endpoint:
        host = self._hosts[node]
        return Endpoint(host.host, host.ports.get(port, port))

    def matches(self, link: Link) -> tuple[Match, ...]:
        """Packets are dropped where they arrive. Of those of clients only the system's: not our own."""
        source, destination = link
        if destination == CLIENT:
            client = self._surveys[source].client
            return tuple(
                Match(source, "OUTPUT", ("-d", client, "-p tcp --sport", str(port)))
                for port in self._ports
            )
        if source == CLIENT:
            client = self._surveys[destination].client
            return tuple(
                Match(destination, "INPUT", ("-s", client, "-p tcp --dport", str(port)))
                for port in self._ports
            )
        return (Match(destination, "INPUT", ("-s", self._surveys[source].address)),)

    def lane(self, link: Link) -> Lane | None:
        """None: a host's queues are its owner's."""
        return None

    def how_to_enter(self, node: str) -> str:
        """A command that opens a shell on a node."""
        host = self._hosts[node]
        return f"ssh -p {host.port} {host.user}@{host.host}   # in {self._directory(node)}"

    def explain(self, node: str) -> str:
        stream = self._streams.get(node)
        said = "" if stream is None else stream.said()
        return f"{self._hosts[node]} says: {said}" if said else ""
