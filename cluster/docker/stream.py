"""A container's standard streams as one stream of bytes."""

from __future__ import annotations

from typing import Any

from cluster.real.channel import SocketStream

_HEADER_BYTES = 8


class ContainerStream:
    """What is sent goes to the container's standard input; its standard output is received.

    The daemon frames output as a stream number, three bytes of nothing and a length in four bytes, big
    endian (Docker Engine API, "Attach to a container").
    """

    def __init__(self, attached: Any) -> None:
        end = getattr(attached, "_sock", attached)
        end.settimeout(None)
        self._socket = SocketStream(end)
        self._kept = attached  # the connection ends when the SDK's object is collected
        self._left = 0
        self.sendall = self._socket.sendall
        self.close = self._socket.close

    def recv(self, size: int) -> bytes:
        if self._left == 0:
            header = self._exactly(_HEADER_BYTES)
            if not header:
                return b""
            self._left = int.from_bytes(header[4:], "big")
        data = self._socket.recv(min(size, self._left))
        self._left -= len(data)
        return data

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                return b""
            data += more
        return data
