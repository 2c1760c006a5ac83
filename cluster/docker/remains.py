"""What a harness that was killed left in the Docker daemon: found by label, and removed."""

from __future__ import annotations

import time
from contextlib import suppress

from docker import DockerClient
from docker.errors import NotFound

from cluster.docker.daemon import MARK, RUN, connect, explained

_SETTLED_AFTER_S = 0.5


def down_all(client: DockerClient | None = None) -> list[str]:
    """Remove every container and network of every run; return their names. Raises ClusterError.

    Looks again until it finds nothing: what the daemon was about to make when a harness was killed
    comes into being a moment later.
    """
    client = client or connect()
    names: list[str] = []
    while found := remove(client, MARK) or _remove_later(client):
        names += found
    return names


def _remove_later(client: DockerClient) -> list[str]:
    time.sleep(_SETTLED_AFTER_S)
    return remove(client, MARK)


def down(run_id: str, client: DockerClient) -> list[str]:
    """Remove the containers and networks of one run; return their names. Raises ClusterError."""
    return remove(client, f"{RUN}={run_id}")


def remove(client: DockerClient, label: str) -> list[str]:
    """Remove what carries ``label``: containers first, then their networks."""
    names = []
    with explained("docker"):
        for container in client.containers.list(all=True, filters={"label": label}, ignore_removed=True):
            with suppress(NotFound):
                container.remove(force=True, v=True)
                names.append(str(container.name))
        for network in client.networks.list(filters={"label": label}):
            with suppress(NotFound):
                network.remove()
                names.append(str(network.name))
    return names
