"""The first frame of a connection: a new session, one that comes back, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.records import (
    CONNECT_REQUEST,
    CONNECT_RESPONSE,
    READ_ONLY,
    ConnectRequest,
    ConnectResponse,
    ReadOnly,
)

if TYPE_CHECKING:
    from impl.coordination.serving.connection import Connection

PASSWORD_BYTES = 16


def begin(connection: Connection, frame: bytes) -> None:
    """Take up a client, or close: a server that does not serve, or is behind the client, is no use.

    Raises Malformed.
    """
    request, end = CONNECT_REQUEST.read(frame)
    asks = frame[end : end + 1]
    clients = connection.clients
    behind = clients.serving and request.last_zxid > clients.tree.zxid
    if not clients.serving or behind or (clients.read_only and asks != b"\x01"):
        connection.close()
    elif request.session:
        clients.come_back(connection, request, bool(asks))
    else:
        clients.new_session(connection, request, bool(asks))


def response(session: int, timeout_ms: int, password: bytes, tells: bool, read_only: bool) -> bytes:
    """The frame that opens a session; ``tells`` if the client knows of read-only servers."""
    body = CONNECT_RESPONSE.encode(ConnectResponse(0, timeout_ms, session, password))
    if tells:
        body += READ_ONLY.encode(ReadOnly(read_only))
    return len(body).to_bytes(4, "big") + body


def refusal(tells: bool) -> bytes:
    """The frame that says that the session is gone."""
    return response(0, 0, bytes(PASSWORD_BYTES), tells, False)


def parse_response(frame: bytes) -> tuple[ConnectResponse, bool]:
    """What a client reads of it, and whether the server is read-only. Raises Malformed."""
    answer, end = CONNECT_RESPONSE.read(frame)
    return answer, frame[end : end + 1] == b"\x01"


__all__ = ["ConnectRequest", "Malformed", "begin", "parse_response", "refusal", "response"]
