"""Requests under way: sent in the order in which they were made, answered in that order.

When the connection is lost, writes that were sent end with MayHaveHappened and reads wait for the next
connection, in their old order. What is asked for while there is none waits as well. So of two requests
of one client, the second never takes effect on behalf of a first that silently did not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from impl.coordination.client.errors import DidNotHappen, MayHaveHappened, from_reply
from impl.coordination.client.frames import request as request_frame
from impl.coordination.protocol.errors import Code
from impl.coordination.protocol.jute import Malformed
from impl.coordination.protocol.opcodes import WRITES, Op
from impl.coordination.protocol.records import ReplyHeader

_XID_END = 2**31 - 1
_THROUGH_THE_LEADER = WRITES | {Op.CREATE_TTL, Op.SYNC}


def _no_watch(error: int) -> None:
    """Most requests set no watch."""


class Call(NamedTuple):
    """A request before it is sent.

    ``read(frame, offset, zxid)`` makes the result of a reply; ``missing(zxid)``, if given, that of the
    answer NO_NODE. ``answered(error)`` is called before the result is known, for watches. ``changes``
    says whether it is a write.
    """

    what: str
    op: int
    payload: bytes
    changes: bool
    read: Callable[[bytes, int, int], Any]
    missing: Callable[[int], Any] | None = None
    answered: Callable[[int], None] = _no_watch


class Sent(NamedTuple):
    """What a reply tells of the session: when it was asked, and whether its leader took part."""

    sent_s: float
    by_leader: bool


class _Request:
    __slots__ = ("call", "future", "sent_s", "timer", "xid")

    def __init__(self, call: Call, future: asyncio.Future[Any], timer: asyncio.TimerHandle) -> None:
        self.call = call
        self.future = future
        self.timer = timer
        self.xid = 0
        self.sent_s = 0.0

    def fail(self, error: Exception) -> None:
        self.timer.cancel()
        if not self.future.done():
            self.future.set_exception(error)


class Pipeline:
    """All requests of one client. At most ``limit`` are under way; each ends within ``timeout_s``."""

    def __init__(self, *, limit: int, timeout_s: float) -> None:
        self._limit = limit
        self._timeout_s = timeout_s
        self._waiting: deque[_Request] = deque()
        self._pending: deque[_Request] = deque()
        self._send: Callable[[bytes], None] | None = None
        self._ended: str | None = None
        self._xid = 0

    def submit(self, call: Call) -> asyncio.Future[Any]:
        """Send ``call``, now or when there is a connection; the future has its outcome."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._ended is not None:
            future.set_exception(DidNotHappen(f"{call.what}: {self._ended}"))
            return future
        if len(self._waiting) + len(self._pending) >= self._limit:
            limit = f"{self._limit} requests are under way; wait for some of them"
            future.set_exception(DidNotHappen(f"{call.what}: {limit}"))
            return future
        timer = loop.call_later(self._timeout_s, self._time_out, future, call)
        self._pass_on(_Request(call, future, timer))
        return future

    def attach(self, send: Callable[[bytes], None]) -> None:
        """There is a connection: send what waits."""
        self._send = send
        waiting, self._waiting = self._waiting, deque()
        for request in waiting:
            if not request.future.done():
                self._pass_on(request)

    def reply(self, header: ReplyHeader, body: bytes, offset: int) -> Sent:
        """Settle the request that ``header`` answers. Raises Malformed if it is not the next one."""
        if not self._pending or self._pending[0].xid != header.xid:
            raise Malformed(f"the server answers {header.xid}, which is not what it was asked next")
        request = self._pending[0]
        call = request.call
        result: Any = None
        if header.error == Code.OK:
            result = call.read(body, offset, header.zxid)
        self._pending.popleft()
        call.answered(header.error)
        self._settle(request, header, result)
        return Sent(request.sent_s, header.error == Code.OK and call.op in _THROUGH_THE_LEADER)

    def detach(self, reason: str) -> None:
        """The connection is gone: writes are uncertain now, reads wait for the next one."""
        self._send = None
        reads: deque[_Request] = deque()
        for request in self._pending:
            if request.call.changes:
                request.fail(MayHaveHappened(f"{request.call.what}: {reason}"))
            elif not request.future.done():
                reads.append(request)
        self._pending.clear()
        self._waiting = reads + self._waiting

    def end(self, reason: str) -> None:
        """The session is over: nothing is sent any more."""
        self.detach(reason)
        self._ended = reason
        for request in self._waiting:
            request.fail(DidNotHappen(f"{request.call.what}: {reason}"))
        self._waiting.clear()

    def _pass_on(self, request: _Request) -> None:
        if self._send is None:
            self._waiting.append(request)
            return
        self._xid = self._xid % _XID_END + 1
        request.xid = self._xid
        request.sent_s = asyncio.get_running_loop().time()
        self._pending.append(request)
        self._send(request_frame(request.xid, request.call.op, request.call.payload))

    def _settle(self, request: _Request, header: ReplyHeader, result: Any) -> None:
        call = request.call
        if request.future.done():
            return
        if header.error == Code.NO_NODE and call.missing is not None:
            result = call.missing(header.zxid)
        elif header.error != Code.OK:
            request.fail(from_reply(call.what, header.error, header.zxid, changes=call.changes))
            return
        request.timer.cancel()
        if isinstance(result, Exception):
            request.future.set_exception(result)
        else:
            request.future.set_result(result)

    def _time_out(self, future: asyncio.Future[Any], call: Call) -> None:
        if future.done():
            return
        sent = any(request.future is future for request in self._pending)
        kind = MayHaveHappened if sent and call.changes else DidNotHappen
        future.set_exception(kind(f"{call.what}: no answer within {self._timeout_s:g} s"))
