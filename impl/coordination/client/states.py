"""The states of a client's session, and who is told when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, TypeAlias


class State(Enum):
    """CONNECTING until the first server has given a session; SUSPENDED while none is reached.

    EXPIRED, CLOSED and AUTH_FAILED are final: a client that has said so stays so, and another session
    takes another client.
    """

    CONNECTING = "connecting"
    CONNECTED = "connected"
    CONNECTED_READ_ONLY = "connected-read-only"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    CLOSED = "closed"
    AUTH_FAILED = "auth-failed"

    @property
    def final(self) -> bool:
        """Whether the session is over."""
        return self in (State.EXPIRED, State.CLOSED, State.AUTH_FAILED)

    @property
    def connected(self) -> bool:
        """Whether a server is there to ask."""
        return self in (State.CONNECTED, State.CONNECTED_READ_ONLY)


class Transition(NamedTuple):
    """The state that was entered, and why, as a sentence."""

    state: State
    reason: str


Listener: TypeAlias = Callable[[Transition], None]


class States:
    """The present state. Listeners are told of each change, in order, by the event loop's next turn."""

    def __init__(self) -> None:
        self.now = Transition(State.CONNECTING, "not started yet")
        self._listeners: list[Listener] = []

    def enter(self, state: State, reason: str) -> None:
        """Change the state; nothing happens after a final one."""
        if self.now.state.final:
            return
        self.now = Transition(state, reason)
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.call_soon(listener, self.now)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have ``listener`` told of every change from now on; call what is returned to end that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    async def reach(self, wanted: Callable[[State], bool]) -> Transition:
        """Return once the state is ``wanted``, or final."""
        reached: asyncio.Future[Transition] = asyncio.get_running_loop().create_future()

        def look(transition: Transition) -> None:
            if not reached.done() and (wanted(transition.state) or transition.state.final):
                reached.set_result(transition)

        stop = self.listen(look)
        try:
            look(self.now)
            return await reached
        finally:
            stop()
