"""The image of the nodes: a base with Python, the packet filter and libfaketime, and what they run.

The base is built from the Dockerfile beside this module, or, where no image registry can be reached,
from Debian's packages with debootstrap and from Python packages that pip gets on this machine. What the
nodes run is a layer of its own on it, made when it is first needed: our node programs, in a second, or
the packages of a system that is not ours. Each is tagged with a hash of what it is made from, so that it
is used again as long as that is the same.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

from cluster.api import System
from cluster.docker import debian, layers
from cluster.docker.daemon import connect, reason
from cluster.docker.layers import Say
from cluster.real import programs
from cluster.real.errors import ClusterError
from cluster.real.programs import REQUIREMENTS

PACKAGES = ("iptables", "libfaketime", "iproute2")
SOURCES = ("auto", "registry", "debian")
HOME = "/opt/windtunnel"
_DOCKERFILE = Path(__file__).with_name("Dockerfile")
_PYTHON_IMAGE = ("python", "3.12-slim")
_PROGRAMS = f"""\
FROM {{base}}
COPY impl {HOME}/impl
RUN python3 -m compileall -q {HOME}/impl
"""


def build_image(
    *,
    source: str = "auto",
    system: System | None = None,
    say: Say = lambda line: None,
    client: DockerClient | None = None,
) -> str:
    """Make the image for ``system``, our node programs unless given, and return its tag.

    ``source`` of the base is ``registry`` (the Dockerfile), ``debian`` (debootstrap, as root) or
    ``auto``: the first if Python's image can be pulled, else the second. What is there already is used;
    ``say`` is told of each step. Raises ClusterError.
    """
    if source not in SOURCES:
        raise ClusterError(f"image source {source!r} is unknown: choose from {', '.join(SOURCES)}.")
    client = client or connect()
    if not layers.exists(client, base_tag()):
        _build_base(client, source, say)
    return node_image(client) if system is None else image_of(client, system, say=say)


def image_of(client: DockerClient, system: System, *, say: Say | None = None) -> str:
    """The tag of the image that runs ``system``, made unless it is there. Raises ClusterError."""
    if not system.packages:
        return node_image(client)
    _require_base(client)
    return layers.with_packages(client, base_tag(), system.name, system.packages, say or _on_stderr)


def node_image(client: DockerClient) -> str:
    """The tag of the image with our node programs as they are now. Raises ClusterError."""
    tag = node_tag()
    if not layers.exists(client, tag):
        _require_base(client)
        dockerfile = _PROGRAMS.format(base=base_tag()).encode()
        layers.add(client, tag, {"Dockerfile": dockerfile, **programs.files()}, network="none")
    return tag


def base_tag() -> str:
    """The base's name and the hash of what it is made from."""
    parts = (_DOCKERFILE.read_text(), debian.RECIPE, *PACKAGES, *REQUIREMENTS, platform.machine())
    return f"windtunnel-base:{layers.digest(part.encode() for part in parts)}"


def node_tag() -> str:
    """The image's name and the hash of its base and of the node programs."""
    contents = [base_tag().encode(), _PROGRAMS.encode()]
    for path, content in programs.files().items():
        contents += [path.encode(), content]
    return f"windtunnel-node:{layers.digest(contents)}"


def _require_base(client: DockerClient) -> None:
    if not layers.exists(client, base_tag()):
        raise ClusterError(f"the image {base_tag()} is missing: make it with 'windtunnel image build'.")


def _on_stderr(line: str) -> None:
    print(f"windtunnel: {line}", file=sys.stderr, flush=True)


def _build_base(client: DockerClient, source: str, say: Say) -> None:
    if source == "auto":
        source = "registry" if _pulled(client, say) else "debian"
    if source == "registry":
        _build_from_dockerfile(client, say)
    else:
        debian.build(client, base_tag(), packages=PACKAGES, requirements=REQUIREMENTS, say=say)


def _pulled(client: DockerClient, say: Say) -> bool:
    name = ":".join(_PYTHON_IMAGE)
    try:
        client.images.get(name)
    except ImageNotFound:
        try:
            say(f"pulling {name}")
            client.images.pull(*_PYTHON_IMAGE)
        except (DockerException, OSError) as error:
            say(f"{name} cannot be pulled ({reason(error)}): building from Debian's packages")
            return False
    return True


def _build_from_dockerfile(client: DockerClient, say: Say) -> None:
    say(f"building {base_tag()} from {_DOCKERFILE.name}")
    arguments = {"PACKAGES": " ".join(PACKAGES), "REQUIREMENTS": " ".join(REQUIREMENTS)}
    try:
        client.images.build(
            path=str(_DOCKERFILE.parent), buildargs=arguments, tag=base_tag(), rm=True, forcerm=True
        )
    except (BuildError, APIError, OSError) as error:
        raise ClusterError(
            f"image {base_tag()}: {reason(error)}; without a registry, as root:"
            " 'windtunnel image build --source debian'."
        ) from error
