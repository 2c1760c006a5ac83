"""Real backends in tests: skipped where they cannot be had, except in CI, where that is a failure."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cluster.api import System
from cluster.local import namespace
from cluster.real.errors import ClusterError
from tests.support.needs import lacking

ROOT = Path(__file__).parents[2]
BACKENDS = ("local", "docker")
WITHIN_S = 240
_DIRECTORIES = (b"/run/windtunnel", b"/var/lib/windtunnel")


def require(backend: str) -> None:
    """Skip the test, saying why, unless ``backend`` can be used; in CI fail instead."""
    if reason := _lacking(backend):
        lacking(reason)


@cache
def _lacking(backend: str) -> str | None:
    try:
        if backend == "local":
            namespace.require()
        else:
            docker = pytest.importorskip("cluster.docker.daemon")
            image = pytest.importorskip("cluster.docker.image")
            client = docker.connect()
            image.node_image(client)
            if backend == "ssh":
                sshhosts = pytest.importorskip("tests.support.sshhosts")
                sshhosts.image_tag()
    except ClusterError as error:
        return str(error)
    return None


def python(
    *arguments: str, more: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[str]:
    """Start this Python with the checkout on its path and ``more`` in its environment; output: text."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "PYTHONHASHSEED": "0"}
    environment |= more or {}
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@contextmanager
def alone() -> Iterator[None]:
    """No other test of a real backend runs meanwhile, in whichever process: they share one machine."""
    with Path(tempfile.gettempdir(), "windtunnel-tests.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def machines(
    backend: str, place: Path, nodes: tuple[str, ...], *, system: System | None = None
) -> Iterator[tuple[str, ...]]:
    """What is to be said beside the backend: of hosts, the inventory. To be used ``alone``."""
    if backend != "ssh":
        yield ()
        return
    from tests.support.sshhosts import ssh_hosts

    with ssh_hosts(place, nodes, system=system) as hosts:
        yield (str(hosts.inventory()),)


def facts_of(script: str, *arguments: str) -> dict[str, Any]:
    """What ``python -m script arguments`` prints on its last line, as JSON. To be used ``alone``."""
    with python("-m", script, *arguments, cwd=ROOT) as process:
        out, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0, err
    facts: dict[str, Any] = json.loads(out.splitlines()[-1])
    return facts


def left(backend: str) -> list[str]:
    """What is left on this machine of any run: containers, networks, processes of nodes."""
    if backend == "local":
        return nodes_left()
    from cluster.docker.daemon import MARK, connect

    client = connect()
    found = [str(one.name) for one in client.containers.list(all=True, filters={"label": MARK})]
    return (
        found + [str(one.name) for one in client.networks.list(filters={"label": MARK})] + nodes_left()
    )


def nodes_left() -> list[str]:
    """Command lines of nodes and agents that run on this machine, in whatever namespace."""
    return [line for place in Path("/proc").glob("[0-9]*") if (line := _ours(place))]


def _ours(process: Path) -> str:
    """The command line, if it is one of ours: tests of the node programs run some as well."""
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        environment = (process / "environ").read_bytes()
    except OSError:
        return ""
    agent = any(word in _DIRECTORIES or word.startswith(b"/run/windtunnel/") for word in words)
    node = any(b"FAKETIME_TIMESTAMP_FILE=" + place in environment for place in _DIRECTORIES)
    return b" ".join(words[:4]).decode("utf-8", "replace") if agent or node else ""
