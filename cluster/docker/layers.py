"""Layers on an image, each tagged with a hash of its inputs, and used again while that is the same."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence

from docker import DockerClient

from cluster.docker.daemon import explained

Say = Callable[[str], None]

# Some packages of Java want a directory of manuals that slim images lack. A service that a package
# would start at once finds policy-rc.d in its way.
_PACKAGES = """\
FROM {base}
RUN mkdir -p /usr/share/man/man1 \\
 && printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d \\
 && apt-get update --quiet=2 \\
 && DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends {packages} \\
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /usr/share/doc /usr/sbin/policy-rc.d
"""


def packages_tag(base: str, name: str, packages: Sequence[str]) -> str:
    """The tag of ``base`` with Debian's ``packages``."""
    contents = (base, _PACKAGES, *packages)
    return f"windtunnel-{name}:{digest(part.encode() for part in contents)}"


def with_packages(client: DockerClient, base: str, name: str, packages: Sequence[str], say: Say) -> str:
    """Make ``base`` with Debian's ``packages`` unless it is there; its tag. Raises ClusterError."""
    tag = packages_tag(base, name, packages)
    if not exists(client, tag):
        say(f"making {tag} with Debian's {', '.join(packages)}: once, some minutes")
        dockerfile = _PACKAGES.format(base=base, packages=" ".join(packages))
        add(client, tag, {"Dockerfile": dockerfile.encode()}, network="host")
    return tag


def add(client: DockerClient, tag: str, context: Mapping[str, bytes], *, network: str) -> None:
    """Build ``tag`` from a Dockerfile and what it copies, by path. Raises ClusterError."""
    with explained(f"image {tag}"):
        client.images.build(
            fileobj=io.BytesIO(_archive(context)),
            custom_context=True,
            tag=tag,
            rm=True,
            forcerm=True,
            network_mode=network,
            labels={"windtunnel.inputs": tag.rpartition(":")[2]},
        )


def exists(client: DockerClient, tag: str) -> bool:
    """Whether the daemon has this image."""
    with explained(f"image {tag}"):
        return bool(client.images.list(name=tag))


def digest(contents: Iterable[bytes]) -> str:
    """Twelve hexadecimal digits that stand for all of it, in this order."""
    whole = hashlib.sha256()
    for content in contents:
        whole.update(len(content).to_bytes(8, "big") + content)
    return whole.hexdigest()[:12]


def _archive(context: Mapping[str, bytes]) -> bytes:
    """A build context, the same bytes each time."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in context.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()
