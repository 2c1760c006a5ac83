"""A coordination server: recover, join the ensemble, serve clients. The order is that of the code.

A request passes ``serving.connection``, ``zab.follower``, ``zab.leader``, ``prepare``, ``replica`` and
``tree``, and its answer goes back the same way; ``docs/coordination.md`` tells more.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from impl.coordination import config as configuration
from impl.coordination.config import Config
from impl.coordination.parts import PARTS, Parts
from impl.coordination.serving.clients import Clients
from impl.coordination.serving.connection import Connection
from impl.coordination.zab.peer import Peer
from impl.host import Host
from impl.properties import ConfigError


async def serve(host: Host, config: Mapping[str, Any], *, parts: Parts = PARTS) -> None:
    """The node program: serve until cancelled. ``config`` has the keys of a ``zoo.cfg``, and ``myid``.

    Raises ConfigError before anything is opened, Damaged if the disk lost what was acknowledged,
    DiskFailed and OSError if the disk or a port cannot be used.
    """
    checked = configuration.parse(config)
    store = await parts.recover(host.disk, checked)
    replica = parts.replica(store, snap_count=checked.snap_count, chance=host.random)
    clients = Clients(host, checked, replica, parts.watches)
    peer = Peer(host, checked, replica, clients, parts)
    async with AsyncExitStack() as stack:
        for server in await _listen(host, checked, clients):
            stack.callback(server.close)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(peer.run())
            tasks.create_task(replica.snapshots())


async def _listen(host: Host, config: Config, clients: Clients) -> list[asyncio.Server]:
    loop = asyncio.get_running_loop()
    address = config.client_address or host.name
    servers = []
    if config.client_port:
        plain = await loop.create_server(lambda: Connection(clients), address, config.client_port)
        servers.append(plain)
    if config.secure_port:
        secure = await loop.create_server(
            lambda: Connection(clients, secure=True),
            address,
            config.secure_port,
            ssl=_tls(config.ssl),
        )
        servers.append(secure)
    return servers


def _tls(files: Mapping[str, str]) -> ssl.SSLContext:
    """TLS with a certificate of our own; with one of the client's too, if any are trusted."""
    if "certificate" not in files:
        raise ConfigError("'secureClientPort' needs 'ssl.keyStore.location', a PEM file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files["certificate"], files.get("key"))
        if "trusted" in files:
            context.load_verify_locations(files["trusted"])
            context.verify_mode = ssl.CERT_REQUIRED
    except ssl.SSLError as error:
        raise ConfigError(
            f"{' or '.join(files.values())} is no PEM file with what TLS needs ({error.reason}); Java's "
            "key stores are not read: openssl pkcs12 makes PEM of a PKCS12 store, keytool that of a JKS"
        ) from None
    return context
