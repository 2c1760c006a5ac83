"""The inventory: which hosts the nodes are, who we are there, and how we know that they are they.

A TOML file. What stands at its top holds for all nodes unless a node says otherwise::

    user = "root"                        # this user, unless given; others become root by sudo
    key = "~/.ssh/id_ed25519"            # else those of the SSH agent and the usual files
    known_hosts = "~/.ssh/known_hosts"   # this file, unless given
    host_keys = "known"                  # "any" accepts every host key: for machines made a minute ago

    [nodes.n1]
    host = "192.0.2.1"                   # where this machine reaches it
    port = 22                            # of its sshd
    address = "10.0.0.1"                 # where the other nodes reach it; host, unless given
    ports = { 8080 = 18080 }             # where this machine reaches a port of it, if not by that number

Passwords never stand in it: ``password_env`` and ``sudo_password_env`` name environment variables.
"""

from __future__ import annotations

import getpass
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.real.errors import ClusterError

_KEYS: Mapping[str, type] = {
    "host": str,
    "port": int,
    "address": str,
    "ports": dict,
    "user": str,
    "key": str,
    "known_hosts": str,
    "host_keys": str,
    "password_env": str,
    "sudo_password_env": str,
}
_OF_ONE_NODE = ("host", "address", "ports")
_HOST_KEYS = ("known", "any")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One node's machine, as the module's docstring says; passwords are those that were found."""

    node: str
    host: str
    port: int = 22
    address: str
    ports: Mapping[int, int] = field(default_factory=dict)
    user: str
    key: Path | None = None
    known_hosts: Path
    any_host_key: bool = False
    password: str | None = field(default=None, repr=False)
    sudo_password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" + (f" port {self.port}" if self.port != 22 else "")


@dataclass(frozen=True, slots=True)
class Inventory:
    """All hosts by the names of their nodes."""

    path: Path
    hosts: Mapping[str, Host]

    def of(self, nodes: tuple[str, ...]) -> tuple[Host, ...]:
        """The hosts of ``nodes``. Raises ClusterError for one that is missing."""
        if missing := [node for node in nodes if node not in self.hosts]:
            raise ClusterError(
                f"{self.path}: there is no [nodes.{missing[0]}]; it has {', '.join(self.hosts)}:"
                f" add it, or say --nodes {','.join(self.hosts)}."
            )
        return tuple(self.hosts[node] for node in nodes)


def read_inventory(path: Path) -> Inventory:
    """The inventory in a file. Raises ClusterError, with file and key, for what is wrong with it."""
    try:
        entries = tomllib.loads(path.read_text())
    except OSError as error:
        raise ClusterError(f"inventory {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ClusterError(f"inventory {path} is not TOML: {error}.") from None
    nodes = entries.pop("nodes", None)
    if not isinstance(nodes, dict) or not nodes or not all(isinstance(n, dict) for n in nodes.values()):
        raise ClusterError(
            f'inventory {path} names no node: write [nodes.n1] and host = "..." below it.'
        )
    _check(path, "its top", entries, [key for key in _KEYS if key not in _OF_ONE_NODE])
    hosts = {node: _host(path, node, {**entries, **own}) for node, own in nodes.items()}
    return Inventory(path, _distinct(path, hosts))


def _host(path: Path, node: str, entry: dict[str, Any]) -> Host:
    _check(path, f"[nodes.{node}]", entry, list(_KEYS))
    if not entry.get("host"):
        raise ClusterError(f"inventory {path}: [nodes.{node}] has no host.")
    key = entry.get("key")
    return Host(
        node=node,
        host=entry["host"],
        port=entry.get("port", 22),
        address=entry.get("address", entry["host"]),
        ports=_ports(path, node, entry.get("ports", {})),
        user=entry.get("user") or getpass.getuser(),
        key=None if key is None else _file(path, key),
        known_hosts=_file(path, entry.get("known_hosts", "~/.ssh/known_hosts")),
        any_host_key=entry.get("host_keys", "known") == "any",
        password=_secret(path, node, "password_env", entry),
        sudo_password=_secret(path, node, "sudo_password_env", entry),
    )


def _check(path: Path, where: str, entry: Mapping[str, Any], keys: list[str]) -> None:
    for key, value in entry.items():
        if key in ("password", "sudo_password"):
            raise ClusterError(
                f"inventory {path}: {where} has a {key}: put it into a variable of the environment and"
                f' name that one, {key}_env = "...".'
            )
        if key not in keys:
            raise ClusterError(f"inventory {path}: {where} has {key!r}; possible are {', '.join(keys)}.")
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            raise ClusterError(f"inventory {path}: {key} of {where} must be a {_KEYS[key].__name__}.")
    if entry.get("host_keys", "known") not in _HOST_KEYS:
        raise ClusterError(
            f"inventory {path}: host_keys of {where} must be one of {', '.join(_HOST_KEYS)}."
        )


def _ports(path: Path, node: str, entry: Mapping[str, Any]) -> dict[int, int]:
    try:
        return {int(port): int(reached) for port, reached in entry.items()}
    except (TypeError, ValueError):
        raise ClusterError(f"inventory {path}: ports of [nodes.{node}] must be numbers.") from None


def _file(path: Path, name: str) -> Path:
    """Relative to the inventory."""
    return path.parent / Path(name).expanduser()


def _secret(path: Path, node: str, key: str, entry: Mapping[str, Any]) -> str | None:
    name = entry.get(key)
    if name is None:
        return None
    if name not in os.environ:
        raise ClusterError(f"inventory {path}: {key} of {node} is {name}, which is not set: export it.")
    return os.environ[name]


def _distinct(path: Path, hosts: dict[str, Host]) -> dict[str, Host]:
    seen: dict[str, str] = {}
    for node, host in hosts.items():
        if host.address in seen:
            raise ClusterError(
                f"inventory {path}: {seen[host.address]} and {node} are the same machine,"
                f" {host.address}: each node needs its own."
            )
        seen[host.address] = node
    return hosts
