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

    ``start`` is the node to begin with, counted from 0. A node that could not be reached is left out
    for ``cooldown_s``, unless no other is left. One that refused is not asked before the time it said
    that it will, ``cooldown_s`` at most.
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
        self._down_until: dict[str, float] = {}
        self._refusals: dict[str, tuple[float, str]] = {}
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
                self._check_refusal(node)
                return await self._ask(node, count)
            except _Passed as passed:
                reasons[node] = str(passed)
                self._remember(node, passed)
        raise DidNotHappen(reasons)

    async def close(self) -> None:
        """Give the connections back."""
        await self._session.close()

    def _order(self) -> list[str]:
        """All nodes, from the one whose turn it is; those that are down come last."""
        turn = self._turn % len(self._ring)
        self._turn = turn + 1
        now = asyncio.get_running_loop().time()
        ring = self._ring[turn:] + self._ring[:turn]
        return sorted(ring, key=lambda node: self._down_until.get(node, 0.0) > now)

    async def _ask(self, node: str, count: int) -> Answer:
        body = None if count == 1 else orjson.dumps({"count": count})
        try:
            async with self._session.post(self._urls[node], data=body) as response:
                return _read(node, response.status, await response.read())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self._mark_down(node)
            raise _Passed(str(error) or "connecting timed out") from error
        except TimeoutError as error:
            self._mark_down(node)
            raise MayHaveHappened(node, "no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise MayHaveHappened(node, str(error) or type(error).__name__) from error

    def _check_refusal(self, node: str) -> None:
        until, reason = self._refusals.get(node, (0.0, ""))
        if asyncio.get_running_loop().time() < until:
            raise _Passed(reason)

    def _remember(self, node: str, passed: _Passed) -> None:
        if passed.for_s:
            until = asyncio.get_running_loop().time() + min(passed.for_s, self._cooldown_s)
            self._refusals[node] = until, str(passed)

    def _mark_down(self, node: str) -> None:
        self._down_until[node] = asyncio.get_running_loop().time() + self._cooldown_s


class _Passed(Exception):
    """This node certainly handed out nothing, nor will it for ``for_s``: it is the next one's turn."""

    def __init__(self, reason: str, *, for_s: float = 0.0) -> None:
        super().__init__(reason)
        self.for_s = for_s


def _read(node: str, status: int, body: bytes) -> Answer:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MayHaveHappened(node, f"status {status} and no JSON in the answer") from None
    match status, content:
        case 200, {"ids": ids}:
            return Answer(ids, node)
        case 503, {"error": code, "message": message, "retry_after_ms": int(retry_after_ms)}:
            raise _Passed(f"{code}: {message}", for_s=retry_after_ms / 1000)
        case _, {"message": message} if 400 <= status < 500:
            raise BadRequest(f"{node}: {message}")
    raise MayHaveHappened(node, f"status {status} with an answer that makes no sense")
