"""Five processes on 127.0.0.11 to 15, told apart by the addresses at which they see each other.

All nodes share one loopback, so a packet's source does not say which node sent it. Therefore each node
resolves the others' names, through an /etc/hosts of its own, to addresses that only it uses: n1 sees n2
at 127.11.0.12, n3 sees it at 127.13.0.12, clients see it at 127.10.0.12. The kernel's connection
tracking turns all of them into 127.0.0.12, where n2 listens, and remembers what each connection was
opened to, so that a rule can name one direction of what one node says to another. Nothing is asked of
the system under test but that it goes by names.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import cluster.real.agent
from cluster.api import CLIENT, Endpoint, Link, System
from cluster.local import namespace
from cluster.real.channel import Channel, SocketStream
from cluster.real.cluster import DEFAULT_NODES, RealCluster
from cluster.real.errors import ClusterError
from cluster.real.netem import Lane
from cluster.real.rules import CHANGE, Match
from cluster.real.site import NO_CONTAINERS, NO_POWER_CUT, Machine

_REFUSED = {
    "power_off": NO_POWER_CUT,
    **dict.fromkeys(("kill_container", "freeze", "thaw"), NO_CONTAINERS),
}
_ROOT = Path("/run/windtunnel")
_CODE = Path(cluster.real.agent.__file__).parents[2]
_LIBERAL = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal")
_ENDS_WITHIN_S = 5.0
# Its own mount namespace, for its own /etc/hosts; all of it is gone with the process.
_WITH_HOSTS = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


def local_cluster(system: System, *, nodes: tuple[str, ...] = DEFAULT_NODES) -> RealCluster:
    """Nodes of ``system`` as processes of this machine; to be run after ``namespace.enter``."""
    return RealCluster(system, LocalSite(nodes), nodes=nodes)


class LocalSite:
    """``cluster.real.site.Site`` on the loopback of private namespaces."""

    name = "local"
    run_id = "local"

    def __init__(self, nodes: tuple[str, ...]) -> None:
        if len(nodes) > 200:
            raise ValueError(f"{len(nodes)} nodes: local has addresses for 200")
        self._numbers = {CLIENT: 0, **{node: number for number, node in enumerate(nodes, 1)}}
        self._agents: list[subprocess.Popen[bytes]] = []

    @property
    def containers(self) -> None:
        return None

    def why_not(self, verb: str) -> str:
        if verb == "slow":
            return namespace.why_no_netem()
        return _REFUSED.get(verb, "")

    def check(self, system: System) -> None:
        namespace.require_for(system)
        if not namespace.inside():
            raise ClusterError(
                "--cluster local runs in private namespaces: call cluster.local.enter() first, before"
                " anything else is done; it starts this process again."
            )

    async def open(self, system: System, nodes: tuple[str, ...]) -> Mapping[str, Machine]:
        with suppress(OSError):  # not all kernels let a private namespace set it
            _LIBERAL.write_text("1")
        await asyncio.to_thread(self._translate)
        return {node: self._machine(node) for node in nodes}

    def _machine(self, node: str) -> Machine:
        return Machine(node, Channel(node, self._agent(node)), (sys.executable,), _env())

    async def close(self) -> None:
        agents, self._agents = self._agents, []
        for agent in agents:
            await asyncio.to_thread(_end, agent)

    def endpoint(self, node: str, port: int) -> Endpoint:
        return Endpoint(self._seen(CLIENT, node), port)

    def matches(self, link: Link) -> tuple[Match, ...]:
        """What the source says on connections it opened, and what it answers on the destination's."""
        source, destination = link
        where = source if destination == CLIENT else destination
        said = (self._seen(source, destination), "ORIGINAL") if destination != CLIENT else None
        answered = (self._seen(destination, source), "REPLY") if source != CLIENT else None
        return tuple(
            Match(where, "INPUT", ("-m conntrack --ctorigdst", address, "--ctdir", direction))
            for address, direction in filter(None, (said, answered))
        )

    def lane(self, link: Link) -> Lane | None:
        """What leaves by the loopback, in either direction; all nodes share it, and its queues."""
        source, destination = link
        first = next(node for node in self._numbers if node != CLIENT)
        seen = {
            "ORIGINAL": None if destination == CLIENT else self._seen(source, destination),
            "REPLY": None if source == CLIENT else self._seen(destination, source),
        }
        matches = tuple(
            ("-m conntrack --ctorigdst", address, "--ctdir", direction)
            for direction, address in seen.items()
            if address is not None
        )
        return Lane(first, "lo", matches)

    def how_to_enter(self, node: str) -> str:
        """A command that opens a shell on a node, from outside of the namespaces."""
        return f"pid=$(pgrep -f {_ROOT / node}$) && nsenter --target $pid --user --net --mount --pid"

    def explain(self, node: str) -> str:
        return ""

    def _listens(self, node: str) -> str:
        return f"127.0.0.{10 + self._numbers[node]}"

    def _seen(self, viewer: str, node: str) -> str:
        return f"127.{10 + self._numbers[viewer]}.0.{10 + self._numbers[node]}"

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for viewer in self._numbers:
            yield from ((viewer, node) for node in self._numbers if node not in (viewer, CLIENT))

    def _translate(self) -> None:
        lines = ["*nat"]
        for viewer, node in self._pairs():
            seen = self._seen(viewer, node)
            lines.append(f"-A OUTPUT -d {seen} -j DNAT --to-destination {self._listens(node)}")
            lines.append(
                f"-A POSTROUTING -m conntrack --ctorigdst {seen} -j SNAT --to-source"
                f" {self._listens(viewer)}"
            )
        text = "\n".join(["*nat", "-F", "COMMIT", *lines, "COMMIT", ""])
        done = subprocess.run(CHANGE, input=text, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise ClusterError(f"local: addresses cannot be translated: {done.stderr.strip()}")

    def _agent(self, node: str) -> SocketStream:
        directory = _ROOT / node
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "hosts").write_text(self._hosts(node))
        mine, its = socket.socketpair()
        source = Path(cluster.real.agent.__file__).read_text()
        hosts = [str(directory / "hosts"), os.path.realpath("/etc/hosts")]
        agent = [sys.executable, "-I", "-S", "-c", source, str(directory)]
        with its:
            self._agents.append(
                subprocess.Popen(
                    ["unshare", "--mount", "sh", "-c", _WITH_HOSTS, "sh", *hosts, *agent],
                    stdin=its.fileno(),
                    stdout=its.fileno(),
                    start_new_session=True,
                )
            )
        return SocketStream(mine)

    def _hosts(self, viewer: str) -> str:
        names = {"localhost": "127.0.0.1"}
        for node in self._numbers:
            if node != CLIENT:
                names[node] = self._listens(node) if node == viewer else self._seen(viewer, node)
        return "".join(f"{address} {name}\n" for name, address in names.items())


def _env() -> dict[str, str]:
    """Nodes run the code that the harness runs."""
    return {"PYTHONPATH": os.pathsep.join([str(_CODE), os.environ.get("PYTHONPATH", "")]).rstrip(":")}


def _end(agent: subprocess.Popen[bytes]) -> None:
    """Its input has ended, so it should; what does not is killed."""
    try:
        agent.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        agent.kill()
        agent.wait()
