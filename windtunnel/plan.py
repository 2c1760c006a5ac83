"""From a spec to what can be run: names become things, and what is impossible is refused at once."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from cluster.api import CLIENT, Cluster
from cluster.sim.cluster import SimCluster
from impl.mutants.registry import MUTANTS
from nemesis.conductor import refuse
from nemesis.fault import Schedule
from nemesis.kinds import KINDS, named
from nemesis.kinds.kind import LONGEST_JUMP_S
from nemesis.schedule import draw
from nemesis.schedule_file import from_json
from windtunnel.names import BadInputError, find
from windtunnel.spec import TestSpec
from workloads.registry import WORKLOADS
from workloads.workload import Workload, WorkloadOptions

_JUMP_SHARE = 0.25
_LEAST_JUMP_S = 1.0
Workloads: TypeAlias = Mapping[str, Callable[[WorkloadOptions], Workload]]
"""Workloads by name: the registry, or a user's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run that can begin: everything in it exists and fits together."""

    spec: TestSpec
    workload: Workload
    cluster: Cluster
    schedule: Schedule


def _sim(workload: Workload, spec: TestSpec) -> Cluster:
    if workload.system.program is None:
        raise BadInputError(
            f"--system {spec.system} runs on real kernels only: take --cluster docker, local or ssh."
        )
    if workload.real_only:
        raise BadInputError(
            f"{workload.real_only} has threads and sockets of its own, which the simulator can't hold:"
            " take --cluster local, docker or ssh."
        )
    return SimCluster(workload.system, nodes=spec.nodes, seed=spec.seed)


def _docker(workload: Workload, spec: TestSpec) -> Cluster:
    require_docker()
    from cluster.docker import docker_cluster

    return docker_cluster(workload.system, nodes=spec.nodes).checked()


def _local(workload: Workload, spec: TestSpec) -> Cluster:
    from cluster.local import local_cluster

    return local_cluster(workload.system, nodes=spec.nodes).checked()


def _ssh(workload: Workload, spec: TestSpec) -> Cluster:
    require_ssh()
    from cluster.ssh import read_inventory, ssh_cluster

    if spec.inventory is None:
        raise BadInputError("--cluster ssh needs --inventory FILE, which says where the nodes are.")
    return ssh_cluster(workload.system, read_inventory(Path(spec.inventory)), nodes=spec.nodes).checked()


def require_ssh() -> None:
    """Raise BadInputError unless paramiko, an extra of ours, is installed."""
    if importlib.util.find_spec("paramiko") is None:
        raise BadInputError("ssh needs paramiko: install it with pip install 'windtunnel[ssh]'.")


def require_docker() -> None:
    """Raise BadInputError unless the docker SDK, an extra of ours, is installed."""
    if importlib.util.find_spec("docker") is None:
        raise BadInputError("docker needs its SDK: install it with pip install 'windtunnel[docker]'.")


BACKENDS: Mapping[str, Callable[[Workload, TestSpec], Cluster]] = MappingProxyType(
    {"sim": _sim, "docker": _docker, "local": _local, "ssh": _ssh}
)
"""Where nodes can run, by the name that ``--cluster`` takes."""


def prepare(spec: TestSpec, workloads: Workloads = WORKLOADS) -> Plan:
    """Make the workload, the cluster and the schedule of ``spec``; nothing is started.

    ``workloads`` is where the workload's name is looked up. Raises BadInputError or ScheduleError for a
    name that does not exist, a mutant of another workload, and a fault that the workload or the
    backend cannot have.
    """
    if CLIENT in spec.nodes:
        raise BadInputError(f"--nodes: {CLIENT!r} is the machine of the clients; choose another name.")
    workload = make_workload(spec, workloads)
    _refuse_mutant(spec, workload)
    cluster = find("cluster", spec.backend, BACKENDS)(workload, spec)
    schedule = _schedule(spec, workload, cluster)
    return Plan(spec=spec, workload=workload, cluster=cluster, schedule=schedule)


def _refuse_mutant(spec: TestSpec, workload: Workload) -> None:
    """Real nodes are started by their command: a variant must have its own, not that of sound code."""
    if spec.backend != "sim" and spec.mutant and spec.mutant not in workload.system.command:
        raise BadInputError(
            f"--mutant {spec.mutant}: {spec.workload} has no command that starts it;"
            f" leave --cluster {spec.backend} out."
        )


def make_workload(spec: TestSpec, workloads: Workloads = WORKLOADS) -> Workload:
    """The workload of ``spec`` alone: to check a history, no cluster is needed."""
    make = find("workload", spec.workload, workloads)
    if spec.mutant is not None:
        find("mutant", spec.mutant, MUTANTS)
    options = WorkloadOptions(
        nodes=spec.nodes,
        concurrency=spec.concurrency,
        rate=spec.rate,
        time_limit_s=spec.time_limit_s,
        mutant=spec.mutant,
        system=spec.system,
        settings=spec.options,
    )
    try:
        workload = make(options)
        for node in spec.nodes:
            workload.system.configure(node, spec.nodes)
    except ValueError as error:
        raise BadInputError(f"{spec.workload}: {error}") from None
    return workload


def _schedule(spec: TestSpec, workload: Workload, cluster: Cluster) -> Schedule:
    if spec.schedule is not None:
        schedule = tuple(from_json(fault) for fault in spec.schedule)
    else:
        kinds = _kinds(spec, workload, cluster)
        schedule = draw(
            spec.seed,
            kinds=kinds,
            nodes=spec.nodes,
            time_limit_s=spec.time_limit_s,
            interval_s=workload.fault_interval_s,
            targets=spec.targets or workload.targets,
            jump_s=_jump_s(spec),
        )
    refuse(schedule, cluster)
    return schedule


def _jump_s(spec: TestSpec) -> float:
    """How far clocks may jump: where time is real, somebody waits for what it takes to catch up."""
    if spec.backend == "sim":
        return LONGEST_JUMP_S
    return min(max(spec.time_limit_s * _JUMP_SHARE, _LEAST_JUMP_S), LONGEST_JUMP_S)


def _kinds(spec: TestSpec, workload: Workload, cluster: Cluster) -> tuple[str, ...]:
    """The kinds that are asked for; families give only what makes sense, and is possible, here."""
    sensible = tuple(KINDS) if workload.faults is None else workload.faults
    wanted = tuple(
        name
        for name in named(spec.faults)
        if name in spec.faults or not any(map(cluster.why_not, KINDS[name].verbs))
    )
    for name in spec.faults:
        if name in wanted and name not in sensible:
            raise BadInputError(
                f"--faults {name}: {spec.workload} has no use for it; it takes {', '.join(sensible)}."
            )
    return tuple(name for name in wanted if name in sensible)
