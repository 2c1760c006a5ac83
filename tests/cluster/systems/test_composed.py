"""Several systems on the same nodes."""

from __future__ import annotations

import pytest

from cluster.api import Endpoint
from cluster.sim.cluster import SimCluster
from cluster.systems.composed import compose
from cluster.systems.coordination import ask, coordination_system
from cluster.systems.ids import ids_system
from cluster.systems.queue import queue_cluster, ready

NODES = ("n1", "n2", "n3")


def test_every_service_of_a_composed_system_serves_on_every_node() -> None:
    cluster = SimCluster(queue_cluster(nodes=NODES), nodes=NODES)

    async def main() -> list[str]:
        await cluster.start()
        for node in NODES:
            await ready(cluster.endpoint(node, "queue"))
        return [await ask(cluster.endpoint(node, "coordination"), "ruok") for node in NODES]

    assert cluster.run(main) == ["imok"] * 3


def test_ports_have_the_names_of_their_services_and_facts_are_joined() -> None:
    system = queue_cluster(nodes=NODES)
    assert system.ports["client"] == system.ports["queue"] == system.ports["queue.client"]
    assert system.ports["coordination.quorum"] == 2888
    assert system.facts["brokers"] == system.facts["servers"] == {"n1": 1, "n2": 2, "n3": 3}


def test_two_services_with_one_port_are_refused() -> None:
    systems = {each: ids_system("uuid4", nodes=NODES) for each in ("a", "b")}
    with pytest.raises(ValueError, match="b and a both use the port 8080"):
        compose("both", systems, main="a")
    with pytest.raises(KeyError):
        compose("one", {"c": coordination_system(nodes=NODES)}, main="d")


def test_brokers_tell_clients_where_they_reach_them_and_each_other_where_they_listen() -> None:
    system = queue_cluster(nodes=("n1", "n2", "n3"))
    reached = {port: Endpoint("127.0.0.1", 40_000 + number) for port, number in system.ports.items()}
    assert system.advertise is not None
    config = system.advertise(system.configure("n2", ("n1", "n2", "n3")), reached)
    broker = config["services"]["queue"]
    assert broker["advertised.listeners"] == "EXTERNAL://127.0.0.1:49092,INTERNAL://n2:9093"
    assert broker["listeners"] == "EXTERNAL://n2:9092,INTERNAL://n2:9093"
