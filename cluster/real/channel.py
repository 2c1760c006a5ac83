"""Requests to an agent and its answers, over any stream of bytes that blocks."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from contextlib import suppress
from itertools import count
from typing import Any, Protocol

from cluster.real.errors import ClusterError


class Stream(Protocol):
    """Both directions of a connection to an agent: a socket, a container's streams, an SSH channel."""

    def recv(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""

    def close(self) -> None:
        """End both directions; a ``recv`` that waits returns."""


class SocketStream:
    """A socket whose ``close`` also wakes the thread that waits in ``recv``, and tells the other end."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.recv = end.recv
        self.sendall = end.sendall

    def close(self) -> None:
        with suppress(OSError):  # the other end was faster
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()


class AgentError(ClusterError):
    """The agent could not do what it was asked, or is gone."""


class Channel:
    """The harness's end. Made within the loop that asks; a thread of its own waits for answers."""

    def __init__(self, node: str, stream: Stream) -> None:
        self._node = node
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._open = True
        threading.Thread(target=self._receive, name=f"agent of {node}", daemon=True).start()

    async def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Have the agent do one thing and return what it says. Raises AgentError."""
        if not self._open:
            raise AgentError(f"{self._node}: {do}: its agent is gone.")
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._waiting[number] = answer
        try:
            line = json.dumps({"id": number, "do": do, **arguments}).encode() + b"\n"
            await asyncio.to_thread(self._send, line)
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def run(self, argv: list[str], *, text: str = "", timeout_s: float = 30.0) -> str:
        """Run a command on the node and return what it prints. Raises AgentError when it fails."""
        done = await self.ask("run", argv=argv, input=text, timeout_s=timeout_s)
        if done["code"] != 0:
            said = done["err"].strip() or f"exit status {done['code']}"
            raise AgentError(f"{self._node}: {' '.join(argv)}: {said}")
        return str(done["out"])

    async def write(self, path: str, data: bytes) -> None:
        """Put a file on the node, relative to its directory unless absolute."""
        await self.ask("write", path=path, data=base64.b64encode(data).decode())

    def close(self) -> None:
        """Let the agent end, which undoes what it did."""
        self._stream.close()

    def _send(self, line: bytes) -> None:
        try:
            self._stream.sendall(line)
        except OSError as error:
            raise AgentError(f"{self._node}: its agent is gone: {error}") from error

    def _receive(self) -> None:
        buffer = b""
        try:
            while data := self._stream.recv(65536):
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    self._loop.call_soon_threadsafe(self._answered, json.loads(line))
        except (OSError, ValueError):
            pass
        try:
            self._loop.call_soon_threadsafe(self._ended)
        except RuntimeError:  # the loop was closed first
            self._open = False

    def _answered(self, answer: dict[str, Any]) -> None:
        waiting = self._waiting.pop(answer["id"], None)
        if waiting is None or waiting.done():
            return
        if "error" in answer:
            waiting.set_exception(AgentError(f"{self._node}: {answer['error']}"))
        else:
            waiting.set_result(answer["ok"])

    def _ended(self) -> None:
        self._open = False
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(AgentError(f"{self._node}: its agent is gone."))
