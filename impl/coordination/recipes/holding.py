"""What a client holds by an ephemeral znode, a lock or an office, and until when it may believe so.

The znode goes when the servers let the session expire. A holder counts the session timeout from the
sending of the last request in which the leader had a part, and the leader from when it dealt with it: so
the holder stops believing first, whatever is lost on the way. That holds for clocks that run at the
same speed; the client's ``margin`` is for those that do not. It does not hold for what a holder does
after it has looked: a process may be paused between ``believes()`` and the deed. Whoever guards a
resource must therefore refuse tokens that are less than one it has seen.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from impl.coordination.client.client import Client
from impl.coordination.client.states import Transition
from impl.coordination.recipes.entries import discard
from impl.coordination.recipes.insist import insist


class Holding:
    """Something held. ``token`` is the czxid of its znode: it grows from holder to holder.

    Once lost it stays lost: who wants it again has to queue again.
    """

    def __init__(self, client: Client, path: str, token: int) -> None:
        self.path = path
        self.token = token
        self._czxid = token
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[str] = self._loop.create_future()
        self._let_go = client.hold()
        self._stop_listening = client.listen(self._listen)
        self._timer = self._loop.call_at(client.certain_until_s, self._check)

    def believes(self) -> bool:
        """Whether it is certain, now, that nobody else holds it."""
        self._check_now()
        return not self._over.done()

    async def lost(self) -> str:
        """Return, with the reason, once this is no longer believed, after ``release`` as well."""
        return await asyncio.shield(self._over)

    async def release(self) -> None:
        """Stop believing, then delete the znode; returns when it is gone, or the session is over."""
        self._end("released")
        await asyncio.shield(self._client.errand(discard(self._client, self.path, self._czxid)))

    async def __aenter__(self) -> Holding:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.release()

    def _check(self) -> None:
        self._check_now()
        if not self._over.done():
            self._timer = self._loop.call_at(self._client.certain_until_s, self._check)

    def _check_now(self) -> None:
        if not self._over.done() and self._loop.time() >= self._client.certain_until_s:
            self._give_up("the leader was not heard of for so long that the session may be over")

    def _listen(self, transition: Transition) -> None:
        if transition.state.final:
            self._give_up(f"the session is {transition.state.value}: {transition.reason}")

    def _give_up(self, reason: str) -> None:
        if self._over.done():
            return
        self._end(reason)
        if not self._client.state.final:
            self._client.errand(discard(self._client, self.path, self._czxid))

    def _end(self, reason: str) -> None:
        if not self._over.done():
            self._over.set_result(reason)
            self._timer.cancel()
            self._let_go()
            self._stop_listening()


async def hold(client: Client, path: str, token: int) -> Holding:
    """Hold what the znode at ``path`` with this czxid stands for. Raises SessionLost."""
    let_go = client.hold()
    try:
        while asyncio.get_running_loop().time() >= client.certain_until_s:
            await insist(client, client.sync)
        return Holding(client, path, token)
    finally:
        let_go()
