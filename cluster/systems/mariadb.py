"""Debian's MariaDB as a system under test: servers that each hand out their own part of all numbers.

The n-th of N servers has ``auto_increment_offset`` n and ``auto_increment_increment`` N, as in "several
databases with self-increasing IDs"; no server knows of another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cluster.api import Endpoint, System

PORT = 3306
PACKAGES = ("mariadb-server",)
DATABASE, TABLE, USER = "windtunnel", "ids", "windtunnel"
_GREETING_WITHIN_S = 1.0
_PROTOCOL = 10
_INSTALL = (
    'mariadb-install-db --no-defaults --user=root --datadir="$PWD/data" --skip-test-db'
    " --skip-name-resolve --auth-root-authentication-method=normal --innodb-log-file-size=8M --rpm"
    ' --tmpdir="$PWD"'
)
_START = (
    'exec mariadbd --defaults-file="$PWD/my.cnf" --datadir="$PWD/data" --socket="$PWD/socket"'
    ' --pid-file="$PWD/pid" --init-file="$PWD/init.sql"'
)
_SQL = f"""\
CREATE DATABASE IF NOT EXISTS {DATABASE};
CREATE TABLE IF NOT EXISTS {DATABASE}.{TABLE} (id BIGINT PRIMARY KEY AUTO_INCREMENT, one INT);
CREATE USER IF NOT EXISTS '{USER}'@'%';
GRANT SELECT, INSERT ON {DATABASE}.* TO '{USER}'@'%';
"""


def mariadb_system(*, nodes: tuple[str, ...], settings: Mapping[str, Any] | None = None) -> System:
    """A server on each of ``nodes``; ``settings`` are further variables of them all.

    Its facts are those of our own nodes: ``nodes`` and, by node, ``offsets`` and ``steps``.
    """
    offsets = {node: number for number, node in enumerate(nodes, 1)}

    def configure(node: str, nodes: tuple[str, ...]) -> Mapping[str, Any]:
        return {
            "user": "root",
            "port": PORT,
            "bind_address": node,
            "server_id": offsets[node],
            "auto_increment_increment": len(nodes),
            "auto_increment_offset": offsets[node],
            "innodb_buffer_pool_size": "16M",
            "innodb_log_file_size": "8M",
            "key_buffer_size": "1M",
            "performance_schema": "OFF",
            "skip_name_resolve": "ON",
            **(settings or {}),
        }

    def files(node: str, nodes: tuple[str, ...]) -> Mapping[str, str]:
        lines = (f"{key}={value}\n" for key, value in configure(node, nodes).items())
        return {"my.cnf": "[mariadbd]\n" + "".join(lines), "init.sql": _SQL}

    return System(
        name="mariadb",
        program=None,
        command=("sh", "-c", _START),
        configure=configure,
        ports={"sql": PORT},
        port="sql",
        ready=ready,
        facts={"nodes": nodes, "offsets": offsets, "steps": dict.fromkeys(nodes, len(nodes))},
        files=files,
        prepare=lambda node, nodes: ("sh", "-c", _INSTALL),
        packages=PACKAGES,
        needs=("mariadbd", "mariadb-install-db"),
        ready_within_s=60.0,
    )


async def ready(endpoint: Endpoint) -> None:
    """Return when the server at ``endpoint`` greets. Raises OSError or TimeoutError if it doesn't."""
    async with asyncio.timeout(_GREETING_WITHIN_S):
        reader, writer = await asyncio.open_connection(*endpoint)
        try:
            greeting = await reader.read(5)  # three bytes of length, a sequence number, the protocol
        finally:
            writer.close()
    if len(greeting) < 5 or greeting[4] != _PROTOCOL:
        raise OSError(f"{endpoint.host}:{endpoint.port} does not greet: {greeting!r}")
