"""Client libraries that block and have threads of their own, behind coroutines: real sockets only.

Each client has one thread in which all its calls are made, one after the other. A library tells of a
rebalance inside such a call: ``Thread.tell`` has the event loop run a coroutine meanwhile, and makes
the calls that the coroutine asks for in between, so that the library goes on only when all is told.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_END: None = None
_Job = Callable[[], None]


class Thread:
    """See the module. It ends with ``end``, or with the process."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What ``function`` returns or raises, called in the thread when it is free."""
        answer: asyncio.Future[T] = self._loop.create_future()

        def job() -> None:
            try:
                result = function(*arguments)
            except Exception as error:
                self._answer(answer, None, error)
            else:
                self._answer(answer, result, None)

        self._jobs.put(job)
        return await answer

    def tell(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Called in the thread: return, or raise, when the loop has run ``coroutine``."""
        told = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        told.add_done_callback(lambda _: self._jobs.put(_END))
        self._work()
        told.result()

    def wait(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """As ``tell``, called in any thread of the library; no calls are made meanwhile."""
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def end(self) -> None:
        """No more calls; what is under way goes on until it returns."""
        self._jobs.put(_END)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not _END:
            job()

    def _answer(self, answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
        def give() -> None:
            if answer.done():
                return  # who asked was cancelled
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        try:
            self._loop.call_soon_threadsafe(give)
        except RuntimeError:
            pass  # the loop is closed: the run is over
