"""What is particular to containers: limits, capabilities, ports, labels, and an image used again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.real.errors import ClusterError
from cluster.systems.ids import ids_system
from tests.support.realclusters import alone, left, require

NODES = ("n1", "n2")
_NET_ADMIN = 1 << 12


@pytest.fixture(autouse=True)
def docker() -> Iterator[None]:
    require("docker")
    with alone():
        yield
        assert left("docker") == []


def test_containers_are_limited_labelled_and_reached_on_the_loopback_alone() -> None:
    from cluster.docker import docker_cluster
    from cluster.docker.site import DockerSite

    cluster = docker_cluster(ids_system("uuid4", nodes=NODES), nodes=NODES, run_id="looks")
    assert isinstance(cluster.site, DockerSite)
    site = cluster.site

    async def main() -> dict[str, Any]:
        await cluster.start()
        found = {
            one.name: one.attrs for one in site.client.containers.list(filters={"label": "windtunnel"})
        }
        found["capabilities"] = int(await asyncio.to_thread(capabilities), 16)
        return found

    def capabilities() -> str:
        container = site.client.containers.get("windtunnel-looks-n1")
        status = container.exec_run("grep CapEff /proc/1/status").output.decode()
        return str(status.split()[1])

    found = cluster.run(main)
    assert found.pop("capabilities") == _NET_ADMIN
    assert set(found) == {"windtunnel-looks-n1", "windtunnel-looks-n2"}
    for attributes in found.values():
        host = attributes["HostConfig"]
        assert attributes["Config"]["Labels"]["windtunnel.run"] == "looks"
        assert host["Memory"] == 512 * 2**20
        assert host["NanoCpus"] == 10**9
        assert host["Init"] is True
        published = attributes["NetworkSettings"]["Ports"]["8080/tcp"]
        assert [one["HostIp"] for one in published] == ["127.0.0.1"]


def test_a_run_whose_name_is_taken_is_refused_and_leaves_nothing() -> None:
    from cluster.docker import docker_cluster

    first = docker_cluster(ids_system("uuid4", nodes=NODES), nodes=NODES, run_id="same")
    second = docker_cluster(ids_system("uuid4", nodes=NODES), nodes=NODES, run_id="same")

    async def main() -> None:
        await first.start()
        with pytest.raises(ClusterError, match="a name is taken by an earlier run"):
            await second.start()

    first.run(main)


def test_an_image_is_used_again_while_its_inputs_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster.docker import build_image, image

    said: list[str] = []
    tag = build_image(source="debian", say=said.append)
    assert (tag, said) == (image.node_tag(), [])
    monkeypatch.setattr(image, "REQUIREMENTS", ("aiohttp>=99",))
    assert image.base_tag() != tag.replace("node", "base")
    assert image.node_tag() != tag


def test_a_missing_image_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    from cluster.docker import docker_cluster, image

    monkeypatch.setattr(image, "PACKAGES", ("a-package-nobody-asked-for-before",))
    with pytest.raises(ClusterError, match=r"is missing: make it with 'windtunnel image build'"):
        docker_cluster(ids_system("uuid4", nodes=NODES), nodes=NODES).checked()
