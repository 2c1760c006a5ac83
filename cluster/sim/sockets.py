"""What libraries get when they ask for a socket inside the simulation.

Event-loop clients such as aiohttp make a socket, connect it through ``loop.sock_connect`` and hand it to
``loop.create_connection``; others only look at addresses and set options. That much works; whatever
would really touch a kernel raises.
"""

from __future__ import annotations

import socket
from typing import Any

_UNCONNECTED = ("0.0.0.0", 0)


class SimSocket:
    """Stands for ``socket.socket``: addresses, options, and the connection made through it."""

    def __init__(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,
        proto: int = socket.IPPROTO_TCP,
        fileno: int | None = None,
    ) -> None:
        self.family = family
        self.type = type
        self.proto = proto
        self.connection: Any = None
        self.bound: tuple[str, int] = _UNCONNECTED
        self.addresses: tuple[Any, Any] = (_UNCONNECTED, _UNCONNECTED)

    def getsockname(self) -> Any:
        return self.connection.get_extra_info("sockname") if self.connection else self.addresses[0]

    def getpeername(self) -> Any:
        return self.connection.get_extra_info("peername") if self.connection else self.addresses[1]

    def setsockopt(self, *args: Any) -> None:
        """Accepted and without effect: there is no kernel to tune."""

    def getsockopt(self, *args: Any) -> int:
        return 0

    def setblocking(self, flag: bool) -> None:
        """Accepted: only the loop connects simulated sockets."""

    def settimeout(self, value: float | None) -> None:
        """Accepted: only the loop connects simulated sockets."""

    def gettimeout(self) -> float | None:
        return 0.0

    def bind(self, address: tuple[str, int]) -> None:
        self.bound = address

    def listen(self, backlog: int = 0) -> None:
        """Accepted: ``loop.create_server(sock=...)`` opens the port."""

    def fileno(self) -> int:
        return -1

    def shutdown(self, how: int) -> None:
        if self.connection is not None:
            self.connection.close()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()

    def detach(self) -> int:
        return -1

    def __enter__(self) -> SimSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise OSError(f"socket.{name} is not simulated: use asyncio streams or protocols")
