"""What tells the real backends apart: how machines are got, and how they reach each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cluster.api import Endpoint, Link, System
from cluster.real.channel import Channel
from cluster.real.netem import Lane
from cluster.real.rules import Match

NO_CONTAINERS = "a node there is in no container; take --cluster docker"
NO_POWER_CUT = "a real page cache would stay; take the simulator"


@dataclass(frozen=True, slots=True)
class Machine:
    """One node's machine: its agent, and the words by which it runs Python there."""

    node: str
    channel: Channel
    python: tuple[str, ...]
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What the daemon says; ``started_at`` is another one after each start."""

    running: bool
    frozen: bool
    started_at: str


class Containers(Protocol):
    """What can be done to nodes that are containers. All of it raises ClusterError."""

    async def kill(self, node: str) -> None:
        """SIGKILL to all that runs in it; returns when it is dead."""

    async def revive(self, node: str) -> Machine:
        """Start it again, under the address and the ports that it had, with a new agent."""

    async def freeze(self, node: str) -> None:
        """Stop all that runs in it, the agent too."""

    async def thaw(self, node: str) -> None:
        """Let it go on."""

    async def state(self, node: str) -> ContainerState:
        """What it is at this moment."""


class Site(Protocol):
    """Where nodes run. ``cluster.real.cluster.RealCluster`` does the rest."""

    @property
    def name(self) -> str:
        """The backend's name."""

    @property
    def run_id(self) -> str:
        """The run that all objects made here are named after: a few letters and digits."""

    @property
    def containers(self) -> Containers | None:
        """The nodes as containers, where they are."""

    def why_not(self, verb: str) -> str:
        """Why a fault verb cannot be done here, empty when it can; asked before anything is started."""

    def check(self, system: System) -> None:
        """Raise ClusterError when this machine cannot be used, saying what is missing."""

    async def open(self, system: System, nodes: tuple[str, ...]) -> Mapping[str, Machine]:
        """Bring up the machines, their agents waiting. Raises ClusterError; ``close`` follows anyway."""

    async def close(self) -> None:
        """Take the machines away; may be called at any time, more than once."""

    def endpoint(self, node: str, port: int) -> Endpoint:
        """Where a client on this machine reaches a port of a node."""

    def matches(self, link: Link) -> tuple[Match, ...]:
        """Which packets, filtered where, are those of ``link``."""

    def lane(self, link: Link) -> Lane | None:
        """Where the packets of ``link`` leave and can be delayed; None when that is not on a node."""

    def how_to_enter(self, node: str) -> str:
        """A command by which a person gets a shell on a node."""

    def explain(self, node: str) -> str:
        """What the machine itself says about why its agent is gone; empty when nothing."""
