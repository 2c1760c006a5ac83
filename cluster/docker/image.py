"""The image of the nodes: a base with Python, the packet filter and libfaketime, and the node programs.

The base is built from the Dockerfile beside this module, or, where no image registry can be reached,
from Debian's packages with debootstrap and from Python packages that pip gets on this machine. The
programs are a layer of their own on it, made in a second whenever they have changed. Both are tagged
with a hash of what they are made from, so that an image is used again as long as that is the same.
"""

from __future__ import annotations

import hashlib
import io
import platform
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

import impl
from cluster.docker import debian
from cluster.docker.daemon import connect, explained, reason
from cluster.real.errors import ClusterError

PACKAGES = ("iptables", "libfaketime", "iproute2")
REQUIREMENTS = ("aiohttp>=3.12", "orjson>=3.10")
SOURCES = ("auto", "registry", "debian")
HOME = "/opt/windtunnel"
_DOCKERFILE = Path(__file__).with_name("Dockerfile")
_PYTHON_IMAGE = ("python", "3.12-slim")
_PROGRAMS = f"""\
FROM {{base}}
COPY impl {HOME}/impl
RUN python3 -m compileall -q {HOME}/impl
"""

Say = Callable[[str], None]


def build_image(
    *, source: str = "auto", say: Say = lambda line: None, client: DockerClient | None = None
) -> str:
    """Make the node image unless it is there, and return its tag; ``say`` is told of each step.

    ``source`` is ``registry`` (the Dockerfile), ``debian`` (debootstrap, as root) or ``auto``: the first
    if Python's image can be pulled, else the second. Raises ClusterError.
    """
    if source not in SOURCES:
        raise ClusterError(f"image source {source!r} is unknown: choose from {', '.join(SOURCES)}.")
    client = client or connect()
    if not _exists(client, base_tag()):
        _build_base(client, source, say)
    return node_image(client)


def node_image(client: DockerClient) -> str:
    """The tag of the image with the node programs as they are now. Raises ClusterError."""
    tag = node_tag()
    if _exists(client, tag):
        return tag
    if not _exists(client, base_tag()):
        raise ClusterError(f"the image {base_tag()} is missing: make it with 'windtunnel image build'.")
    with explained(f"image {tag}"):
        client.images.build(
            fileobj=io.BytesIO(_programs()),
            custom_context=True,
            tag=tag,
            rm=True,
            forcerm=True,
            network_mode="none",
            labels={"windtunnel.inputs": tag.rpartition(":")[2]},
        )
    return tag


def base_tag() -> str:
    """The base's name and the hash of what it is made from."""
    parts = (_DOCKERFILE.read_text(), debian.RECIPE, *PACKAGES, *REQUIREMENTS, platform.machine())
    return f"windtunnel-base:{_hash(part.encode() for part in parts)}"


def node_tag() -> str:
    """The image's name and the hash of its base and of the node programs."""
    contents = [base_tag().encode(), _PROGRAMS.encode()]
    for path in _files():
        contents += [str(path.relative_to(_root())).encode(), path.read_bytes()]
    return f"windtunnel-node:{_hash(contents)}"


def _hash(contents: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:12]


def _exists(client: DockerClient, tag: str) -> bool:
    with explained(f"image {tag}"):
        return bool(client.images.list(name=tag))


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


def _root() -> Path:
    return Path(impl.__file__).parent


def _files() -> list[Path]:
    return sorted(_root().rglob("*.py"))


def _programs() -> bytes:
    """A build context with the node programs, the same bytes each time."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        _add(tar, "Dockerfile", _PROGRAMS.format(base=base_tag()).encode())
        for path in _files():
            _add(tar, str(Path("impl") / path.relative_to(_root())), path.read_bytes())
    return context.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
