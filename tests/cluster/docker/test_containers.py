"""Killed and frozen containers: what the daemon says of them, and that all is as before in the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.real.channel import AgentError
from cluster.real.cluster import RealCluster
from cluster.real.errors import ClusterError
from tests.cluster.real.verbs import make, peers, until
from tests.support.realclusters import alone, left, require


@pytest.fixture(autouse=True)
def docker() -> Iterator[None]:
    require("docker")
    with alone():
        yield
        assert left("docker") == []


def up(seen: dict[str, str]) -> bool:
    return set(seen.values()) == {"up"}


async def killed(cluster: RealCluster, facts: dict[str, Any]) -> None:
    """n1's container dies while its clock is wrong and it does not hear n2."""
    before = cluster.endpoint("n1"), cluster.site.matches(("n1", "n3"))
    await until(cluster, "n1", up)
    await cluster.skew("n1", 7.0)
    await cluster.cut([("n2", "n1")])
    facts["missed"] = await until(cluster, "n1", lambda seen: seen.get("n2") == "down")
    facts["dropped before"] = await cluster.dropped([("n2", "n1")])
    await cluster.kill_container("n1")
    await cluster.kill_container("n1")
    await cluster.kill("n1")
    facts["dead"] = await cluster.process_state("n1")
    facts["n3 misses it"] = await until(cluster, "n3", lambda seen: seen.get("n1") == "down")
    with pytest.raises(AgentError, match="n1: its container is dead"):
        await cluster.clock_offset_s("n1")
    await cluster.lose([("n3", "n1")], 0.0)
    await cluster.restart("n1")
    facts["back"] = await cluster.process_state("n1")
    facts["serves"] = await until(cluster, "n1", lambda seen: seen.get("n3") == "up")
    facts["still missed"] = await until(cluster, "n1", lambda seen: seen.get("n2") == "down")
    facts["dropped after"] = await cluster.dropped([("n2", "n1")])
    facts["clock"] = await cluster.clock_offset_s("n1")
    await cluster.heal([("n2", "n1")])
    facts["healed"] = await until(cluster, "n1", up)
    facts["same place"] = before == (cluster.endpoint("n1"), cluster.site.matches(("n1", "n3")))


async def frozen(cluster: RealCluster, facts: dict[str, Any]) -> None:
    """All of n3's machine stands still."""
    await cluster.thaw("n3")
    await cluster.freeze("n3")
    await cluster.freeze("n3")
    facts["frozen"] = await cluster.process_state("n3")
    facts["silent"] = await peers(cluster, "n3") == {}
    with pytest.raises(AgentError, match="n3: its machine is frozen"):
        await cluster.skew("n3", 1.0)
    await cluster.thaw("n3")
    facts["thawed"] = await cluster.process_state("n3")
    facts["n3 serves"] = await until(cluster, "n3", up)


def test_a_container_that_was_killed_comes_back_as_it_was_and_a_frozen_one_goes_on() -> None:
    cluster = make("docker")
    facts: dict[str, Any] = {}

    async def main() -> None:
        await cluster.start()
        await killed(cluster, facts)
        await frozen(cluster, facts)

    cluster.run(main)
    states = {name: facts.pop(name) for name in ("dead", "back", "frozen", "thawed")}
    seen = {name: (s.running, s.paused, s.incarnation) for name, s in states.items()}
    assert seen == {
        "dead": (False, False, 1),
        "back": (True, False, 2),
        "frozen": (True, True, 1),
        "thawed": (True, False, 1),
    }
    assert abs(facts.pop("clock") - 7) < 0.1
    assert 0 < facts.pop("dropped before") < facts.pop("dropped after")
    assert facts == dict.fromkeys(facts, True)


def test_what_is_frozen_or_dead_when_a_run_ends_is_removed_all_the_same() -> None:
    cluster = make("docker")

    async def main() -> None:
        await cluster.start()
        await cluster.freeze("n1")
        await cluster.kill_container("n2")

    cluster.run(main)


def test_a_port_that_somebody_takes_meanwhile_is_exchanged_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import socket

    from cluster.docker import containers

    cluster = make("docker", nodes=("n1",))
    with socket.socket() as taken:
        taken.bind((containers.LOOPBACK, 0))
        taken.listen()
        number = taken.getsockname()[1]
        choices = iter([number])
        free = containers.DockerContainers._free_port
        monkeypatch.setattr(
            containers.DockerContainers,
            "_free_port",
            lambda self: next(choices, None) or free(self),
        )

        async def main() -> int:
            await cluster.start()
            return cluster.endpoint("n1").port

        assert cluster.run(main) != number
        choices = iter([number] * 20)
        with pytest.raises(ClusterError, match=r"a port on 127\.0\.0\.1 is taken"):
            make("docker", nodes=("n1",)).run(main)


def test_the_kernel_says_nothing_of_a_process_that_there_is_not(tmp_path: Path) -> None:
    from cluster.docker.containers import frozen_in_kernel

    assert frozen_in_kernel(2**22 + 1) is None
