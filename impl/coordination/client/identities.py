"""Credentials: proved to every server that is connected, and who waits for a server's word on them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from impl.coordination.client.errors import DidNotHappen
from impl.coordination.client.frames import request
from impl.coordination.protocol import opcodes
from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.opcodes import Op
from impl.coordination.protocol.records import AUTH, AuthPacket


class _Identity(NamedTuple):
    packet: AuthPacket
    accepted: asyncio.Future[None]


class Identities:
    """All credentials of a session; servers answer in the order in which they are sent."""

    def __init__(self) -> None:
        self._all: list[_Identity] = []
        self._unproven: deque[_Identity] = deque()
        self._send: Callable[[bytes], None] | None = None

    def add(self, packet: AuthPacket) -> asyncio.Future[None]:
        """Send ``packet`` now and to each further server; done once the first has accepted it."""
        identity = _Identity(packet, asyncio.get_running_loop().create_future())
        self._all.append(identity)
        if self._send is not None:
            self._prove(identity)
        return identity.accepted

    def attach(self, send: Callable[[bytes], None]) -> None:
        """A server is connected: ``send`` reaches it."""
        self._send = send
        self._unproven.clear()
        for identity in self._all:
            self._prove(identity)

    def detach(self) -> None:
        """No server is connected."""
        self._send = None

    def judged(self, *, accepted: bool) -> bool:
        """The server's word on the credentials whose turn it is, returned. Raises Malformed."""
        if not self._unproven:
            raise Malformed("the server answers an authentication that it was not asked for")
        identity = self._unproven.popleft()
        if accepted and not identity.accepted.done():
            identity.accepted.set_result(None)
        return accepted

    def end(self, reason: str) -> None:
        """The session is over: nobody will accept what is not accepted yet."""
        self._send = None
        for identity in self._all:
            if not identity.accepted.done():
                identity.accepted.set_exception(DidNotHappen(f"auth: {reason}"))

    def _prove(self, identity: _Identity) -> None:
        assert self._send is not None
        self._unproven.append(identity)
        self._send(request(opcodes.XID_AUTH, Op.AUTH, AUTH.encode(identity.packet)))
