"""Requests to whoever is controller, over one connection that is opened when it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from impl.queue.protocol.codec import Codec
from impl.queue.protocol.errors import ApiError, Code
from impl.queue.protocol.keys import OwnKey
from impl.queue.protocol.peer import Peer, connect


class Calls:
    """``at`` says where the controller is; a call fails while it isn't known."""

    def __init__(self, codec: Codec, connect_timeout_s: float) -> None:
        self._codec = codec
        self._connect_timeout_s = connect_timeout_s
        self._address: tuple[str, int] | None = None
        self._peer: Peer | None = None
        self._connecting = asyncio.Lock()

    def at(self, address: tuple[str, int] | None) -> None:
        """The controller is here now."""
        if address != self._address:
            self.close()
            self._address = address

    async def ask(self, key: OwnKey, values: Mapping[str, Any], timeout_s: float) -> Mapping[str, Any]:
        """The answer. Raises ApiError with the code it has, and PEER_ERRORS if none comes."""
        peer = await self._connected()
        answer: Mapping[str, Any] = await peer.ask(key, 0, values, timeout_s)
        if answer["error"]:
            raise ApiError(Code(answer["error"]), answer.get("message"))
        return answer

    async def _connected(self) -> Peer:
        async with self._connecting:
            if self._peer is not None and self._peer.open:
                return self._peer
            if self._address is None:
                raise ConnectionRefusedError("there is no controller")
            address = self._address
            peer = await connect(self._codec, *address, self._connect_timeout_s)
            if address != self._address:
                peer.close()
                raise ConnectionResetError("the controller has changed")
            self._peer = peer
            return peer

    def close(self) -> None:
        """End the connection."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None
