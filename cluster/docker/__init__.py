"""The ``docker`` backend: nodes are containers on one bridge network."""

from cluster.docker.image import build_image
from cluster.docker.remains import down_all
from cluster.docker.site import docker_cluster

__all__ = ["build_image", "docker_cluster", "down_all"]
