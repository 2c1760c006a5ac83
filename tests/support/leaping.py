"""A clock that leaps: an event loop whose time passes only while nothing can be done.

So a time-out ends what hangs and nothing else, however busy the machine is.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """As ``asyncio.run``, in time that leaps."""
    with asyncio.Runner(loop_factory=_LeapingLoop) as runner:
        return runner.run(main)


class _LeapingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.leapt_s


class _LeapingSelector(selectors.DefaultSelector):
    """Where it would wait for a time-out it leaps to it."""

    def __init__(self) -> None:
        super().__init__()
        self.leapt_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        found = super().select(0)
        if not found:
            self.leapt_s += max(timeout, 0.0)
        return found
