"""The pieces a broker is put together from. A known-bad variant is one of them replaced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from impl.host import Host
from impl.queue.config import Config
from impl.queue.groups.coordinator import Coordinator
from impl.queue.metadata import opening
from impl.queue.metadata.controller import Rules
from impl.queue.metadata.state import ClusterState
from impl.queue.replication.fetcher import Fetchers
from impl.queue.replication.replicas import Replicas
from impl.queue.replication.rules import ReplicaRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What can be replaced: each a function or class with the signature of the right one.

    ``open_state`` gives what is known of the cluster; ``controller_rules`` are how leaders and in-sync
    sets are chosen, ``replica_rules`` what is committed, acknowledged, in sync and cut.
    """

    open_state: Callable[[Host, Config, Rules], Awaitable[ClusterState]] = opening.open_state
    controller_rules: Rules = field(default_factory=Rules)
    replica_rules: ReplicaRules = field(default_factory=ReplicaRules)
    replicas: Callable[[Host, Config, ClusterState, ReplicaRules], Replicas] = Replicas
    fetchers: Callable[[Host, Config, ClusterState, Replicas], Fetchers] = Fetchers
    coordinator: Callable[[Host, Config, ClusterState, Replicas], Coordinator] = Coordinator


PARTS = Parts()
