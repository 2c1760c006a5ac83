"""A client that spreads its requests round-robin over the nodes and passes over those that are down.

An error says whether the request may have been carried out: ``DidNotHappen`` when every node that was
tried could not be reached or refused, ``MayHaveHappened`` when a request was sent and the answer did
not come. Only the former is tried again on the next node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
import orjson


class Answer(NamedTuple):
    """New IDs, and the node that handed them out."""

    ids: list[int] | list[str]
    node: str


class DidNotHappen(Exception):
    """No node handed out an ID for this request; ``reasons`` says why, by node."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{node}: {reason}" for node, reason in reasons.items()))
        self.reasons = dict(reasons)


class MayHaveHappened(Exception):
    """The request reached ``node``, or may have, and no answer came."""

    def __init__(self, node: str, reason: str) -> None:
        super().__init__(f"{node}: {reason}")
        self.node = node


class BadRequest(Exception):
    """The request itself is at fault: another node would say the same."""


class IdClient:
    """A client of the nodes at ``endpoints``, which maps names to (host, port).

    ``start`` is the node to begin with, counted from 0. A node that could not be reached, or did not
    answer in time, is left out for ``cooldown_s``; one that refused for as long as it said it will,
    ``cooldown_s`` at most.
    """

    def __init__(
        self,
        endpoints: Mapping[str, tuple[str, int]],
        *,
        start: int = 0,
        connect_timeout_s: float = 0.5,
        timeout_s: float = 1.0,
        cooldown_s: float = 2.0,
    ) -> None:
        if not endpoints:
            raise ValueError("IdClient has no endpoints; give it at least one")
        self._urls = {node: f"http://{host}:{port}/v1/ids" for node, (host, port) in endpoints.items()}
        self._ring = list(endpoints)
        self._turn = start
        self._left_out: dict[str, tuple[float, str]] = {}
        self._cooldown_s = cooldown_s
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=connect_timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        )

    async def next(self, count: int = 1) -> Answer:
        """``count`` new IDs. Raises DidNotHappen, MayHaveHappened or BadRequest."""
        reasons: dict[str, str] = {}
        for node in self._order():
            try:
                self._check_left_out(node)
                return await self._ask(node, count)
            except _Passed as passed:
                reasons[node] = str(passed)
        raise DidNotHappen(reasons)

    async def close(self) -> None:
        """Give the connections back."""
        await self._session.close()

    def _order(self) -> list[str]:
        """All nodes, from the one whose turn it is."""
        turn = self._turn % len(self._ring)
        self._turn = turn + 1
        return self._ring[turn:] + self._ring[:turn]

    async def _ask(self, node: str, count: int) -> Answer:
        body = None if count == 1 else orjson.dumps({"count": count})
        try:
            async with self._session.post(self._urls[node], data=body) as response:
                return self._read(node, response.status, await response.read())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise self._passed(node, str(error) or "connecting timed out", self._cooldown_s) from error
        except TimeoutError as error:
            self._leave_out(node, "no answer in time", self._cooldown_s)
            raise MayHaveHappened(node, "no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise MayHaveHappened(node, str(error) or type(error).__name__) from error

    def _read(self, node: str, status: int, body: bytes) -> Answer:
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise MayHaveHappened(node, f"status {status} and no JSON in the answer") from None
        match status, content:
            case 200, {"ids": ids}:
                return Answer(ids, node)
            case 503, {"error": code, "message": message, "retry_after_ms": int(retry_after_ms)}:
                raise self._passed(node, f"{code}: {message}", retry_after_ms / 1000)
            case _, {"message": message} if 400 <= status < 500:
                raise BadRequest(f"{node}: {message}")
        raise MayHaveHappened(node, f"status {status} with an answer that makes no sense")

    def _passed(self, node: str, reason: str, for_s: float) -> _Passed:
        self._leave_out(node, reason, for_s)
        return _Passed(reason)

    def _leave_out(self, node: str, reason: str, for_s: float) -> None:
        until_s = asyncio.get_running_loop().time() + min(for_s, self._cooldown_s)
        self._left_out[node] = until_s, reason

    def _check_left_out(self, node: str) -> None:
        until_s, reason = self._left_out.get(node, (0.0, ""))
        if asyncio.get_running_loop().time() < until_s:
            raise _Passed(f"left out for a while: {reason}")


class _Passed(Exception):
    """This node certainly handed out nothing: it is the next one's turn."""
