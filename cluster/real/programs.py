"""The node programs and the libraries they need, for machines that are not this one.

The programs go there as a wheel, made from what is imported here; the libraries as a directory that pip
fills on this machine for that machine's Python. Nothing there has to reach a package index.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path

import impl
from cluster.real.errors import ClusterError

REQUIREMENTS = ("aiohttp>=3.12", "crc32c>=2.7", "cramjam>=2.8", "kio>=0.6", "orjson>=3.10")
"""What the node programs import apart from the standard library, as pip takes it."""
_NAME, _VERSION = "windtunnel_nodes", "0"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_WITHIN_S = 600
_FETCHING = threading.Lock()


def modules() -> tuple[str, ...]:
    """The names under which the requirements are imported."""
    return tuple(name.partition(">=")[0].replace("-", "_") for name in REQUIREMENTS)


def files() -> dict[str, bytes]:
    """The node programs, by path."""
    root = Path(impl.__file__).parent
    return {
        str(Path("impl") / path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*.py"))
    }


def wheel() -> tuple[str, bytes]:
    """The name and the content of a wheel of the node programs, the same bytes each time (PEP 427)."""
    info = f"{_NAME}-{_VERSION}.dist-info"
    contents = files()
    contents[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {_NAME}\nVersion: {_VERSION}\n".encode()
    )
    contents[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{path},{_hash(content)},{len(content)}\n" for path, content in contents.items()]
    contents[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path, content in contents.items():
            file.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return f"{_NAME}-{_VERSION}-py3-none-any.whl", archive.getvalue()


def _hash(content: bytes) -> str:
    return "sha256=" + urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def install(target: Path, *, python: str, machine: str, requirements: Sequence[str]) -> None:
    """Have pip put libraries for Python ``python`` (as 3.12) on ``machine`` (as x86_64) into ``target``.

    Raises ClusterError when they cannot be had.
    """
    platforms = [f"--platform={kind}_{machine}" for kind in ("manylinux2014", "manylinux_2_28")]
    argv = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--root-user-action=ignore", "--no-compile", "--only-binary=:all:", "--implementation=cp"),
        *(f"--python-version={python}", *platforms, f"--target={target}", *requirements),
    ]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        raise ClusterError(f"pip was not through in {_WITHIN_S} s; is the network there?") from None
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines() or ["it gave no reason"]
        raise ClusterError(
            f"the libraries of the node programs cannot be had for Python {python} on {machine}:"
            f" pip said {said[-1]!r}; install {', '.join(requirements)} there."
        )


def libraries(*, python: str, machine: str) -> bytes:
    """The requirements as a compressed tar archive, kept in the user's cache while they are the same."""
    key = hashlib.sha256("\n".join((python, machine, *REQUIREMENTS)).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "windtunnel"
    kept = cache / f"libraries-{key}.tar.gz"
    with _FETCHING:
        if not kept.exists():
            archive = _archived(python, machine)
            cache.mkdir(parents=True, exist_ok=True)
            fresh = cache / f".{kept.name}-{os.getpid()}"
            fresh.write_bytes(archive)
            fresh.replace(kept)
        return kept.read_bytes()


def _archived(python: str, machine: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="windtunnel-libraries-") as place:
        target = Path(place, "lib")
        install(target, python=python, machine=machine, requirements=REQUIREMENTS)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=6) as tar:
            tar.add(target, arcname="lib")
        return archive.getvalue()
