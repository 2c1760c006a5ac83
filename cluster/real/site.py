"""What tells the real backends apart: how machines are got, and how they reach each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cluster.api import Endpoint, Link, System
from cluster.real.channel import Channel
from cluster.real.rules import Match


@dataclass(frozen=True, slots=True)
class Machine:
    """One node's machine: its agent, and the words by which it runs Python there."""

    node: str
    channel: Channel
    python: tuple[str, ...]
    env: Mapping[str, str]


class Site(Protocol):
    """Where nodes run. ``cluster.real.cluster.RealCluster`` does the rest."""

    @property
    def name(self) -> str:
        """The backend's name."""

    @property
    def run_id(self) -> str:
        """The run that all objects made here are named after: a few letters and digits."""

    def verbs(self) -> frozenset[str]:
        """The fault verbs that can be done here; asked before anything is started."""

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

    def how_to_enter(self, node: str) -> str:
        """A command by which a person gets a shell on a node."""

    def explain(self, node: str) -> str:
        """What the machine itself says about why its agent is gone; empty when nothing."""
