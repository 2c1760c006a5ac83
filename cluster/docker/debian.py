"""The base image from Debian's packages, where no image registry can be reached.

debootstrap unpacks and configures them in a directory; pip, on this machine, puts the Python packages
for that system's Python beside them; Docker imports the whole. Needs root, as debootstrap does.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from docker import DockerClient

from cluster.docker.daemon import explained
from cluster.real import programs
from cluster.real.errors import ClusterError

SUITE = "bookworm"
HOME = "opt/windtunnel"
RECIPE = "debootstrap minbase 1"
"""Changed whenever what is made here from the same packages changes."""
_WITHIN_S = 900
_UNUSED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
)
_CHANGES = [
    f"ENV PYTHONPATH=/{HOME}/lib:/{HOME}",
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    'CMD ["python3"]',
]


def build(
    client: DockerClient,
    tag: str,
    *,
    packages: Sequence[str],
    requirements: Sequence[str],
    say: Callable[[str], None],
) -> None:
    """Make the image ``tag``. Raises ClusterError, saying what is missing or what went wrong."""
    _require()
    with tempfile.TemporaryDirectory(prefix="windtunnel-image-") as place:
        root = Path(place, "root")
        say(f"debootstrap {SUITE} with {', '.join(packages)}")
        include = ",".join(("python3", *packages))
        _run("debootstrap", "--variant=minbase", f"--include={include}", SUITE, str(root))
        say(f"pip: {', '.join(requirements)}")
        _install(root, requirements)
        _trim(root)
        say(f"importing {tag}")
        archive = str(Path(place, "root.tar"))
        _run("tar", "--directory", str(root), "--create", "--file", archive, ".")
        _import(client, archive, tag)


def _require() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        raise ClusterError(
            "an image from Debian's packages is made by root on Linux: run as root, or where"
            " python:3.12-slim can be pulled."
        )
    if not shutil.which("debootstrap"):
        raise ClusterError("debootstrap is missing: install it (apt-get install debootstrap).")


def _install(root: Path, requirements: Sequence[str]) -> None:
    """Wheels for the new system's Python, whatever this one is."""
    version = _run(
        "chroot", str(root), "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"
    ).strip()
    library = root / HOME / "lib"
    programs.install(library, python=version, machine=platform.machine(), requirements=requirements)
    _run("chroot", str(root), "python3", "-m", "compileall", "-q", f"/{HOME}/lib")
    python = root / "usr/local/bin/python"
    if not python.exists():
        python.symlink_to("/usr/bin/python3")


def _trim(root: Path) -> None:
    for path in _UNUSED:
        shutil.rmtree(root / path, ignore_errors=True)
        (root / path).mkdir(parents=True)


def _import(client: DockerClient, archive: str, tag: str) -> None:
    repository, _, version = tag.partition(":")
    with explained(f"image {tag}"):
        client.api.import_image_from_file(archive, repository=repository, tag=version, changes=_CHANGES)


def _run(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_WITHIN_S, check=False)
    except FileNotFoundError:
        raise ClusterError(f"{argv[0]} is missing: install it.") from None
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"{argv[0]} was not through in {_WITHIN_S} s; is the network there?"
        ) from None
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).strip().splitlines() if line.strip()]
        full = "No space left" in done.stdout + done.stderr
        why = "the disk is full" if full else (said or ["it gave no reason"])[-1]
        raise ClusterError(f"image: {Path(argv[0]).name} failed: {why}.")
    return done.stdout
