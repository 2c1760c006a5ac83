"""Debian's ZooKeeper as a system under test: the servers that nobody here wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.api import System
from cluster.systems.coordination import (
    CLIENT_PORT,
    ELECTION_PORT,
    QUORUM_PORT,
    TICK_MS,
    primaries,
    ready,
)

PACKAGES = ("libzookeeper-java", "default-jre-headless")
INIT_LIMIT, SYNC_LIMIT = 50, 15
_HOME = "/usr/share/java"
_JARS = """
zookeeper zookeeper-jute slf4j-api slf4j-simple log4j-1.2 netty-all netty-codec netty-resolver
netty-transport-native-unix-common metrics-core snappy-java commons-cli
"""
# Small and quick to start, as five of them share a machine; what it says goes to standard error, dated.
_OPTIONS = (
    *("-Xmx160m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"),
    "-Dzookeeper.extendedTypesEnabled=true",
    "-Dreadonlymode.enabled=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)
_MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"


def zookeeper_system(*, nodes: tuple[str, ...], settings: Mapping[str, Any] | None = None) -> System:
    """An ensemble of ``nodes``, the n-th of which is server n; ``settings`` are keys of a ``zoo.cfg``.

    Its facts are those of our own servers, ``coordination_system``.
    """
    config = {
        "tickTime": TICK_MS,
        "initLimit": INIT_LIMIT,
        "syncLimit": SYNC_LIMIT,
        "maxClientCnxns": 0,
        "dataDir": "data",
        "clientPort": CLIENT_PORT,
        "admin.enableServer": "false",
        "4lw.commands.whitelist": "*",
        **{
            f"server.{number}": f"{node}:{QUORUM_PORT}:{ELECTION_PORT}"
            for number, node in enumerate(nodes, 1)
        },
        **(settings or {}),
    }

    tick_ms = int(str(config["tickTime"]))

    def configure(node: str, nodes: tuple[str, ...]) -> Mapping[str, Any]:
        return {"myid": nodes.index(node) + 1, "clientPortAddress": node, **config}

    def files(node: str, nodes: tuple[str, ...]) -> Mapping[str, str]:
        own = dict(configure(node, nodes))
        myid = own.pop("myid")
        return {
            "zoo.cfg": "".join(f"{key}={value}\n" for key, value in own.items()),
            "data/myid": f"{myid}\n",
        }

    return System(
        name="zookeeper",
        program=None,
        command=("java", *_OPTIONS, "-cp", _class_path(), _MAIN, "zoo.cfg"),
        configure=configure,
        ports={"client": CLIENT_PORT, "quorum": QUORUM_PORT, "election": ELECTION_PORT},
        port="client",
        ready=ready,
        primaries=primaries,
        facts={
            "nodes": nodes,
            "servers": {node: number for number, node in enumerate(nodes, 1)},
            "tick_ms": tick_ms,
            "sync_limit_s": tick_ms * int(str(config["syncLimit"])) / 1000,
        },
        files=files,
        packages=PACKAGES,
        needs=("java", f"{_HOME}/zookeeper.jar"),
        ready_within_s=60.0,
    )


def _class_path() -> str:
    return ":".join(f"{_HOME}/{jar}.jar" for jar in _JARS.split())
