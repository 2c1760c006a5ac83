"""A process's turn at something that one holds at a time: queueing for it, believing, giving it up.

Queueing goes on from operation to operation, so that a place in the queue is kept. Everything is timed
when it happens, whatever the operation is that tells of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from history.op import Op
from impl.coordination.client.client import Client
from impl.coordination.client.errors import DidNotHappen, MayHaveHappened, ServerError
from impl.coordination.client.watches import WatchEvent
from impl.coordination.recipes.holding import Holding
from impl.coordination.recipes.insist import SessionLost
from impl.coordination.recipes.turns import Removed
from workloads.coordination import Session, loop_ns
from workloads.workload import ClientContext

Campaign: TypeAlias = Callable[[Client], Awaitable[Holding]]
"""Queues up, and returns what is held."""

WAIT_S = 2.0
_OVER = (SessionLost, Removed, ServerError, DidNotHappen, MayHaveHappened)


class Tenure:
    """What is held, since when, and, once it is no longer believed, until when."""

    def __init__(self, holding: Holding) -> None:
        self.holding = holding
        self.from_ns = loop_ns()
        self.until_ns: int | None = None
        self.reason = ""
        self._watch = asyncio.ensure_future(self._until_lost())

    async def _until_lost(self) -> None:
        self.reason = await self.holding.lost()
        self.until_ns = self.until_ns or loop_ns()

    def end(self) -> None:
        """No longer believed, if it still was."""
        if self.until_ns is None:
            self.until_ns = loop_ns()
        self._watch.cancel()

    def told(self) -> dict[str, Any]:
        """What a history says of it."""
        holding = self.holding
        told = {"token": holding.token, "path": holding.path, "from_ns": self.from_ns}
        if self.until_ns is not None:
            told["until_ns"] = self.until_ns
        return told


class Turns:
    """One process's part: at most one place in the queue, and one tenure."""

    def __init__(self, context: ClientContext, campaign: Campaign) -> None:
        self.session = Session(context, on_client=self._listen)
        self._campaign = campaign
        self._queueing: asyncio.Task[Tenure] | None = None
        self._woken: list[list[Any]] = []
        self.tenure: Tenure | None = None

    async def acquire(self, op: Op) -> Op:
        """Queue, or go on queueing, for up to two seconds: ``ok`` when it is held, else ``fail``."""
        if self.tenure is not None:
            return self._completed(op, "fail", error="held already")
        try:
            if self._queueing is None:
                client = await self.session.open()
                self._queueing = asyncio.ensure_future(self._queue(client))
            await asyncio.wait((self._queueing,), timeout=WAIT_S)
            if not self._queueing.done():
                return self._completed(op, "fail", error="still queueing")
            task, self._queueing = self._queueing, None
            self.tenure = task.result()
        except _OVER as error:
            self._queueing = None
            return self._completed(op, "fail", error=str(error))
        return self._completed(op, "ok")

    def check(self, op: Op) -> Op:
        """``ok`` if it is believed to be held, now."""
        tenure = self.tenure
        if tenure is None or not tenure.holding.believes():
            return self._completed(op, "fail", error="not held" if tenure is None else tenure.reason)
        return self._completed(op, "ok", believed_ns=loop_ns())

    async def release(self, op: Op) -> Op:
        """Give it up; ``fail`` if it was lost before."""
        tenure = self.tenure
        if tenure is None:
            return self._completed(op, "fail", error="not held")
        believed = tenure.holding.believes()
        tenure.end()
        try:
            async with asyncio.timeout(WAIT_S):
                await tenure.holding.release()
        except (TimeoutError, *_OVER):
            pass
        answer = self._completed(op, "ok" if believed else "fail", error=None if believed else "lost")
        self.tenure = None
        return answer

    async def crash(self, op: Op) -> Op:
        """Fall silent with whatever is held: others get it when the session has expired."""
        if self.tenure is not None:
            self.tenure.end()
        self._stop_queueing()
        await self.session.abandon()
        answer = self._completed(op, "ok")
        self.tenure = None
        return answer

    def forget(self) -> None:
        """What was held went with the session."""
        if self.tenure is not None:
            self.tenure.end()
        self.tenure = None

    async def close(self) -> None:
        """Leave the queue, or what is held, with the session."""
        self._stop_queueing()
        if self.tenure is not None:
            self.tenure.end()
        await self.session.close()

    async def _queue(self, client: Client) -> Tenure:
        return Tenure(await self._campaign(client))

    def _stop_queueing(self) -> None:
        if self._queueing is not None:
            self._queueing.cancel()
            self._queueing = None

    async def _listen(self, client: Client) -> None:
        client.listen_events(self._note)

    def _note(self, event: WatchEvent) -> None:
        if self.tenure is None:
            self._woken.append([loop_ns(), event.path])

    def _completed(self, op: Op, type_: Any, *, error: str | None = None, **more: Any) -> Op:
        value = {**({} if self.tenure is None else self.tenure.told()), **more}
        if self._woken:
            value["woken"], self._woken = self._woken, []
        return op.completed(type_, value=value or None, error=error, node=self.session.node)
