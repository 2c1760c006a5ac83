"""The four-letter words: what a server tells of itself to whoever connects and says one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impl.coordination.serving.clients import Clients
    from impl.coordination.serving.connection import Connection

VERSION = "3.8.0-windtunnel, built on 2026-01-01 00:00 UTC"
NOT_SERVING = "This ZooKeeper instance is not currently serving requests\n"


def answer(clients: Clients, word: bytes) -> bytes | None:
    """What ``word`` is answered with; None if it is no word."""
    tell = _WORDS.get(word)
    if tell is None:
        return None
    allowed = clients.config.words
    if allowed is not None and word.decode() not in allowed:
        return f"{word.decode()} is not executed because it is not in the whitelist.\n".encode()
    return tell(clients).encode()


def _ruok(clients: Clients) -> str:
    return "imok"


def _isro(clients: Clients) -> str:
    if not clients.serving:
        return "null"
    return "ro" if clients.read_only else "rw"


def _srvr(clients: Clients) -> str:
    if clients.role is None:
        return NOT_SERVING
    return f"Zookeeper version: {VERSION}\n{_summary(clients)}"


def _stat(clients: Clients) -> str:
    if clients.role is None:
        return NOT_SERVING
    lines = "".join(f" {_line(each)})\n" for each in clients.connections)
    return f"Zookeeper version: {VERSION}\nClients:\n{lines}\n{_summary(clients)}"


def _summary(clients: Clients) -> str:
    assert clients.role is not None
    return (
        f"Latency min/avg/max: {_latency(clients)}\n"
        f"Received: {_received(clients)}\nSent: {_sent(clients)}\n"
        f"Connections: {len(clients.connections)}\nOutstanding: {_outstanding(clients)}\n"
        f"Zxid: {clients.reported_zxid:#x}\nMode: {clients.role.mode}\n"
        f"Node count: {len(clients.tree.nodes)}\n"
    )


def _cons(clients: Clients) -> str:
    if clients.role is None:
        return NOT_SERVING
    return "".join(
        f" {_line(each)},sid={each.session & (1 << 64) - 1:#x},to={each.timeout_ms},"
        f"lzxid={each.last_zxid:#x},minlat={each.latency.least_ms},"
        f"avglat={each.latency.mean_ms:.0f},maxlat={each.latency.greatest_ms})\n"
        for each in clients.connections
    )


def _line(connection: Connection) -> str:
    host, port = connection.peer
    counts = f"queued={len(connection.queue)},recved={connection.received},sent={connection.sent}"
    return f"/{host}:{port}[{int(connection.session != 0)}]({counts}"


def _mntr(clients: Clients) -> str:
    if clients.role is None:
        return NOT_SERVING
    tree = clients.tree
    watches, _ = clients.watches.counts()
    values = {
        "version": VERSION,
        "server_state": clients.role.mode,
        "avg_latency": clients.latency.mean_ms,
        "max_latency": clients.latency.greatest_ms,
        "min_latency": clients.latency.least_ms,
        "num_alive_connections": len(clients.connections),
        "outstanding_requests": _outstanding(clients),
        "packets_received": _received(clients),
        "packets_sent": _sent(clients),
        "znode_count": len(tree.nodes),
        "watch_count": watches,
        "ephemerals_count": sum(map(len, tree.ephemerals.values())),
        "global_sessions": len(tree.sessions),
        "approximate_data_size": sum(
            len(path) + len(node.data or b"") for path, node in tree.nodes.items()
        ),
        "last_zxid": f"{tree.zxid:#x}",
        "digest": tree.digest(),
    }
    return "".join(f"zk_{name}\t{value}\n" for name, value in values.items())


def _envi(clients: Clients) -> str:
    return f"Environment:\nzookeeper.version={VERSION}\nhost.name={clients.config.client_address}\n"


def _conf(clients: Clients) -> str:
    config = clients.config
    lines = {
        "clientPort": config.client_port,
        "secureClientPort": config.secure_port or -1,
        "tickTime": config.tick_ms,
        "maxClientCnxns": config.max_connections,
        "minSessionTimeout": config.session_ms(0),
        "maxSessionTimeout": config.session_ms(2**31),
        "serverId": config.me,
        "initLimit": config.init_limit,
        "syncLimit": config.sync_limit,
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def _latency(clients: Clients) -> str:
    of = clients.latency
    return f"{of.least_ms}/{of.mean_ms}/{of.greatest_ms}"


def _received(clients: Clients) -> int:
    return clients.packets_received + sum(each.received for each in clients.connections)


def _sent(clients: Clients) -> int:
    return clients.packets_sent + sum(each.sent for each in clients.connections)


def _outstanding(clients: Clients) -> int:
    return sum(len(each.queue) for each in clients.connections)


_WORDS: Mapping[bytes, Callable[[Clients], str]] = MappingProxyType(
    {
        b"ruok": _ruok,
        b"isro": _isro,
        b"srvr": _srvr,
        b"stat": _stat,
        b"cons": _cons,
        b"mntr": _mntr,
        b"envi": _envi,
        b"conf": _conf,
    }
)
