"""Several systems on the same nodes as one: each node runs them all, as ``impl.node`` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from cluster.api import Endpoint, System
from impl import node as nodes_of
from impl.host import Program

COMMAND = ("python", "-m", "impl.node", "{config}")


def compose(
    name: str, systems: Mapping[str, System], *, main: str, command: tuple[str, ...] = COMMAND
) -> System:
    """One system of ``systems``, by service, in the order in which a node starts them by ``command``.

    Clients reach ``main`` unless they name a port: a service's name is that of its client port, and
    ``service.port`` that of any; those of ``main`` have their plain names as well. Readiness and
    primaries are ``main``'s; the facts of all are joined, ``main``'s last. Raises ValueError if two
    services use one port, or one is no program of asyncio.
    """
    programs: Mapping[str, Program] = {service: _program(each) for service, each in systems.items()}

    def configure(node: str, nodes: tuple[str, ...]) -> Mapping[str, Any]:
        configs = {service: dict(each.configure(node, nodes)) for service, each in systems.items()}
        return {"name": node, "services": configs}

    def advertise(config: Mapping[str, Any], endpoints: Mapping[str, Endpoint]) -> Mapping[str, Any]:
        services = dict(config["services"])
        for service, each in systems.items():
            if each.advertise is not None:
                own = {port: endpoints[f"{service}.{port}"] for port in each.ports}
                services[service] = dict(each.advertise(services[service], own))
        return {**config, "services": services}

    return replace(
        systems[main],
        name=name,
        program=partial(nodes_of.serve, services=MappingProxyType(programs)),
        command=command,
        configure=configure,
        advertise=advertise,
        ports=_ports(systems, main),
        port=systems[main].port,
        facts=_facts(systems, main),
        files=None,
        describe=partial(_describe, systems),
        marks=_marks(systems),
    )


def _describe(systems: Mapping[str, System], port: str, to_server: bool, data: bytes) -> str:
    service, _, own = port.partition(".")
    describe = systems[service].describe if service in systems else None
    return describe(own, to_server, data) if describe is not None else ""


def _marks(systems: Mapping[str, System]) -> dict[str, str]:
    patterns: dict[str, list[str]] = {}
    for system in systems.values():
        for kind, pattern in system.marks.items():
            patterns.setdefault(kind, []).append(pattern)
    return {kind: "|".join(f"({each})" for each in some) for kind, some in patterns.items()}


def _program(system: System) -> Program:
    if system.program is None:
        raise ValueError(f"{system.name} is no program of asyncio: it cannot share a node's process")
    return system.program


def _ports(systems: Mapping[str, System], main: str) -> dict[str, int]:
    ports: dict[str, int] = dict(systems[main].ports)
    owners: dict[int, str] = {}
    for service, system in systems.items():
        ports[service] = system.ports[system.port]
        for port, number in system.ports.items():
            ports[f"{service}.{port}"] = number
            if owners.setdefault(number, service) != service:
                raise ValueError(f"{service} and {owners[number]} both use the port {number}")
    return ports


def _facts(systems: Mapping[str, System], main: str) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for service in (*(each for each in systems if each != main), main):
        facts |= systems[service].facts
    return facts
